//! Classes that the server defines: from `schema.json` and `relationships.json` (server 9.1, 9.2).

use serde_json::{Map, Value as Json};
use skerry_model::{
    ClassSchema, CollectionType, Instruction, Name, Property, PropertyType, Schema, TableKind,
};

use super::ConfigError;

/// Reads the schemas of all collections that have one.
pub(super) fn parse(collections: &[Json]) -> Result<Schema, ConfigError> {
    let classes = collections
        .iter()
        .enumerate()
        .filter(|(_, collection)| collection["schema"].is_object())
        .map(|(i, collection)| class(collection, collections, &format!("collections[{i}]")))
        .collect::<Result<Vec<_>, _>>()?;
    Schema::new(classes).map_err(|error| ConfigError::from(("collections".to_owned(), error)))
}

fn class(collection: &Json, all: &[Json], path: &str) -> Result<ClassSchema, ConfigError> {
    let schema = &collection["schema"];
    let at = |key: &str| format!("{path}.schema.{key}");
    let name = collection["class"].as_str().unwrap_or_default();
    let Json::Object(properties) = &schema["properties"] else {
        return Err(ConfigError::new(&at("properties"), "takes an object"));
    };
    let required: Vec<&str> = match &schema["required"] {
        Json::Null => Vec::new(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => return Err(ConfigError::new(&at("required"), "takes an array of names")),
    };
    let properties = properties
        .iter()
        .map(|(field, json)| {
            let path = at(&format!("properties.{field}"));
            let nullable = !required.contains(&field.as_str());
            match collection["relationships"].get(field) {
                Some(relationship) => link(field, relationship, all, &path),
                None => scalar(field, json, nullable, &path),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ClassSchema { embedded: false, name: name.into(), primary_key: "_id".into(), properties })
}

fn scalar(field: &str, json: &Json, nullable: bool, path: &str) -> Result<Property, ConfigError> {
    let bson = json["bsonType"].as_str().unwrap_or_default();
    let ty = match bson {
        "bool" => PropertyType::Bool,
        "int" | "long" => PropertyType::Int,
        "double" => PropertyType::Double,
        "string" => PropertyType::String,
        "binData" => PropertyType::Binary,
        "date" => PropertyType::Timestamp,
        "decimal" => PropertyType::Decimal,
        "objectId" => PropertyType::ObjectId,
        "uuid" => PropertyType::Uuid,
        "array" | "object" | "mixed" | "float" => {
            return Err(ConfigError::new(
                path,
                format!("bsonType \"{bson}\" is not supported yet"),
            ));
        }
        _ => return Err(ConfigError::new(path, format!("unknown bsonType \"{bson}\""))),
    };
    Ok(Property::scalar(field, ty, nullable))
}

/// `ref` is `#/relationship/<service>/<database>/<collection>`.
fn link(
    field: &str,
    relationship: &Json,
    all: &[Json],
    path: &str,
) -> Result<Property, ConfigError> {
    let no_list = Map::new();
    let object = relationship.as_object().unwrap_or(&no_list);
    if object.get("is_list") == Some(&Json::Bool(true)) {
        return Err(ConfigError::new(path, "lists of links are not supported yet"));
    }
    let reference = object.get("ref").and_then(Json::as_str).unwrap_or_default();
    let mut parts = reference.rsplit('/');
    let (collection, database) = (parts.next(), parts.next());
    let target = all.iter().find(|candidate| {
        candidate["collection"].as_str() == collection && candidate["database"].as_str() == database
    });
    match target.and_then(|target| target["class"].as_str()) {
        Some(class) => Ok(Property::link(field, class)),
        None => Err(ConfigError::new(path, format!("relationship to unknown \"{reference}\""))),
    }
}

/// The instructions that make the classes of a schema: all tables first, so that links find their target.
pub(super) fn instructions(schema: &Schema) -> Vec<Instruction> {
    let tables = schema.classes().map(|class| {
        let key = class.primary_key_property();
        Instruction::AddTable {
            class: class.name.clone(),
            kind: TableKind::TopLevel {
                pk_field: key.name.clone(),
                pk_type: key.ty,
                pk_nullable: key.nullable,
                asymmetric: false,
            },
        }
    });
    let columns = schema.classes().flat_map(|class| {
        let columns = class.properties.iter().filter(|property| property.name != class.primary_key);
        columns.map(|property| add_column(&class.name, property))
    });
    tables.chain(columns).collect()
}

fn add_column(class: &Name, property: &Property) -> Instruction {
    Instruction::AddColumn {
        class: class.clone(),
        field: property.name.clone(),
        ty: property.ty,
        nullable: property.nullable,
        collection: property.collection,
        target: property.target.clone(),
        key_type: (property.collection == CollectionType::Dictionary)
            .then_some(PropertyType::String),
    }
}
