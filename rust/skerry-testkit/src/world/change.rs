//! Edits inside objects, as a device makes them.

use skerry_model::edit::{Edit, Op};
use skerry_model::{CollectionType, ObjectKey, ObjectRef, Path, PathElement, Payload, Value};
use skerry_store::StoreError;
use skerry_store::realm::WriteTxn;

use super::step::Change;

/// Makes the edit if the object has such a place.
pub(super) fn make(
    txn: &mut WriteTxn,
    object: &ObjectRef,
    change: Change,
) -> Result<(), StoreError> {
    let (field, below, edit) = described(change);
    let mut path = Path::property(object.clone(), field);
    path.elements = below.iter().map(|name| PathElement::Key((*name).into())).collect();
    match txn.edit(&Op::At { path, edit }) {
        // A position beyond the end, a part that is not there, a link to nobody.
        Ok(()) | Err(StoreError::BadInstruction { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn item(key: i64) -> Value {
    Value::link("Item", ObjectKey::Int(key))
}

const COORDINATES: &[&str] = &["coordinates"];

fn degrees(number: i64) -> Value {
    Value::Double(f64::from(i32::try_from(number).expect("small")))
}

fn text(number: i64) -> Value {
    Value::string(number.to_string())
}

fn insert(index: u32, value: Value) -> Edit {
    Edit::ListInsert { index, value: Payload::Value(value) }
}

fn set(value: Value) -> Edit {
    Edit::Set { value, is_default: false }
}

/// Property, path below it, and what is done there.
fn described(change: Change) -> (&'static str, &'static [&'static str], Edit) {
    match change {
        Change::TagIn { index, tag } => ("tags", &[], insert(index, text(tag))),
        Change::TagSet { index, tag } => ("tags", &[], Edit::ListSet { index, value: text(tag) }),
        Change::TagMove { from, to } => ("tags", &[], Edit::ListMove { from, to }),
        Change::TagOut { index } => ("tags", &[], Edit::ListErase { index }),
        Change::TagsClear => ("tags", &[], Edit::Clear),
        Change::PeerIn { index, peer } => ("peers", &[], insert(index, item(peer))),
        Change::PeerOut { index } => ("peers", &[], Edit::ListErase { index }),
        Change::MarkIn { mark } => ("marks", &[], Edit::SetInsert(Value::Int(mark))),
        Change::MarkOut { mark } => ("marks", &[], Edit::SetErase(Value::Int(mark))),
        Change::Put { name, value } => ("map", &[], put(name, Value::Int(value))),
        Change::PutLink { name, to } => ("map", &[], put(name, item(to))),
        Change::Take { name } => ("map", &[], Edit::DictionaryErase { key: name.into() }),
        Change::Part => ("part", &[], Edit::SetEmbedded),
        Change::PartSize { size } => ("part", &["size"], set(Value::Int(size))),
        Change::PartNote { index, note } => ("part", &["notes"], insert(index, text(note))),
        Change::AnyList => ("any", &[], Edit::SetCollection(CollectionType::List)),
        Change::AnyDictionary => ("any", &[], Edit::SetCollection(CollectionType::Dictionary)),
        Change::AnyNumber { value } => ("any", &[], set(Value::Int(value))),
        Change::AnyIn { index, value } => ("any", &[], insert(index, Value::Int(value))),
        Change::AnyPut { name, value } => ("any", &[], put(name, Value::Int(value))),
        Change::AnyClear => ("any", &[], Edit::Clear),
        Change::Place => ("place", &[], Edit::SetEmbedded),
        Change::PlaceNone => ("place", &[], set(Value::Null)),
        Change::PlaceKind { is_point } => {
            let kind = if is_point { "Point" } else { "Line" };
            ("place", &["type"], set(Value::string(kind)))
        }
        Change::PlaceIn { index, at } => ("place", COORDINATES, insert(index, degrees(at))),
        Change::PlaceSet { index, at } => {
            ("place", COORDINATES, Edit::ListSet { index, value: degrees(at) })
        }
        Change::PlaceOut { index } => ("place", COORDINATES, Edit::ListErase { index }),
        Change::PlaceVisit { index, visit } => {
            ("place", &["visits"], insert(index, Value::Int(visit)))
        }
    }
}

fn put(name: &str, value: Value) -> Edit {
    Edit::DictionarySet { key: name.into(), value }
}
