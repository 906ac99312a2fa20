//! Types of places, and the way of a path through them.

use super::{Content, Fields, Misfit};
use crate::limits::VALUE_MAX_BYTES;
use crate::{
    ClassSchema, CollectionType, Link, Name, Path, PathElement, Property, PropertyType, Schema,
    Value,
};

/// The type of a single value.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'s> {
    /// Type of the value.
    pub ty: PropertyType,
    /// Whether null is a value.
    pub nullable: bool,
    /// Class of a link's target.
    pub target: Option<&'s Name>,
    /// The class of the embedded object that is here, when it is one.
    pub embedded: Option<&'s ClassSchema>,
}

/// What a place is by the schema.
#[derive(Clone, Copy, Debug)]
pub enum Place<'s> {
    /// A collection property, with the type of its elements.
    Collection(CollectionType, Kind<'s>),
    /// A single value; a mixed may hold a collection.
    Single(Kind<'s>),
}

impl Kind<'_> {
    /// The type of what is inside a mixed.
    pub const MIXED: Self =
        Self { ty: PropertyType::Mixed, nullable: true, target: None, embedded: None };

    /// Checks that a place of this type can hold the value; `property` is named in the error.
    pub fn check(&self, schema: &Schema, property: &Name, value: &Value) -> Result<(), Misfit> {
        let mismatch = || Misfit::TypeMismatch {
            property: property.clone(),
            expected: self.ty,
            found: value.kind_name(),
        };
        let (fits, actual_bytes) = match (self.ty, value) {
            (_, Value::Null) if self.nullable => return Ok(()),
            (_, Value::Null) => return Err(Misfit::NotNullable { property: property.clone() }),
            (PropertyType::Link | PropertyType::Mixed, Value::Link(link)) => {
                return self.check_link(schema, property, link);
            }
            (PropertyType::String | PropertyType::Mixed, Value::String(text)) => (true, text.len()),
            (PropertyType::Binary | PropertyType::Mixed, Value::Binary(bytes)) => {
                (true, bytes.len())
            }
            (PropertyType::Mixed, _)
            | (PropertyType::Int, Value::Int(_))
            | (PropertyType::Bool, Value::Bool(_))
            | (PropertyType::Timestamp, Value::Timestamp(_))
            | (PropertyType::Float, Value::Float(_))
            | (PropertyType::Double, Value::Double(_))
            | (PropertyType::Decimal, Value::Decimal(_))
            | (PropertyType::ObjectId, Value::ObjectId(_))
            | (PropertyType::Uuid, Value::Uuid(_)) => (true, 0),
            _ => (false, 0),
        };
        if !fits {
            return Err(mismatch());
        }
        if actual_bytes > VALUE_MAX_BYTES {
            let (property, max_bytes) = (property.clone(), VALUE_MAX_BYTES);
            return Err(Misfit::TooLarge { property, actual_bytes, max_bytes });
        }
        Ok(())
    }

    fn check_link(&self, schema: &Schema, property: &Name, link: &Link) -> Result<(), Misfit> {
        if let Some(expected) = self.target.filter(|target| **target != link.class) {
            let (expected, found) = (expected.clone(), link.class.clone());
            return Err(Misfit::WrongLinkTarget { property: property.clone(), expected, found });
        }
        if let Some(class) = schema.class(&link.class).filter(|class| !class.embedded) {
            return class.key_kind().check(&link.key);
        }
        let (property, target) = (property.clone(), link.class.clone());
        Err(Misfit::NoSuchTarget { property, target })
    }
}

impl<'s> Place<'s> {
    /// The place of a property.
    pub fn of(schema: &'s Schema, property: &'s Property) -> Self {
        let target = property.target.as_ref();
        let class = target.and_then(|target| schema.class(target));
        let kind = Kind {
            ty: property.ty,
            nullable: property.nullable,
            target,
            embedded: class.filter(|class| class.embedded),
        };
        match property.collection {
            CollectionType::Single => Self::Single(kind),
            collection => Self::Collection(collection, kind),
        }
    }

