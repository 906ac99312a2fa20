//! The small structures that stand in the store's columns, as msgpack.

use rusqlite::types::ValueRef;
use skerry_model::codec::reader::{Datum, Reader};
use skerry_model::codec::writer::Writer;
use skerry_model::content::Fields;
use skerry_model::limits::CHANGESET_MAX_BYTES;
use skerry_model::{
    Changeset, Content, DecodeError, Instruction, Name, ObjectKey, decode_changeset, decode_key,
    encode_changeset, encode_key, pack, unpack,
};

use crate::StoreError;
use crate::error::Result;
use crate::server::{FieldValues, RejectedUpdate};

pub(super) fn instructions_to_blob(instructions: &[Instruction]) -> Result<Vec<u8>> {
    Ok(pack(&encode_changeset(&Changeset::from(instructions.to_vec()))?))
}

pub(super) fn instructions_from_blob(blob: &[u8]) -> Result<Vec<Instruction>> {
    let bytes = unpack(blob, CHANGESET_MAX_BYTES).map_err(StoreError::corrupted)?;
    Ok(decode_changeset(&bytes).map_err(StoreError::corrupted)?.instructions)
}

pub(super) fn key_to_blob(key: &ObjectKey) -> Vec<u8> {
    encode_key(key)
}

pub(super) fn key_from_blob(blob: &[u8]) -> Result<ObjectKey> {
    decode_key(blob).map_err(StoreError::corrupted)
}

/// An array of position, content, position, content …; `None` is no blob at all. A list is an array
/// and an embedded object a map of its names, so that no schema is needed to tell them from values.
pub(super) fn fields_to_blob(fields: Option<&FieldValues>) -> Option<Vec<u8>> {
    fields.map(|fields| {
        let mut writer = Writer::new();
        writer.write_array_header(fields.0.len() * 2);
        for (position, content) in &fields.0 {
            writer.write_u64(u64::from(*position));
            match content {
                Content::Value(value) => writer.write_value(value),
                Content::List(_)
                | Content::Set(_)
                | Content::Dictionary(_)
                | Content::Object(_) => writer.write_encoded(&content.encode()),
            }
        }
        writer.into_bytes()
    })
}

pub(super) fn fields_from_blob(blob: ValueRef<'_>) -> Result<Option<FieldValues>> {
    let Some(bytes) = blob.as_blob_or_null().map_err(StoreError::corrupted)? else {
        return Ok(None);
    };
    let mut reader = Reader::new(bytes);
    let mut read = || {
        let count = reader.read_array_header()?;
        let mut fields = Vec::new();
        for _ in 0..count / 2 {
            fields.push((reader.read_u32()?, read_content(&mut reader, 0)?));
        }
        Ok::<_, DecodeError>(FieldValues(fields))
    };
    read().map(Some).map_err(StoreError::corrupted)
}

/// How deep contents of fields are nested: values in a list in an embedded object.
const FIELD_DEPTH_MAX: usize = 2;

fn read_content(reader: &mut Reader<'_>, depth: usize) -> Result<Content, DecodeError> {
    let is_deepest = depth == FIELD_DEPTH_MAX;
    Ok(match reader.peek_datum()? {
        Datum::Array(_) if !is_deepest => {
            let count = reader.read_array_header()?;
            let elements = (0..count).map(|_| read_content(reader, depth + 1));
            Content::List(elements.collect::<Result<_, _>>()?)
        }
        Datum::Map(_) if !is_deepest => {
            let mut fields = Fields::new();
            for _ in 0..reader.read_map_header()? {
                let name = Name::from(reader.read_str()?);
                fields.insert(name, read_content(reader, depth + 1)?);
            }
            Content::Object(fields)
        }
        _ => Content::Value(reader.read_value()?),
    })
}

/// An array of class, key, reason, class, key, reason …; nothing rejected is no blob at all.
pub(super) fn rejected_to_blob(rejected: &[RejectedUpdate]) -> Option<Vec<u8>> {
    (!rejected.is_empty()).then(|| {
        let mut writer = Writer::new();
        writer.write_array_header(rejected.len() * 3);
        for update in rejected {
            writer.write_str(&update.class);
            writer.write_key(&update.key);
            writer.write_str(&update.reason);
        }
        writer.into_bytes()
    })
}

pub(super) fn rejected_from_blob(blob: &[u8]) -> Result<Vec<RejectedUpdate>> {
    let mut reader = Reader::new(blob);
    let mut read = || {
        let count = reader.read_array_header()?;
        let mut rejected = Vec::new();
        for _ in 0..count / 3 {
            rejected.push(RejectedUpdate {
                class: reader.read_str()?.into(),
                key: reader.read_key()?,
                reason: reader.read_str()?.to_owned(),
            });
        }
        Ok::<_, DecodeError>(rejected)
    };
    read().map_err(StoreError::corrupted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skerry_model::{ObjectId, Timestamp, Value};

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            any::<f64>().prop_map(Value::Double),
            ".{0,20}".prop_map(Value::string),
            any::<[u8; 12]>().prop_map(|oid| Value::ObjectId(ObjectId(oid))),
            any::<i64>().prop_map(|ms| Value::Timestamp(Timestamp::from_unix_ms(ms))),
        ]
    }

    fn content() -> impl Strategy<Value = Content> {
        let list = || {
            let elements = prop::collection::vec(value().prop_map(Content::Value), 0..20);
            elements.prop_map(Content::List)
        };
        let inner = prop_oneof![value().prop_map(Content::Value), list()];
        let fields = prop::collection::btree_map(".{0,9}".prop_map(Name::from), inner, 0..4);
        prop_oneof![
            4 => value().prop_map(Content::Value),
            4 => list(),
            2 => fields.prop_map(Content::Object),
        ]
    }

    proptest! {
        #[test]
        fn fields_survive_their_blob(fields in prop::collection::vec((0..99_u32, content()), 0..6)) {
            let fields = FieldValues(fields);
            let blob = fields_to_blob(Some(&fields)).unwrap();
            prop_assert_eq!(fields_from_blob(ValueRef::Blob(&blob)).unwrap(), Some(fields));
        }

        #[test]
        fn bytes_of_others_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = fields_from_blob(ValueRef::Blob(&bytes));
        }
    }

    #[test]
    fn blobs_from_when_fields_held_values_alone_are_read() {
        let blob = [0x96, 1, 0xa2, b'u', b'0', 2, 0xc0, 7, 5];
        let read = fields_from_blob(ValueRef::Blob(&blob)).unwrap().unwrap();
        let held = [(1, Value::string("u0")), (2, Value::Null), (7, Value::Int(5))];
        assert_eq!(read.0, held.map(|(position, value)| (position, Content::Value(value))));
        assert_eq!(fields_to_blob(Some(&read)).unwrap(), blob);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = [0x92, 0, 0x91, 0x91, 0x91, 0];
        assert!(fields_from_blob(ValueRef::Blob(&deep)).is_err());
    }
}
