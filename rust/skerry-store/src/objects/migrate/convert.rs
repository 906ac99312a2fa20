//! What a property held, as what it holds after a migration.
//!
//! Invariant: a value of a compatible type is kept; everything else becomes the zero of its new type.
//! Compatible are equal types, and those that hold every value of the old one: an int as a double or
//! decimal, a float as a double, any value as a mixed, what is not nullable as nullable. (An int beyond
//! 2^53 is rounded to the nearest double, as `float` does in Python.)

use std::cell::Cell;
use std::collections::BTreeMap;

use skerry_model::content::{Fields, Kind, Place};
use skerry_model::{
    CollectionType, Content, Decimal128, Link, Name, ObjectKey, Property, PropertyType, Value,
};

use super::lineage::Lineage;

/// Turns contents of the old schema into contents of the new one.
pub(super) struct Converter<'m> {
    pub(super) lineage: &'m Lineage,
    pub(super) keys: &'m BTreeMap<Name, BTreeMap<ObjectKey, ObjectKey>>,
    /// Set when a null was met where there may be none.
    pub(super) has_lost_null: &'m Cell<bool>,
}

impl Converter<'_> {
    pub(super) fn property(&self, from: &Property, to: &Property, content: Content) -> Content {
        if from.collection != to.collection {
            return to.zero();
        }
        let (before, after) = (&self.lineage.before, &self.lineage.after);
        let from_kind = kind_of(Place::of(before, from));
        let to_kind = kind_of(Place::of(after, to));
        let single = |content| self.single(from_kind, to_kind, content);
        match (content, to.collection) {
            (Content::List(elements), CollectionType::List) => {
                Content::List(elements.into_iter().filter_map(single).collect())
            }
            (Content::Set(set), CollectionType::Set) => {
                let values = set.iter().cloned().map(Content::Value).filter_map(single);
                let values = values.filter_map(|content| content.as_value().cloned());
                Content::Set(values.collect())
            }
            (Content::Dictionary(fields), CollectionType::Dictionary) => {
                let fields = fields.into_iter();
                Content::Dictionary(
                    fields.filter_map(|(key, field)| Some((key, single(field)?))).collect(),
                )
            }
            (content, CollectionType::Single) => single(content).unwrap_or_else(|| to.zero()),
            (_, CollectionType::List | CollectionType::Set | CollectionType::Dictionary) => {
                to.zero()
            }
        }
    }

    /// `None` when nothing of it can stay.
    fn single(&self, from: Kind<'_>, to: Kind<'_>, content: Content) -> Option<Content> {
        if content.is_null() {
            if !to.nullable && is_compatible(from, to) {
                self.has_lost_null.set(true);
            }
            return to.nullable.then_some(Content::NULL);
        }
        if let (Some(before), Some(after)) = (from.embedded, to.embedded) {
            let Content::Object(fields) = content else { return None };
            let is_same = self.lineage.origin(&after.name) == Some(before);
            return is_same.then(|| Content::Object(self.object(&after.name, fields)));
        }
        if from.embedded.is_some() || to.embedded.is_some() || !is_compatible(from, to) {
            return None;
        }
        match (to.ty, content) {
            (PropertyType::Mixed, content) => Some(self.mixed(content)),
            (PropertyType::Link, Content::Value(Value::Link(link))) => {
                let link = self.link(&link)?;
                (to.target == Some(&link.class)).then(|| Content::Value(link.into()))
            }
            (PropertyType::Double, Content::Value(Value::Int(int))) => {
                Some(Value::Double(nearest(int)).into())
            }
            (PropertyType::Double, Content::Value(Value::Float(float))) => {
                Some(Value::Double(f64::from(float)).into())
            }
            (PropertyType::Decimal, Content::Value(Value::Int(int))) => {
                Some(Value::Decimal(Decimal128::from(int)).into())
            }
            (_, content) => Some(content),
        }
    }

    /// An embedded object of a class that had another definition.
    fn object(&self, class: &Name, mut fields: Fields) -> Fields {
        let after = self.lineage.after.class(class).expect("a class of the new schema");
        let converted = after.properties.iter().map(|to| {
            let from = self.lineage.origin_of(class, &to.name);
            let held = from.and_then(|from| Some((from, fields.remove(&from.name)?)));
            let content = match held {
                Some((from, content)) => self.property(from, to, content),
                None => to.zero(),
            };
            (to.name.clone(), content)
        });
        converted.collect()
    }

    /// Links inside a mixed, at whatever depth.
    fn mixed(&self, content: Content) -> Content {
        match content {
            Content::Value(Value::Link(link)) => {
                self.link(&link).map_or(Content::NULL, |link| Content::Value(link.into()))
            }
            Content::List(elements) => {
                Content::List(elements.into_iter().map(|one| self.mixed(one)).collect())
            }
            Content::Dictionary(fields) => {
                let fields = fields.into_iter().map(|(key, field)| (key, self.mixed(field)));
                Content::Dictionary(fields.collect())
            }
            content @ (Content::Value(_) | Content::Set(_) | Content::Object(_)) => content,
        }
    }

    /// The same target under its new name and key; `None` when there can be none.
    fn link(&self, link: &Link) -> Option<Link> {
        let class = self.lineage.successor(&link.class)?;
        let after = self.lineage.after.class(class).filter(|class| !class.embedded)?;
        let key = self.keys.get(class).and_then(|keys| keys.get(&link.key)).unwrap_or(&link.key);
        after.key_kind().check(key).ok()?;
        Some(Link { class: class.clone(), key: key.clone() })
    }
}

fn kind_of(place: Place<'_>) -> Kind<'_> {
    match place {
        Place::Single(kind) | Place::Collection(_, kind) => kind,
    }
}

/// Whether values of the one type are, or can become, values of the other.
fn is_compatible(from: Kind<'_>, to: Kind<'_>) -> bool {
    use PropertyType::{Decimal, Double, Float, Int, Mixed};
    matches!((from.ty, to.ty), (_, Mixed) | (Int, Double | Decimal) | (Float, Double))
        || from.ty == to.ty
}

#[expect(clippy::cast_precision_loss, reason = "rounding is what is said above")]
fn nearest(int: i64) -> f64 {
    int as f64
}
