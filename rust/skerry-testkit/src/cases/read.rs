//! From JSON.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use skerry_model::content::{Fields, Kind, Place};
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    ClassSchema, CollectionType, Content, Instruction, KeyKind, Name, ObjectKey, ObjectRef, Path,
    PathElement, Payload, Property, PropertyType, Schema, Stamp, TableKind, Value, ValueSet,
};

use super::Case;
use super::json::{items, text, value};
use crate::peers::Step;
use crate::state::Visible;

pub(super) fn case(json: &Json) -> Case {
    let (schema, instructions) = classes(&json["schema"]);
    let reader = Reader { schema };
    let states = match json.get("final") {
        None => Vec::new(),
        Some(states) => std::iter::once(&states["server"])
            .chain(items(&states["clients"]))
            .map(|state| reader.state(state))
            .collect(),
    };
    Case {
        name: text(&json["name"]).to_owned(),
        schema: instructions,
        clients: usize::try_from(json["clients"].as_u64().unwrap()).unwrap(),
        steps: items(&json["steps"]).iter().map(|step| reader.step(step)).collect(),
        states,
    }
}

fn property(json: &Json) -> Property {
    let name = text(&json["type"]);
    let ty = match name {
        "decimal" => PropertyType::Decimal,
        name => PropertyType::from_name(name).unwrap_or_else(|| panic!("type {name}")),
    };
    let collection = match json["collection"].as_str() {
        None => CollectionType::Single,
        Some("list") => CollectionType::List,
        Some("set") => CollectionType::Set,
        Some("dictionary") => CollectionType::Dictionary,
        Some(other) => panic!("collection {other}"),
    };
    let nullable = match ty {
        PropertyType::Mixed => true,
        PropertyType::Link => {
            matches!(collection, CollectionType::Single | CollectionType::Dictionary)
        }
        _ => json["nullable"] == Json::Bool(true),
    };
    let target = json["target"].as_str().map(Name::from);
    Property { name: text(&json["name"]).into(), ty, nullable, collection, target }
}

fn classes(json: &Json) -> (Schema, Vec<Instruction>) {
    let class = |json: &Json| ClassSchema {
        name: text(&json["name"]).into(),
        primary_key: json["primary_key"].as_str().unwrap_or_default().into(),
        properties: items(&json["properties"]).iter().map(property).collect(),
        embedded: json["embedded"] == Json::Bool(true),
    };
    let classes: Vec<ClassSchema> = items(json).iter().map(class).collect();
    let instructions = instructions(&classes);
    (Schema::new(classes).unwrap(), instructions)
}

/// What makes the classes: all of them first, because links need their targets.
fn instructions(classes: &[ClassSchema]) -> Vec<Instruction> {
    let tables = classes.iter().map(|class| {
        let top_level = || {
            let KeyKind { ty, nullable } = class.key_kind();
            TableKind::TopLevel {
                pk_field: class.primary_key.clone(),
                pk_type: ty,
                pk_nullable: nullable,
                asymmetric: false,
            }
        };
        let kind = if class.embedded { TableKind::Embedded } else { top_level() };
        Instruction::AddTable { class: class.name.clone(), kind }
    });
    let columns = classes.iter().flat_map(|class| {
        let properties = class.properties.iter().filter(|p| p.name != class.primary_key);
        properties.map(|property| Instruction::AddColumn {
            class: class.name.clone(),
            field: property.name.clone(),
            ty: property.ty,
            nullable: property.nullable,
            collection: property.collection,
            target: property.target.clone().map(Box::new),
            key_type: (property.collection == CollectionType::Dictionary)
                .then_some(PropertyType::String),
        })
    });
    tables.chain(columns).collect()
}

fn client(json: &Json) -> usize {
    usize::try_from(json.as_u64().unwrap()).unwrap() - 1
}

fn index(json: &Json) -> u32 {
    u32::try_from(json.as_u64().unwrap()).unwrap()
}

struct Reader {
    schema: Schema,
}

impl Reader {
    fn class(&self, name: &str) -> &ClassSchema {
        self.schema.class(name).unwrap_or_else(|| panic!("class {name}"))
    }

    fn key(&self, class: &str, json: &Json) -> ObjectKey {
        ObjectKey::from_value(&value(json, self.class(class).key_kind().ty)).unwrap()
    }

