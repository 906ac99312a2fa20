//! The recorded dataset: its schema and objects in the crate's own terms.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;
use skerry_model::{
    ClassSchema, Content, Link, ObjectId, ObjectKey, Property, PropertyType, Schema, Timestamp,
    Uuid, Value,
};
use skerry_query::{Argument, PropertyRef, Row, Targets};

pub(crate) struct Object {
    pub(crate) key: ObjectKey,
    values: Vec<Value>,
}

impl Row for Object {
    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        Cow::Owned(Content::Value(self.values[property.index].clone()))
    }
}

pub(crate) struct Dataset {
    pub(crate) schema: Schema,
    pub(crate) objects: BTreeMap<String, Vec<Object>>,
}

impl Targets for Dataset {
    fn exists(&self, link: &Link) -> bool {
        self.objects[&*link.class].iter().any(|object| object.key == link.key)
    }
}

fn vector(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/rql").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn cases() -> Vec<Json> {
    let lines = vector("scalar_cases.jsonl");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn dataset() -> Dataset {
    let json: Json = serde_json::from_str(&vector("dataset.json")).unwrap();
    let classes = json["schema"].as_array().unwrap();
    let schema = Schema::new(classes.iter().map(class)).unwrap();
    let objects = json["objects"].as_object().unwrap().iter().map(|(name, rows)| {
        let class = schema.class(name).unwrap();
        let rows = rows.as_array().unwrap().iter().map(|row| object(class, row)).collect();
        (name.clone(), rows)
    });
    let objects = objects.collect();
    Dataset { schema, objects }
}

fn class(json: &Json) -> ClassSchema {
    ClassSchema {
        embedded: false,
        name: json["name"].as_str().unwrap().into(),
        primary_key: json["primary_key"].as_str().unwrap().into(),
        properties: json["properties"].as_array().unwrap().iter().map(property).collect(),
    }
}

fn property(json: &Json) -> Property {
    let name = json["name"].as_str().unwrap();
    if let Some(target) = json["target"].as_str() {
        return Property::link(name, target);
    }
    let ty = match json["type"].as_str().unwrap() {
        "int" => PropertyType::Int,
        "bool" => PropertyType::Bool,
        "double" => PropertyType::Double,
        "string" => PropertyType::String,
        "data" => PropertyType::Binary,
        "date" => PropertyType::Timestamp,
        "objectId" => PropertyType::ObjectId,
        "uuid" => PropertyType::Uuid,
        "decimal128" => PropertyType::Decimal,
        other => panic!("{other} is no scalar type"),
    };
    Property::scalar(name, ty, json["nullable"].as_bool().unwrap())
}

fn object(class: &ClassSchema, json: &Json) -> Object {
    let values = class.properties.iter().map(|property| {
        let value = value(&json[&*property.name]);
        match (&property.target, ObjectKey::from_value(&value)) {
            (Some(_), Some(ObjectKey::Null)) | (None, _) => value,
            (Some(class), key) => Value::link(class.clone(), key.unwrap()),
        }
    });
    let key = ObjectKey::from_value(&value(&json[&*class.primary_key])).unwrap();
    Object { key, values: values.collect() }
}

/// Reads the extended JSON of the recorded cases.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) => Value::string(text.as_str()),
        Json::Array(_) => panic!("a nested list"),
        Json::Object(members) => {
            let (key, inner) = members.iter().next().unwrap();
            tagged(key, inner, json)
        }
    }
}

fn tagged(key: &str, inner: &Json, whole: &Json) -> Value {
    let text = || inner.as_str().unwrap();
    match key {
        "$numberLong" => Value::Int(text().parse().unwrap()),
        "$numberDouble" => Value::Double(text().parse().unwrap()),
        "$numberFloat" => Value::Float(text().parse().unwrap()),
        "$numberDecimal" => Value::Decimal(text().parse().unwrap()),
        "$oid" => Value::ObjectId(ObjectId::parse(text()).unwrap()),
        "$uuid" => Value::Uuid(Uuid::parse(text()).unwrap()),
        "$date" => Value::Timestamp(Timestamp::from_unix_ms(
            inner["$numberLong"].as_str().unwrap().parse().unwrap(),
        )),
        "$realmDate" => {
            let seconds = inner["seconds"].as_str().unwrap().parse().unwrap();
            let nanoseconds = inner["nanoseconds"].as_i64().unwrap().try_into().unwrap();
            Value::Timestamp(Timestamp::new(seconds, nanoseconds).unwrap())
        }
        "$binary" => Value::binary(base64(inner["base64"].as_str().unwrap())),
        "$ref" | "$id" => Value::link(
            whole["$ref"].as_str().unwrap(),
            ObjectKey::from_value(&value(&whole["$id"])).unwrap(),
        ),
        other => panic!("unknown tag {other}"),
    }
}

/// Independent of the crate's own reader.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_usize, 0);
    for digit in text.trim_end_matches('=').chars() {
        bits = (bits << 6 | DIGITS.find(digit).unwrap()) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).unwrap());
        }
    }
    bytes
}

pub(crate) fn argument(json: &Json) -> Argument {
    match json {
        Json::Array(elements) => Argument::List(elements.iter().map(value).collect()),
        single => Argument::Value(value(single)),
    }
}
