//! Whole contents from Python, for properties of any kind.
//!
//! Python says less than the store wants to know: a dict may be a dictionary or an embedded object, a
//! list a set, a float one of 32 bits. What it is says the schema; whether it fits is the store's to
//! judge.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};
use skerry_model::content::{Kind, Place};
use skerry_model::limits::PATH_ELEMENTS_MAX;
use skerry_model::{Content, Name, Property, PropertyType, Schema, Value, ValueSet};

use crate::convert;
use crate::errors::CoreError;

/// Lists, tuples, sets, dicts with keys of text, and scalars, at whatever depth.
pub(crate) fn to_content(object: &Bound<'_, PyAny>) -> PyResult<Content> {
    nested(object, 0)
}

fn nested(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Content> {
    let py = object.py();
    if depth > PATH_ELEMENTS_MAX {
        let reason = format!("nested more than {PATH_ELEMENTS_MAX} deep");
        return Err(CoreError::BadValue(reason).to_py(py));
    }
    if let Ok(fields) = object.cast::<PyDict>() {
        let fields = fields.iter().map(|(key, field)| {
            let key = key.cast::<PyString>().map_err(|_other| {
                CoreError::BadValue("keys of dictionaries are text".to_owned()).to_py(py)
            })?;
            Ok((Name::from(key.to_str()?), nested(&field, depth + 1)?))
        });
        return Ok(Content::Dictionary(fields.collect::<PyResult<_>>()?));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let elements = object.try_iter()?.map(|element| nested(&element?, depth + 1));
        return Ok(Content::List(elements.collect::<PyResult<_>>()?));
    }
    if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        let values = object.try_iter()?.map(|value| convert::to_value(&value?));
        return Ok(Content::Set(values.collect::<PyResult<_>>()?));
    }
    convert::to_value(object).map(Content::Value)
}

/// Makes of it what the property holds.
pub(crate) fn shape(schema: &Schema, property: &Property, content: Content) -> Content {
    at(schema, Place::of(schema, property), content)
}

fn at(schema: &Schema, place: Place<'_>, content: Content) -> Content {
    use skerry_model::CollectionType as Kinds;
    let (collection, kind) = match place {
        Place::Single(kind) => return single(schema, kind, content),
        Place::Collection(collection, kind) => (collection, kind),
    };
    match (collection, content) {
        (Kinds::List, Content::List(elements)) => {
            let elements = elements.into_iter();
            Content::List(elements.map(|element| single(schema, kind, element)).collect())
        }
        (Kinds::Set, Content::Set(set)) => {
            Content::Set(set.iter().map(|value| fit(kind, value.clone())).collect())
        }
        (Kinds::Set, Content::List(elements)) => to_set(kind, elements),
        (Kinds::Dictionary, Content::Dictionary(fields)) => {
            let fields = fields.into_iter();
            Content::Dictionary(
                fields.map(|(key, field)| (key, single(schema, kind, field))).collect(),
            )
        }
        (Kinds::Single | Kinds::List | Kinds::Set | Kinds::Dictionary, content) => content,
    }
}

/// A list of scalars as a set; another one stays what it is, and is refused.
fn to_set(kind: Kind<'_>, elements: Vec<Content>) -> Content {
    let values: Option<ValueSet> =
        elements.iter().map(|one| one.as_value().map(|value| fit(kind, value.clone()))).collect();
    values.map_or(Content::List(elements), Content::Set)
}

fn single(schema: &Schema, kind: Kind<'_>, content: Content) -> Content {
    match (kind.embedded, content) {
        (Some(class), Content::Dictionary(mut given)) => {
            let mut fields = class.zero_fields();
            for property in &class.properties {
                if let Some(field) = given.remove(&property.name) {
                    fields.insert(property.name.clone(), shape(schema, property, field));
                }
            }
            // What the class does not have is refused by name.
            fields.extend(given);
            Content::Object(fields)
        }
        (None, Content::Value(value)) => Content::Value(fit(kind, value)),
        (Some(_) | None, content) => content,
    }
}

fn fit(kind: Kind<'_>, value: Value) -> Value {
    match (kind.ty, value) {
        (PropertyType::Float, Value::Double(double)) => Value::Float(convert::narrow(double)),
        (_, value) => value,
    }
}
