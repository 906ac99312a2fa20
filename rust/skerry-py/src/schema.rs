//! The description of a schema that Python hands in, as JSON.
//!
//! Form: a list of `{"name", "alias"?, "primary_key"?, "embedded"?, "properties": [{"name", "alias"?,
//! "type", "nullable", "target"?, "collection"?, "indexed"?}]}`, types named as
//! `skerry_model::PropertyType::name` says, collections as `skerry_model::CollectionType::name`,
//! indexes `general` and `fulltext`. Embedded classes have no primary key. What contradicts itself
//! beyond the form is refused by the model.

use serde_json::Value as Json;
use skerry_model::{ClassSchema, CollectionType, IndexKind, Property, PropertyType, Schema};

use crate::errors::CoreError;

/// Reads a description.
pub(crate) fn parse(json: &str) -> Result<Schema, CoreError> {
    let json: Json =
        serde_json::from_str(json).map_err(|error| CoreError::BadSchema(error.to_string()))?;
    let described = items(&json, "the description")?;
    let classes = described.iter().map(class).collect::<Result<Vec<_>, _>>()?;
    let mut schema = Schema::new(classes)?;
    for class in described {
        let name = text(class, "name")?;
        if let Some(alias) = alias(class)? {
            schema = schema.with_class_alias(name, alias)?;
        }
        for property in items(&class["properties"], name)? {
            if let Some(alias) = alias(property)? {
                schema = schema.with_property_alias(name, text(property, "name")?, alias)?;
            }
            if let Some(kind) = index(property)? {
                schema = schema.with_index(name, text(property, "name")?, kind)?;
            }
        }
    }
    Ok(schema)
}

fn alias(json: &Json) -> Result<Option<&str>, CoreError> {
    if json["alias"].is_null() { Ok(None) } else { text(json, "alias").map(Some) }
}

/// A class: name, primary key unless it is embedded, names of its properties in the order of values.
pub(crate) type Described = (String, Option<String>, Vec<String>);

/// The classes, by name.
pub(crate) fn describe(schema: &Schema) -> Vec<Described> {
    let classes = schema.classes().map(|class| {
        let key = (!class.embedded).then(|| class.primary_key.to_string());
        let properties = class.properties.iter().map(|property| property.name.to_string());
        (class.name.to_string(), key, properties.collect())
    });
    classes.collect()
}

fn index(property: &Json) -> Result<Option<IndexKind>, CoreError> {
    let name = text(property, "name")?;
    match &property["indexed"] {
        Json::Null => Ok(None),
        Json::String(kind) if kind == "general" => Ok(Some(IndexKind::General)),
        Json::String(kind) if kind == "fulltext" => Ok(Some(IndexKind::FullText)),
        other => {
            Err(CoreError::BadSchema(format!("property \"{name}\" has an unknown index, {other}")))
        }
    }
}

fn class(json: &Json) -> Result<ClassSchema, CoreError> {
    let name = text(json, "name")?;
    let properties = items(&json["properties"], name)?;
    let embedded = match &json["embedded"] {
        Json::Null => false,
        Json::Bool(embedded) => *embedded,
        _ => {
            let reason = format!("class \"{name}\": embedded is true or false");
            return Err(CoreError::BadSchema(reason));
        }
    };
    let primary_key = match &json["primary_key"] {
        Json::Null if embedded => "",
        _ => text(json, "primary_key")?,
    };
    Ok(ClassSchema {
        name: name.into(),
        primary_key: primary_key.into(),
        properties: properties.iter().map(property).collect::<Result<_, _>>()?,
        embedded,
    })
}

fn property(json: &Json) -> Result<Property, CoreError> {
    let name = text(json, "name")?;
    let ty = text(json, "type")?;
    let Some(ty) = PropertyType::from_name(ty) else {
        return Err(CoreError::BadSchema(format!("property \"{name}\" has unknown type \"{ty}\"")));
    };
    let Some(nullable) = json["nullable"].as_bool() else {
        return Err(CoreError::BadSchema(format!(
            "property \"{name}\": nullable is true or false"
        )));
    };
    let target = match &json["target"] {
        Json::Null => None,
        _ => Some(text(json, "target")?.into()),
    };
    Ok(Property { name: name.into(), ty, nullable, collection: collection(json, name)?, target })
}

fn collection(json: &Json, name: &str) -> Result<CollectionType, CoreError> {
    if json["collection"].is_null() {
        return Ok(CollectionType::Single);
    }
    let word = text(json, "collection")?;
    let kind = CollectionType::from_name(word).filter(|kind| *kind != CollectionType::Single);
    let unknown = || format!("property \"{name}\" is an unknown collection, \"{word}\"");
    kind.ok_or_else(|| CoreError::BadSchema(unknown()))
}

fn items<'a>(json: &'a Json, of: &str) -> Result<&'a [Json], CoreError> {
    let items = json.as_array().map(Vec::as_slice);
    items.ok_or_else(|| CoreError::BadSchema(format!("{of}: a list is missing")))
}

fn text<'a>(json: &'a Json, member: &str) -> Result<&'a str, CoreError> {
    let text = json[member].as_str();
    text.ok_or_else(|| CoreError::BadSchema(format!("member \"{member}\" is missing or no text")))
}