    /// The elements when the place holds a list, with their type.
    pub(super) fn list<'c>(
        self,
        content: &'c mut Content,
    ) -> Option<(&'c mut Vec<Content>, Kind<'s>)> {
        match (self, content) {
            (Self::Collection(CollectionType::List, kind), Content::List(list)) => {
                Some((list, kind))
            }
            (Self::Single(kind), Content::List(list)) if kind.ty == PropertyType::Mixed => {
                Some((list, Kind::MIXED))
            }
            _ => None,
        }
    }

    /// The values when the place holds a dictionary, with their type.
    pub(super) fn dictionary<'c>(
        self,
        content: &'c mut Content,
    ) -> Option<(&'c mut Fields, Kind<'s>)> {
        match (self, content) {
            (Self::Collection(CollectionType::Dictionary, kind), Content::Dictionary(fields)) => {
                Some((fields, kind))
            }
            (Self::Single(kind), Content::Dictionary(fields)) if kind.ty == PropertyType::Mixed => {
                Some((fields, Kind::MIXED))
            }
            _ => None,
        }
    }

    /// The type of the elements of the list or values of the dictionary that may be here.
    pub fn element(self) -> Option<Kind<'s>> {
        match self {
            Self::Collection(_, kind) => Some(kind),
            Self::Single(kind) => (kind.ty == PropertyType::Mixed).then_some(Kind::MIXED),
        }
    }

    /// Goes one step down.
    fn step<'c>(
        self,
        schema: &'s Schema,
        content: &'c mut Content,
        element: &PathElement,
        property: &Name,
    ) -> Result<(Self, &'c mut Content), Misfit> {
        let name = || property.clone();
        if let Self::Single(kind) = self
            && kind.ty == PropertyType::Link
        {
            let Some(class) = kind.embedded else {
                return Err(Misfit::ThroughLink { property: name() });
            };
            return match (content, element) {
                (Content::Object(fields), PathElement::Key(key)) => {
                    let inner = class.property(key);
                    let inner =
                        inner.ok_or_else(|| Misfit::NoSuchProperty { property: key.clone() })?;
                    let field = fields.entry(key.clone()).or_insert_with(|| inner.zero());
                    Ok((Self::of(schema, inner), field))
                }
                (_, PathElement::Key(_)) => Err(Misfit::NoEmbeddedObject { property: name() }),
                (_, PathElement::Index(_)) => Err(Misfit::PathTooDeep { property: name() }),
            };
        }
        match element {
            PathElement::Index(index) => {
                let expected = CollectionType::List;
                let (list, kind) = self
                    .list(content)
                    .ok_or_else(|| Misfit::NotACollection { property: name(), expected })?;
                let size = list.len();
                let position = usize::try_from(*index).unwrap_or(usize::MAX);
                let element = list.get_mut(position);
                let out = Misfit::IndexOutOfRange { property: name(), index: *index, size };
                Ok((Self::Single(kind), element.ok_or(out)?))
            }
            PathElement::Key(key) => {
                let expected = CollectionType::Dictionary;
                let (fields, kind) = self
                    .dictionary(content)
                    .ok_or_else(|| Misfit::NotACollection { property: name(), expected })?;
                let missing = || Misfit::NoSuchKey { property: name(), key: key.clone() };
                Ok((Self::Single(kind), fields.get_mut(key).ok_or_else(missing)?))
            }
        }
    }

    /// Goes the way of `elements` from a property, all of them.
    pub(super) fn walk<'c>(
        mut self,
        schema: &'s Schema,
        mut content: &'c mut Content,
        elements: &[PathElement],
        property: &Name,
    ) -> Result<(Self, &'c mut Content), Misfit> {
        for element in elements {
            (self, content) = self.step(schema, content, element, property)?;
        }
        Ok((self, content))
    }

    /// The place that a path of types leads to, whatever is there now; `None` where the schema
    /// has no such place.
    pub fn at(
        schema: &'s Schema,
        property: &'s Property,
        elements: &[PathElement],
    ) -> Option<Self> {
        let mut place = Self::of(schema, property);
        for element in elements {
            place = match (place, element) {
                (Self::Single(kind), PathElement::Key(key)) if kind.embedded.is_some() => {
                    Self::of(schema, kind.embedded?.property(key)?)
                }
                (Self::Single(kind), _) if kind.ty == PropertyType::Mixed => {
                    Self::Single(Kind::MIXED)
                }
                (Self::Collection(CollectionType::List, kind), PathElement::Index(_))
                | (Self::Collection(CollectionType::Dictionary, kind), PathElement::Key(_)) => {
                    Self::Single(kind)
                }
                _ => return None,
            };
        }
        Some(place)
    }
}

impl Schema {
    /// Whether the path ends at the key of a dictionary of embedded objects. There, making an
    /// embedded object replaces the one that is there; everywhere else it is "create if missing".
    pub fn is_embedded_dictionary_key(&self, path: &Path) -> bool {
        let class = self.class(&path.object.class);
        let Some(property) = class.and_then(|class| class.property(&path.field)) else {
            return false;
        };
        let Some((PathElement::Key(_), above)) = path.elements.split_last() else { return false };
        match Place::at(self, property, above) {
            Some(Place::Collection(CollectionType::Dictionary, kind)) => kind.embedded.is_some(),
            Some(Place::Collection(..) | Place::Single(_)) | None => false,
        }
    }
}
