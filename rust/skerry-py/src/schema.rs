//! The description of a schema that Python hands in, as JSON.
//!
//! Form: a list of `{"name", "primary_key", "properties": [{"name", "type", "nullable",
//! "target"?}]}`, types named as `skerry_model::PropertyType::name` says. What contradicts itself
//! beyond the form is refused by the model.

use serde_json::Value as Json;
use skerry_model::{ClassSchema, Property, PropertyType, Schema};

use crate::errors::CoreError;

/// Reads a description.
pub(crate) fn parse(json: &str) -> Result<Schema, CoreError> {
    let json: Json =
        serde_json::from_str(json).map_err(|error| CoreError::BadSchema(error.to_string()))?;
    let classes = items(&json, "the description")?;
    let classes = classes.iter().map(class).collect::<Result<Vec<_>, _>>()?;
    Ok(Schema::new(classes)?)
}

fn class(json: &Json) -> Result<ClassSchema, CoreError> {
    let name = text(json, "name")?;
    let properties = items(&json["properties"], name)?;
    Ok(ClassSchema {
        embedded: false,
        name: name.into(),
        primary_key: text(json, "primary_key")?.into(),
        properties: properties.iter().map(property).collect::<Result<_, _>>()?,
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
    Ok(Property { target, ..Property::scalar(name, ty, nullable) })
}

fn items<'a>(json: &'a Json, of: &str) -> Result<&'a [Json], CoreError> {
    let items = json.as_array().map(Vec::as_slice);
    items.ok_or_else(|| CoreError::BadSchema(format!("{of}: a list is missing")))
}

fn text<'a>(json: &'a Json, member: &str) -> Result<&'a str, CoreError> {
    let text = json[member].as_str();
    text.ok_or_else(|| CoreError::BadSchema(format!("member \"{member}\" is missing or no text")))
}
