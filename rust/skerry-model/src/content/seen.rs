//! What an application sees of a content: links to objects that are absent are null, and in lists
//! and sets of links they are not there at all (sync-engine 1.3).

use super::kind::Place;
use super::{Content, Fields};
use crate::{CollectionType, Link, Property, PropertyType, Schema, Value};

/// Tells whether the target of a link exists.
pub type Exists<'a> = dyn FnMut(&Link) -> bool + 'a;

impl Content {
    /// What an application sees of what `property` holds.
    #[must_use]
    pub fn seen(&self, schema: &Schema, property: &Property, exists: &mut Exists<'_>) -> Self {
        seen(schema, Place::of(schema, property), self, exists)
    }
}

fn seen(schema: &Schema, place: Place<'_>, content: &Content, exists: &mut Exists<'_>) -> Content {
    let (inner, hides) = match place {
        Place::Collection(collection, kind) => {
            let hides = matches!(collection, CollectionType::List | CollectionType::Set);
            (kind, hides && kind.ty == PropertyType::Link)
        }
        Place::Single(kind) => (kind, false),
    };
    let within = |content: &Content, exists: &mut Exists<'_>| {
        seen(schema, Place::Single(inner), content, exists)
    };
    match content {
        Content::Value(Value::Link(link)) if !exists(link) => Content::NULL,
        Content::Value(_) => content.clone(),
        Content::List(elements) => {
            let seen = elements.iter().map(|element| within(element, exists));
            Content::List(seen.filter(|element| !(hides && element.is_null())).collect())
        }
        Content::Set(set) => {
            let values = set.iter().filter_map(|value| match value {
                Value::Link(link) if !exists(link) => (!hides).then_some(Value::Null),
                _ => Some(value.clone()),
            });
            Content::Set(values.collect())
        }
        Content::Dictionary(fields) => Content::Dictionary(
            fields.iter().map(|(key, value)| (key.clone(), within(value, exists))).collect(),
        ),
        Content::Object(fields) => Content::Object(object(schema, inner.embedded, fields, exists)),
    }
}

fn object(
    schema: &Schema,
    class: Option<&crate::ClassSchema>,
    fields: &Fields,
    exists: &mut Exists<'_>,
) -> Fields {
    let Some(class) = class else { return fields.clone() };
    let fields = fields.iter().filter_map(|(name, content)| {
        let property = class.property(name)?;
        Some((name.clone(), seen(schema, Place::of(schema, property), content, exists)))
    });
    fields.collect()
}
