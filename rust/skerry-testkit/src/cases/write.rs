//! To JSON: a program of our own that failed, to be replayed from a file.

use serde_json::{Map, Value as Json, json};
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    CollectionType, Instruction, ObjectRef, Path, PathElement, Payload, PropertyType, TableKind,
    Value,
};

use super::json::value_to_json;
use crate::peers::Step;

/// The program as one line of a conformance file, without final states: what is expected is that all
/// peers end equal.
pub fn program_to_json(
    name: &str,
    schema: &[Instruction],
    clients: usize,
    steps: &[Step],
) -> String {
    let json = json!({
        "name": name,
        "schema": schema_to_json(schema),
        "clients": clients,
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
    });
    json.to_string()
}

fn type_name(ty: PropertyType) -> &'static str {
    match ty {
        PropertyType::Decimal => "decimal",
        ty => ty.name(),
    }
}

fn collection_name(collection: CollectionType) -> &'static str {
    match collection {
        CollectionType::Single => "single",
        CollectionType::List => "list",
        CollectionType::Dictionary => "dictionary",
        CollectionType::Set => "set",
    }
}

fn schema_to_json(schema: &[Instruction]) -> Vec<Json> {
    let mut classes: Vec<Json> = Vec::new();
    for instruction in schema {
        match instruction {
            Instruction::AddTable { class, kind } => classes.push(match kind {
                TableKind::Embedded => {
                    json!({"name": class.as_str(), "embedded": true, "properties": []})
                }
                TableKind::TopLevel { pk_field, pk_type, .. } => json!({
                    "name": class.as_str(),
                    "primary_key": pk_field.as_str(),
                    "embedded": false,
                    "properties": [{"name": pk_field.as_str(), "type": type_name(*pk_type)}],
                }),
            }),
            Instruction::AddColumn { class, field, ty, nullable, collection, target, .. } => {
                let mut property = json!({"name": field.as_str(), "type": type_name(*ty)});
                if *nullable && *ty != PropertyType::Link && *ty != PropertyType::Mixed {
                    property["nullable"] = json!(true);
                }
                if *collection != CollectionType::Single {
                    property["collection"] = json!(collection_name(*collection));
                }
                if let Some(target) = target {
                    property["target"] = json!(target.as_str());
                }
                let of_class = classes.iter_mut().find(|known| known["name"] == class.as_str());
                let properties = of_class.and_then(|known| known["properties"].as_array_mut());
                properties.unwrap().push(property);
            }
            other => panic!("{other:?} makes no class"),
        }
    }
    classes
}

fn step(step: &Step) -> Json {
    match step {
        Step::Upload { client, .. } => json!({"upload": client + 1}),
        Step::Download { client, .. } => json!({"download": client + 1}),
        Step::Write { client, at, ops } => json!({
            "client": client + 1,
            "at": at.0,
            "write": ops.iter().map(op).collect::<Vec<_>>(),
        }),
    }
}

fn members(kind: &str, object: &ObjectRef) -> Map<String, Json> {
    let mut members = Map::new();
    members.insert("op".to_owned(), json!(kind));
    members.insert("table".to_owned(), json!(object.class.as_str()));
    members.insert("pk".to_owned(), value_to_json(&object.key.clone().into()));
    members
}

fn op(op: &Op) -> Json {
    match op {
        Op::Create { object, values, is_default } => {
            let mut members = members("create", object);
            let values: Map<String, Json> =
                values.iter().map(|(name, v)| (name.to_string(), value_to_json(v))).collect();
            members.insert("values".to_owned(), Json::Object(values));
            if *is_default {
                members.insert("is_default".to_owned(), json!(true));
            }
            Json::Object(members)
        }
        Op::Delete { object } => Json::Object(members("delete", object)),
        Op::At { path, edit } => Json::Object(at(path, edit)),
    }
}

fn at(path: &Path, edit: &Edit) -> Map<String, Json> {
    let (kind, more) = edit_members(edit);
    let mut members = members(kind, &path.object);
    let elements = path.elements.iter().map(|element| match element {
        PathElement::Index(index) => json!(index),
        PathElement::Key(key) => json!(key.as_str()),
    });
    let whole = std::iter::once(json!(path.field.as_str())).chain(elements).collect();
    members.insert("path".to_owned(), Json::Array(whole));
    members.extend(more.into_iter().map(|(name, json)| (name.to_owned(), json)));
    members
}

fn edit_members(edit: &Edit) -> (&'static str, Vec<(&'static str, Json)>) {
    let value = |value: &Value| ("value", value_to_json(value));
    match edit {
        Edit::Set { value: set, is_default } => {
            let mut members = vec![value(set)];
            if *is_default {
                members.push(("is_default", json!(true)));
            }
            ("set", members)
        }
        Edit::AddInteger(amount) => ("add_int", vec![("value", json!(amount))]),
        Edit::ListInsert { index, value: inserted } => {
            let index = ("index", json!(index));
            match inserted {
                Payload::Value(inserted) => ("list_insert", vec![index, value(inserted)]),
                Payload::ObjectValue => ("list_insert_embedded", vec![index]),
                Payload::Dictionary => {
                    ("list_insert_collection", vec![index, ("kind", json!("dictionary"))])
                }
                Payload::List | Payload::Erased => {
                    ("list_insert_collection", vec![index, ("kind", json!("list"))])
                }
            }
        }
        Edit::ListSet { index, value: set } => {
            ("list_set", vec![("index", json!(index)), value(set)])
        }
        Edit::ListMove { from, to } => {
            ("list_move", vec![("from", json!(from)), ("to", json!(to))])
        }
        Edit::ListErase { index } => ("list_erase", vec![("index", json!(index))]),
        Edit::Clear => ("clear", Vec::new()),
        Edit::SetInsert(inserted) => ("set_insert", vec![value(inserted)]),
        Edit::SetErase(erased) => ("set_erase", vec![value(erased)]),
        Edit::DictionarySet { key, value: set } => {
            ("dict_set", vec![("key", json!(key.as_str())), value(set)])
        }
        Edit::DictionaryErase { key } => ("dict_erase", vec![("key", json!(key.as_str()))]),
        Edit::SetEmbedded => ("set_embedded", Vec::new()),
        Edit::SetCollection(kind) => {
            ("set_collection", vec![("kind", json!(collection_name(*kind)))])
        }
        Edit::Assign { .. } | Edit::ListInsertAll { .. } => {
            unreachable!("programs are made of the engine's own edits")
        }
    }
}
