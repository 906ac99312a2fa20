//! The recorded dataset: its schema and objects in the crate's own terms.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;
use skerry_model::{
    ClassSchema, CollectionType, Content, IndexKind, Link, Name, ObjectId, ObjectKey, Property,
    PropertyType, Schema, Timestamp, Uuid, Value,
};
use skerry_query::{Argument, Objects, PropertyRef, Row, Targets};

pub(crate) struct Object {
    pub(crate) key: ObjectKey,
    contents: Arc<[Content]>,
}

impl Object {
    pub(crate) fn contents(&self) -> &[Content] {
        &self.contents
    }
}

impl Row for Object {
    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        Cow::Borrowed(&self.contents[property.index])
    }
}

pub(crate) struct Dataset {
    pub(crate) schema: Schema,
    pub(crate) objects: BTreeMap<String, Vec<Object>>,
    steps: AtomicU64,
}

impl Dataset {
    /// Most steps from object to object that a test has the patience for.
    const STEPS_MAX: u64 = 200_000;

    /// Whether the steps since the last call were too many.
    pub(crate) fn has_given_up(&self) -> bool {
        self.steps.swap(0, Ordering::Relaxed) > Self::STEPS_MAX
    }

    fn find(&self, link: &Link) -> Option<(usize, &Object)> {
        let mut objects = self.objects.get(&*link.class)?.iter().enumerate();
        objects.find(|(_, object)| object.key == link.key)
    }
}

impl Targets for Dataset {
    fn exists(&self, link: &Link) -> bool {
        self.find(link).is_some()
    }
}

impl Objects for Dataset {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn object(&self, link: &Link) -> Option<Arc<[Content]>> {
        self.find(link).map(|(_, object)| Arc::clone(&object.contents))
    }

    fn referrers(&self, target: &Link, of: Option<(&Name, &PropertyRef)>) -> Vec<Link> {
        let holds = |content: &Content| {
            let mut found = false;
            content.for_each_link(&mut |link| found |= link == target);
            found
        };
        let mut referrers = Vec::new();
        for (class, objects) in &self.objects {
            let Some(of) = of.map_or(Some(None), |(of, property)| {
                (of.as_str() == class.as_str()).then_some(Some(property))
            }) else {
                continue;
            };
            for object in objects {
                let holds = match of {
                    Some(property) => holds(&object.contents[property.index]),
                    None => object.contents.iter().any(holds),
                };
                if holds {
                    referrers.push(Link { class: class.as_str().into(), key: object.key.clone() });
                }
            }
        }
        referrers
    }

    fn position(&self, link: &Link) -> Option<u64> {
        self.find(link).map(|(position, _)| u64::try_from(position).unwrap())
    }

    fn may_step(&self) -> bool {
        self.steps.fetch_add(1, Ordering::Relaxed) <= Self::STEPS_MAX
    }
}

