//! What an application gives, as what a place holds.
//!
//! An application has one kind of mapping, one of sequence and one of float. Which of ours each is
//! says the schema.

use super::kind::{Kind, Place};
use super::{Content, Fields, Misfit, ValueSet};
use crate::limits::PATH_ELEMENTS_MAX;
use crate::{CollectionType, Name, PropertyType, Schema, Value};

/// Where a content is fitted, and what of it is named in errors.
struct Fitting<'s> {
    schema: &'s Schema,
    property: &'s Name,
}

impl Content {
    /// This content as `place` holds it: a dictionary is an embedded object where the schema has
    /// one, a list a set, a double or int a float. A list of a set property drops equal elements. An
    /// embedded object has only the properties that are given.
    ///
    /// # Errors
    ///
    /// [`Misfit`] naming `property`, or the property of the embedded object, when the place cannot
    /// hold it.
    pub fn fitted(
        self,
        schema: &Schema,
        place: Place<'_>,
        property: &Name,
    ) -> Result<Self, Misfit> {
        Fitting { schema, property }.place(place, self, 0)
    }

    /// Whether a place holds what was given for it: of embedded objects only the properties that
    /// are given count.
    pub fn holds(&self, given: &Self) -> bool {
        match (self, given) {
            (Self::Object(held), Self::Object(given)) => given
                .iter()
                .all(|(name, field)| held.get(name).is_some_and(|held| held.holds(field))),
            (Self::List(held), Self::List(given)) => {
                held.len() == given.len()
                    && held.iter().zip(given).all(|(held, given)| held.holds(given))
            }
            (Self::Dictionary(held), Self::Dictionary(given)) => {
                held.len() == given.len()
                    && held
                        .iter()
                        .zip(given)
                        .all(|((left, held), (right, given))| left == right && held.holds(given))
            }
            _ => self == given,
        }
    }
}

impl Fitting<'_> {
    fn place(&self, place: Place<'_>, content: Content, depth: usize) -> Result<Content, Misfit> {
        if depth > PATH_ELEMENTS_MAX {
            return Err(Misfit::PathTooDeep { property: self.property.clone() });
        }
        let (collection, kind) = match place {
            Place::Single(kind) => return self.single(kind, content, depth),
            Place::Collection(collection, kind) => (collection, kind),
        };
        match (collection, content) {
            (CollectionType::List, Content::List(elements)) => self.list(kind, elements, depth),
            (CollectionType::Set, Content::List(elements)) => {
                let values = elements.into_iter().map(|element| match element {
                    Content::Value(value) => self.value(kind, value),
                    other => Err(self.wrong(&other)),
                });
                Ok(Content::Set(values.collect::<Result<_, _>>()?))
            }
            (CollectionType::Set, Content::Set(set)) => {
                let values = set.iter().map(|value| self.value(kind, value.clone()));
                Ok(Content::Set(values.collect::<Result<ValueSet, _>>()?))
            }
            (CollectionType::Dictionary, Content::Dictionary(fields)) => {
                self.dictionary(kind, fields, depth)
            }
            (_, content) if content.is_null() => {
                Err(Misfit::NotNullable { property: self.property.clone() })
            }
            (_, content) => Err(self.wrong(&content)),
        }
    }

    fn single(&self, kind: Kind<'_>, content: Content, depth: usize) -> Result<Content, Misfit> {
        match content {
            Content::Value(value) if kind.embedded.is_some() && value != Value::Null => {
                Err(self.wrong(&Content::Value(value)))
            }
            Content::Value(value) => Ok(Content::Value(self.value(kind, value)?)),
            Content::Dictionary(fields) | Content::Object(fields) if kind.embedded.is_some() => {
                self.object(kind, fields, depth)
            }
            Content::List(elements) if kind.ty == PropertyType::Mixed => {
                self.list(Kind::MIXED, elements, depth)
            }
            Content::Dictionary(fields) if kind.ty == PropertyType::Mixed => {
                self.dictionary(Kind::MIXED, fields, depth)
            }
            other => Err(self.wrong(&other)),
        }
    }

    fn list(&self, kind: Kind<'_>, list: Vec<Content>, depth: usize) -> Result<Content, Misfit> {
        let fitted = list.into_iter().map(|one| self.place(Place::Single(kind), one, depth + 1));
        Ok(Content::List(fitted.collect::<Result<_, _>>()?))
    }

    fn dictionary(&self, kind: Kind<'_>, fields: Fields, depth: usize) -> Result<Content, Misfit> {
        let fitted = fields
            .into_iter()
            .map(|(key, field)| Ok((key, self.place(Place::Single(kind), field, depth + 1)?)));
        Ok(Content::Dictionary(fitted.collect::<Result<_, _>>()?))
    }

    fn object(&self, kind: Kind<'_>, fields: Fields, depth: usize) -> Result<Content, Misfit> {
        let fitted = fields.into_iter().map(|(name, field)| {
            let property = kind.embedded.and_then(|class| class.property(&name));
            let missing = || Misfit::NoSuchProperty { property: name.clone() };
            let property = property.ok_or_else(missing)?;
            let inner = Fitting { schema: self.schema, property: &property.name };
            let place = Place::of(self.schema, property);
            Ok((name.clone(), inner.place(place, field, depth + 1)?))
        });
        Ok(Content::Object(fitted.collect::<Result<_, _>>()?))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a float is what the place holds")]
    #[expect(clippy::cast_precision_loss, reason = "as where an application computes with both")]
    fn value(&self, kind: Kind<'_>, value: Value) -> Result<Value, Misfit> {
        let value = match (kind.ty, value) {
            (PropertyType::Float, Value::Double(double)) => Value::Float(double as f32),
            (PropertyType::Float, Value::Int(int)) => Value::Float(int as f32),
            (PropertyType::Double, Value::Int(int)) => Value::Double(int as f64),
            (_, value) => value,
        };
        kind.check(self.schema, self.property, &value)?;
        Ok(value)
    }

    fn wrong(&self, content: &Content) -> Misfit {
        let payload = match content {
            Content::Value(value) => value.kind_name(),
            Content::List(_) => "a list",
            Content::Set(_) => "a set",
            Content::Dictionary(_) => "a dictionary",
            Content::Object(_) => "an embedded object",
        };
        Misfit::WrongPayload { property: self.property.clone(), payload }
    }
}