    fn value(&self, ty: PropertyType, json: &Json) -> Value {
        match json.get("$ref") {
            Some(target) => {
                let class = text(target);
                Value::link(class, self.key(class, &json["$id"]))
            }
            None => value(json, ty),
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

    /// The type of what is at a place, or of the elements of the collection there.
    fn ty(&self, path: &Path) -> PropertyType {
        let class = self.class(&path.object.class);
        let mut property = class.property(&path.field).unwrap();
        for element in &path.elements {
            let target = property.target.as_deref().map(|target| self.class(target));
            if let (Some(class), PathElement::Key(key)) = (target, element)
                && let Some(inner) = class.property(key)
            {
                property = inner;
            }
        }
        property.ty
    }

    fn target(&self, path: &Path) -> Name {
        let class = self.class(&path.object.class);
        let mut property = class.property(&path.field).unwrap();
        for element in &path.elements {
            if let PathElement::Key(key) = element
                && let Some(inner) = self.class(property.target.as_deref().unwrap()).property(key)
            {
                property = inner;
            }
        }
        property.target.clone().unwrap()
    }

    fn op(&self, json: &Json) -> Op {
        let class = text(&json["table"]);
        let object = ObjectRef::new(class, self.key(class, &json["pk"]));
        let is_default = json["is_default"] == Json::Bool(true);
        match text(&json["op"]) {
            "create" => {
                let properties = self.class(class);
                let values = json["values"].as_object().into_iter().flatten();
                let values = values.map(|(field, v)| {
                    let ty = properties.property(field).unwrap().ty;
                    (field.as_str().into(), self.value(ty, v))
                });
                Op::Create { object, values: values.collect(), is_default }
            }
            "delete" => Op::Delete { object },
            kind => {
                let path = path(object, &json["path"]);
                let edit = self.edit(kind, &path, json);
                Op::At { path, edit }
            }
        }
    }

    fn edit(&self, kind: &str, path: &Path, json: &Json) -> Edit {
        let value = || self.value(self.ty(path), &json["value"]);
        let at = || index(&json["index"]);
        let key = || Name::from(text(&json["key"]));
        match kind {
            "set" => {
                let is_default = json["is_default"] == Json::Bool(true);
                Edit::Set { value: value(), is_default }
            }
            "set_link" => {
                let value = match &json["target"] {
                    Json::Null => Value::Null,
                    key => {
                        let class = self.target(path);
                        let key = self.key(&class, key);
                        Value::link(class, key)
                    }
                };
                Edit::Set { value, is_default: false }
            }
            "add_int" => Edit::AddInteger(json["value"].as_i64().unwrap()),
            "list_insert" => Edit::ListInsert { index: at(), value: Payload::Value(value()) },
            "list_insert_embedded" => Edit::ListInsert { index: at(), value: Payload::ObjectValue },
            "list_insert_collection" => {
                let value = match collection(&json["kind"]) {
                    CollectionType::Dictionary => Payload::Dictionary,
                    _ => Payload::List,
                };
                Edit::ListInsert { index: at(), value }
            }
            "list_set" => Edit::ListSet { index: at(), value: value() },
            "list_erase" => Edit::ListErase { index: at() },
            "list_move" => Edit::ListMove { from: index(&json["from"]), to: index(&json["to"]) },
            "clear" => Edit::Clear,
            "set_insert" => Edit::SetInsert(value()),
            "set_erase" => Edit::SetErase(value()),
            "dict_set" => Edit::DictionarySet { key: key(), value: value() },
            "dict_erase" => Edit::DictionaryErase { key: key() },
            "set_embedded" => Edit::SetEmbedded,
            "set_collection" => Edit::SetCollection(collection(&json["kind"])),
            other => panic!("operation {other}"),
        }
    }

    fn state(&self, json: &Json) -> Visible {
        let classes = json.as_object().unwrap().iter();
        classes
            .map(|(name, objects)| {
                let class = self.class(name);
                let object = |json: &Json| {
                    let fields = self.fields(class, json);
                    (self.key(name, &json[&*class.primary_key]), fields)
                };
                (name.as_str().into(), items(objects).iter().map(object).collect())
            })
            .collect()
    }

    fn fields(&self, class: &ClassSchema, json: &Json) -> BTreeMap<Name, Content> {
        let properties = json.as_object().unwrap().iter();
        properties
            .map(|(field, json)| {
                let place = Place::of(&self.schema, class.property(field).unwrap());
                (field.as_str().into(), self.content(place, json))
            })
            .collect()
    }

    fn content(&self, place: Place<'_>, json: &Json) -> Content {
        match place {
            Place::Single(kind) => self.single(kind, json),
            Place::Collection(CollectionType::Dictionary, kind) => {
                let fields = json.as_object().unwrap().iter();
                let fields: Fields =
                    fields.map(|(key, v)| (key.as_str().into(), self.single(kind, v))).collect();
                Content::Dictionary(fields)
            }
            Place::Collection(CollectionType::Set, kind) => {
                let values = items(json).iter().map(|json| self.value(kind.ty, json));
                Content::Set(values.collect::<ValueSet>())
            }
            Place::Collection(_, kind) => {
                Content::List(items(json).iter().map(|json| self.single(kind, json)).collect())
            }
        }
    }

    fn single(&self, kind: Kind<'_>, json: &Json) -> Content {
        if let (Some(class), Json::Object(_)) = (kind.embedded, json) {
            return Content::Object(self.fields(class, json));
        }
        let is_tagged = |object: &serde_json::Map<String, Json>| {
            object.keys().next().is_some_and(|key| key.starts_with('$'))
        };
        match json {
            Json::Array(elements) => {
                Content::List(elements.iter().map(|json| self.single(kind, json)).collect())
            }
            Json::Object(object) if !is_tagged(object) => Content::Dictionary(
                object.iter().map(|(k, v)| (k.as_str().into(), self.single(kind, v))).collect(),
            ),
            json => Content::Value(self.value(kind.ty, json)),
        }
    }
}

fn collection(json: &Json) -> CollectionType {
    match text(json) {
        "list" => CollectionType::List,
        "dictionary" => CollectionType::Dictionary,
        other => panic!("kind of collection {other}"),
    }
}

fn path(object: ObjectRef, json: &Json) -> Path {
    let (field, elements) = items(json).split_first().unwrap();
    let element = |json: &Json| match json {
        Json::String(key) => PathElement::Key(key.as_str().into()),
        json => PathElement::Index(index(json)),
    };
    Path::new(object, text(field), elements.iter().map(element).collect::<Vec<_>>())
}
