//! Instructions from their description in JSON, as the golden vectors have them.

use serde_json::Value as Json;
use skerry_model::{
    Changeset, CollectionType, Instruction, Name, ObjectId, ObjectKey, ObjectRef, Path,
    PathElement, Payload, PropertyType, TableKind, Timestamp, UpdateSide, Uuid, Value,
};

pub(crate) fn changeset(instructions: &Json) -> Changeset {
    let instructions = instructions.as_array().unwrap();
    Changeset { instructions: instructions.iter().map(instruction).collect() }
}

pub(crate) fn bytes(hex: &Json) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn instruction(json: &Json) -> Instruction {
    let class = || name(&json["class"]);
    let field = || name(&json["field"]);
    let path = || path(json);
    let prior_size = || uint32(&json["prior_size"]);
    match json["instruction"].as_str().unwrap() {
        "AddTable" => Instruction::AddTable { class: class(), kind: table_kind(json) },
        "EraseTable" => Instruction::EraseTable { class: class() },
        "CreateObject" => Instruction::CreateObject { object: object(json) },
        "EraseObject" => Instruction::EraseObject { object: object(json) },
        "Update" => Instruction::Update {
            path: path(),
            value: payload(&json["value"]),
            side: match json.get("is_default") {
                Some(is_default) => UpdateSide::IsDefault(is_default.as_bool().unwrap()),
                None => UpdateSide::prior_size(prior_size()),
            },
        },
        "AddInteger" => {
            Instruction::AddInteger { path: path(), value: json["value"].as_i64().unwrap() }
        }
        "AddColumn" => Instruction::AddColumn {
            class: class(),
            field: field(),
            ty: property_type(&json["type"]),
            nullable: json["nullable"].as_bool().unwrap(),
            collection: collection(json),
            target: Some(&json["target"])
                .filter(|target| !target.is_null())
                .map(name)
                .map(Box::new),
            key_type: Some(&json["key_type"]).filter(|ty| !ty.is_null()).map(property_type),
        },
        "EraseColumn" => Instruction::EraseColumn { class: class(), field: field() },
        "ArrayInsert" => Instruction::ArrayInsert {
            path: path(),
            value: payload(&json["value"]),
            prior_size: prior_size(),
        },
        "ArrayMove" => Instruction::ArrayMove {
            path: path(),
            to: uint32(&json["to"]),
            prior_size: prior_size(),
        },
        "ArrayErase" => Instruction::ArrayErase { path: path(), prior_size: prior_size() },
        "Clear" => Instruction::Clear { path: path(), collection: collection(json) },
        "SetInsert" => Instruction::SetInsert { path: path(), value: value(&json["value"]) },
        "SetErase" => Instruction::SetErase { path: path(), value: value(&json["value"]) },
        other => panic!("the vectors name an unknown instruction {other}"),
    }
}

fn table_kind(json: &Json) -> TableKind {
    let kind = json["kind"].as_str().unwrap();
    if kind == "embedded" {
        return TableKind::Embedded;
    }
    TableKind::TopLevel {
        pk_field: name(&json["pk_field"]),
        pk_type: property_type(&json["pk_type"]),
        pk_nullable: json["pk_nullable"].as_bool().unwrap(),
        asymmetric: kind == "asymmetric",
    }
}

fn name(json: &Json) -> Name {
    Name::from(json.as_str().unwrap())
}

fn uint32(json: &Json) -> u32 {
    u32::try_from(json.as_u64().unwrap()).unwrap()
}

fn property_type(json: &Json) -> PropertyType {
    PropertyType::from_name(json.as_str().unwrap()).unwrap()
}

fn collection(json: &Json) -> CollectionType {
    match json["collection"].as_str().unwrap() {
        "single" => CollectionType::Single,
        "list" => CollectionType::List,
        "dictionary" => CollectionType::Dictionary,
        "set" => CollectionType::Set,
        other => panic!("the vectors name an unknown collection {other}"),
    }
}

fn object(json: &Json) -> ObjectRef {
    ObjectRef { class: name(&json["class"]), key: key(&json["key"]) }
}

fn path(json: &Json) -> Path {
    let element = |element: &Json| match element {
        Json::String(text) => PathElement::Key(text.as_str().into()),
        index => PathElement::Index(uint32(index)),
    };
    let elements: Vec<_> = json["path"].as_array().unwrap().iter().map(element).collect();
    Path::new(object(json), name(&json["field"]), elements)
}

/// The only member of an object: kind and content.
fn tagged(json: &Json) -> (&str, &Json) {
    let members = json.as_object().unwrap();
    assert_eq!(members.len(), 1);
    let (kind, content) = members.iter().next().unwrap();
    (kind, content)
}

fn array<const N: usize>(hex: &Json) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn key(json: &Json) -> ObjectKey {
    let (kind, content) = tagged(json);
    if kind == "globalKey" {
        let half = |at: usize| content[at].as_u64().unwrap();
        return ObjectKey::GlobalKey { hi: half(0), lo: half(1) };
    }
    ObjectKey::from_value(&value(json)).unwrap()
}

fn payload(json: &Json) -> Payload {
    match tagged(json) {
        ("mark", mark) => match mark.as_str().unwrap() {
            "ObjectValue" => Payload::ObjectValue,
            "Dictionary" => Payload::Dictionary,
            "Erased" => Payload::Erased,
            "List" => Payload::List,
            other => panic!("the vectors name an unknown mark {other}"),
        },
        _ => Payload::Value(value(json)),
    }
}

fn value(json: &Json) -> Value {
    let (kind, content) = tagged(json);
    match kind {
        "null" => Value::Null,
        "int" => Value::Int(content.as_i64().unwrap()),
        "bool" => Value::Bool(content.as_bool().unwrap()),
        "string" => Value::string(content.as_str().unwrap()),
        "binary" => Value::binary(bytes(content)),
        "timestamp" => {
            let nanoseconds = i32::try_from(content[1].as_i64().unwrap()).unwrap();
            Value::Timestamp(Timestamp::new(content[0].as_i64().unwrap(), nanoseconds).unwrap())
        }
        "float" => Value::Float(f32::from_be_bytes(array(content))),
        "double" => Value::Double(f64::from_be_bytes(array(content))),
        "decimal" => Value::Decimal(content.as_str().unwrap().parse().unwrap()),
        "link" => Value::link(name(&content["class"]), key(&content["key"])),
        "objectId" => Value::ObjectId(ObjectId(array(content))),
        "uuid" => Value::Uuid(Uuid::parse(content.as_str().unwrap()).unwrap()),
        other => panic!("the vectors name an unknown kind of value {other}"),
    }
}
