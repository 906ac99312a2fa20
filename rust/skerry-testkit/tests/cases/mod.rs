//! Reads merge conformance programs: their schema, their steps and the states that the real engine
//! ended in. The format is described beside the vectors.

mod json;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use skerry_model::{
    CollectionType, Instruction, Name, ObjectKey, ObjectRef, PropertyType, Stamp, TableKind, Value,
};
use skerry_testkit::ops::{Edit, Op, link};
use skerry_testkit::peers::Step;
use skerry_testkit::state::Visible;

use json::{items, text, value};

/// A program and what must come of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) clients: usize,
    pub(crate) schema: Vec<Instruction>,
    pub(crate) steps: Vec<Step>,
    pub(crate) server: Visible,
    pub(crate) client_states: Vec<Visible>,
}

/// All programs of a file of JSON lines.
pub(crate) fn read(path: &Path) -> Vec<Case> {
    let file = std::fs::read_to_string(path).unwrap();
    file.lines().map(|line| case(&serde_json::from_str(line).unwrap())).collect()
}

/// Types of the properties, the primary key included, by class.
struct Types {
    properties: BTreeMap<String, BTreeMap<String, PropertyType>>,
    keys: BTreeMap<String, String>,
    targets: BTreeMap<(String, String), String>,
}

fn case(json: &Json) -> Case {
    let types = Types::of(&json["schema"]);
    let finals = &json["final"];
    Case {
        name: text(&json["name"]).to_owned(),
        clients: usize::try_from(json["clients"].as_u64().unwrap()).unwrap(),
        schema: types.instructions(&json["schema"]),
        steps: items(&json["steps"]).iter().map(|step| types.step(step)).collect(),
        server: types.state(&finals["server"]),
        client_states: items(&finals["clients"]).iter().map(|state| types.state(state)).collect(),
    }
}

fn property_type(name: &str) -> PropertyType {
    match name {
        "int" => PropertyType::Int,
        "bool" => PropertyType::Bool,
        "string" => PropertyType::String,
        "data" => PropertyType::Binary,
        "date" => PropertyType::Timestamp,
        "double" => PropertyType::Double,
        "decimal" => PropertyType::Decimal,
        "objectId" => PropertyType::ObjectId,
        "uuid" => PropertyType::Uuid,
        "mixed" => PropertyType::Mixed,
        "object" => PropertyType::Link,
        other => panic!("type {other}"),
    }
}

fn client(json: &Json) -> usize {
    usize::try_from(json.as_u64().unwrap()).unwrap() - 1
}

impl Types {
    fn of(schema: &Json) -> Self {
        let mut types =
            Self { properties: BTreeMap::new(), keys: BTreeMap::new(), targets: BTreeMap::new() };
        for class in items(schema) {
            let name = text(&class["name"]).to_owned();
            let properties = types.properties.entry(name.clone()).or_default();
            for property in items(&class["properties"]) {
                let field = text(&property["name"]).to_owned();
                if let Some(target) = property["target"].as_str() {
                    types.targets.insert((name.clone(), field.clone()), target.to_owned());
                }
                properties.insert(field, property_type(text(&property["type"])));
            }
            types.keys.insert(name, text(&class["primary_key"]).to_owned());
        }
        types
    }

    fn instructions(&self, schema: &Json) -> Vec<Instruction> {
        let tables = self.keys.iter().map(|(class, key)| Instruction::AddTable {
            class: class.as_str().into(),
            kind: TableKind::TopLevel {
                pk_field: key.as_str().into(),
                pk_type: self.properties[class][key],
                pk_nullable: false,
                asymmetric: false,
            },
        });
        let columns = items(schema).iter().flat_map(|class| {
            let name = text(&class["name"]);
            let fields = items(&class["properties"]).iter();
            let fields = fields.filter(move |p| text(&p["name"]) != self.keys[name]);
            fields.map(move |property| {
                let ty = property_type(text(&property["type"]));
                let always = matches!(ty, PropertyType::Link | PropertyType::Mixed);
                Instruction::AddColumn {
                    class: name.into(),
                    field: text(&property["name"]).into(),
                    ty,
                    nullable: always || property["nullable"] == Json::Bool(true),
                    collection: CollectionType::Single,
                    target: property["target"].as_str().map(Name::from),
                    key_type: None,
                }
            })
        });
        tables.chain(columns).collect()
    }

    fn key(&self, class: &str, json: &Json) -> ObjectKey {
        let ty = self.properties[class][&self.keys[class]];
        ObjectKey::from_value(&value(json, ty)).unwrap()
    }

    fn value(&self, class: &str, field: &str, json: &Json) -> Value {
        match json.get("$ref") {
            Some(target) => {
                let target = text(target);
                link(target, self.key(target, &json["$id"]))
            }
            None => value(json, self.properties[class][field]),
        }
    }

    fn step(&self, json: &Json) -> Step {
        if let Some(by) = json.get("upload") {
            return Step::Upload { client: client(by), count: usize::MAX };
        }
        if let Some(by) = json.get("download") {
            return Step::Download { client: client(by), count: usize::MAX };
        }
        Step::Write {
            client: client(&json["client"]),
            at: Stamp(json["at"].as_i64().unwrap()),
            ops: items(&json["write"]).iter().map(|op| self.op(op)).collect(),
        }
    }

    fn op(&self, json: &Json) -> Op {
        let class = text(&json["table"]);
        let object = ObjectRef::new(class, self.key(class, &json["pk"]));
        let is_default = json["is_default"] == Json::Bool(true);
        let field = || text(&items(&json["path"])[0]);
        let edit = match text(&json["op"]) {
            "create" => {
                let values = json["values"].as_object().into_iter().flatten();
                let values = values
                    .map(|(field, v)| (field.as_str().into(), self.value(class, field, v)))
                    .collect();
                Edit::Create { values, is_default }
            }
            "delete" => Edit::Delete,
            "set" => {
                let value = self.value(class, field(), &json["value"]);
                Edit::Set { field: field().into(), value, is_default }
            }
            "set_link" => {
                let target = &self.targets.get(&(class.to_owned(), field().to_owned()));
                let value = match &json["target"] {
                    Json::Null => Value::Null,
                    key => link(target.unwrap(), self.key(target.unwrap(), key)),
                };
                Edit::Set { field: field().into(), value, is_default }
            }
            "add_int" => {
                Edit::AddInt { field: field().into(), value: json["value"].as_i64().unwrap() }
            }
            other => panic!("operation {other}"),
        };
        Op { object, edit }
    }

    fn state(&self, json: &Json) -> Visible {
        let object = |class: &str, json: &Json| {
            let properties = json.as_object().unwrap().iter();
            let properties: BTreeMap<Name, Value> = properties
                .map(|(field, v)| (field.as_str().into(), self.value(class, field, v)))
                .collect();
            (self.key(class, &json[&self.keys[class]]), properties)
        };
        let classes = json.as_object().unwrap().iter();
        classes
            .map(|(class, objects)| {
                let objects = items(objects).iter().map(|json| object(class, json)).collect();
                (class.as_str().into(), objects)
            })
            .collect()
    }
}
