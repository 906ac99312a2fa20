//! The small structures that stand in the store's columns, as msgpack.

use rusqlite::types::ValueRef;
use skerry_model::codec::reader::Reader;
use skerry_model::codec::writer::Writer;
use skerry_model::limits::CHANGESET_MAX_BYTES;
use skerry_model::{
    Changeset, Instruction, ObjectKey, decode_changeset, decode_key, encode_changeset, encode_key,
    pack, unpack,
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

/// An array of position, value, position, value …; `None` is no blob at all.
pub(super) fn fields_to_blob(fields: Option<&FieldValues>) -> Option<Vec<u8>> {
    fields.map(|fields| {
        let mut writer = Writer::new();
        writer.write_array_header(fields.0.len() * 2);
        for (position, value) in &fields.0 {
            writer.write_u64(u64::from(*position));
            writer.write_value(value);
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
            fields.push((reader.read_u32()?, reader.read_value()?));
        }
        Ok::<_, skerry_model::DecodeError>(FieldValues(fields))
    };
    read().map(Some).map_err(StoreError::corrupted)
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
        Ok::<_, skerry_model::DecodeError>(rejected)
    };
    read().map_err(StoreError::corrupted)
}