fn vector(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = folder.ancestors().map(|folder| folder.join("tests/vectors/rql"));
    let path = folders.find(|folder| folder.is_dir()).unwrap().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn cases() -> Vec<Json> {
    let lines = vector("cases.jsonl");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn dataset() -> Dataset {
    let json: Json = serde_json::from_str(&vector("dataset.json")).unwrap();
    let classes = json["schema"].as_array().unwrap();
    let mut schema = Schema::new(classes.iter().map(class)).unwrap();
    for class in classes {
        for property in class["properties"].as_array().unwrap() {
            let kind = match property["indexed"].as_str() {
                None => continue,
                Some("fulltext") => IndexKind::FullText,
                Some(_) => IndexKind::General,
            };
            let name = |json: &Json| Name::from(json["name"].as_str().unwrap());
            schema = schema.with_index(name(class), name(property), kind).unwrap();
        }
    }
    let objects = json["objects"].as_object().unwrap().iter().map(|(name, rows)| {
        let class = schema.class(name).unwrap();
        let rows = rows.as_array().unwrap().iter().map(|row| object(&schema, class, row)).collect();
        (name.clone(), rows)
    });
    let objects = objects.collect();
    Dataset { schema, objects, steps: AtomicU64::new(0) }
}

fn class(json: &Json) -> ClassSchema {
    ClassSchema {
        embedded: json["embedded"].as_bool().unwrap(),
        name: json["name"].as_str().unwrap().into(),
        primary_key: json["primary_key"].as_str().unwrap_or_default().into(),
        properties: json["properties"].as_array().unwrap().iter().map(property).collect(),
    }
}

fn property(json: &Json) -> Property {
    let name = json["name"].as_str().unwrap();
    let collection = match json["collection"].as_str() {
        None => CollectionType::Single,
        Some("list") => CollectionType::List,
        Some("set") => CollectionType::Set,
        Some("dictionary") => CollectionType::Dictionary,
        Some(other) => panic!("{other} is no collection"),
    };
    if let Some(target) = json["target"].as_str() {
        return match collection {
            CollectionType::Single => Property::link(name, target),
            collection => Property::links(name, collection, target),
        };
    }
    let ty = PropertyType::from_name(json["type"].as_str().unwrap()).unwrap();
    Property::collection(name, collection, ty, json["nullable"].as_bool().unwrap())
}

fn object(schema: &Schema, class: &ClassSchema, json: &Json) -> Object {
    let held = |property: &Property| content(schema, property, &json[&*property.name]);
    let contents = class.properties.iter().map(held).collect();
    let key = ObjectKey::from_value(&value(&json[&*class.primary_key])).unwrap();
    Object { key, contents }
}

fn content(schema: &Schema, property: &Property, json: &Json) -> Content {
    let one = |json: &Json| single(schema, property, json);
    match (property.collection, json) {
        (CollectionType::Single, json) => one(json),
        (CollectionType::List, json) => {
            Content::List(json.as_array().unwrap().iter().map(one).collect())
        }
        (CollectionType::Set, json) => {
            let elements = json.as_array().unwrap().iter().map(one);
            Content::Set(elements.map(|content| content.as_value().unwrap().clone()).collect())
        }
        (CollectionType::Dictionary, json) => {
            let entries = json.as_object().unwrap().iter();
            Content::Dictionary(
                entries.map(|(key, json)| (key.as_str().into(), one(json))).collect(),
            )
        }
    }
}

fn single(schema: &Schema, property: &Property, json: &Json) -> Content {
    let Some(target) = property.target.as_deref().and_then(|target| schema.class(target)) else {
        return nested(json);
    };
    if json.is_null() {
        return Content::NULL;
    }
    if target.embedded {
        let field = |property: &Property| {
            (property.name.clone(), content(schema, property, &json[&*property.name]))
        };
        return Content::Object(target.properties.iter().map(field).collect());
    }
    let key = ObjectKey::from_value(&value(json)).unwrap();
    Content::Value(Value::link(target.name.clone(), key))
}

/// A value, or what a mixed may hold.
fn nested(json: &Json) -> Content {
    match json {
        Json::Array(elements) => Content::List(elements.iter().map(nested).collect()),
        Json::Object(members) if !members.keys().next().is_some_and(|key| key.starts_with('$')) => {
            let entries = members.iter().map(|(key, json)| (key.as_str().into(), nested(json)));
            Content::Dictionary(entries.collect())
        }
        json => Content::Value(value(json)),
    }
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
        Json::Object(members) => match region(members) {
            Some(text) => Argument::Value(Value::string(text)),
            None => Argument::Value(value(json)),
        },
        single => Argument::Value(value(single)),
    }
}

/// The text of a region, which is how arguments hold one.
fn region(members: &serde_json::Map<String, Json>) -> Option<String> {
    let (tag, inner) = members.iter().next()?;
    let number = |json: &Json| format!("{:?}", json.as_f64().unwrap());
    let point = |json: &Json| format!("[{}, {}]", number(&json[0]), number(&json[1]));
    let points =
        |json: &Json| json.as_array().unwrap().iter().map(point).collect::<Vec<_>>().join(", ");
    Some(match tag.as_str() {
        "$geoCircle" => {
            format!("geoCircle({}, {})", point(&inner["center"]), number(&inner["radius"]))
        }
        "$geoBox" => format!("geoBox({})", points(inner)),
        "$geoPolygon" => {
            let rings = inner.as_array().unwrap().iter();
            let rings = rings.map(|ring| format!("{{{}}}", points(ring))).collect::<Vec<_>>();
            format!("geoPolygon({})", rings.join(", "))
        }
        _ => return None,
    })
}
