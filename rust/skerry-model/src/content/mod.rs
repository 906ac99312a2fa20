//! What a property of an object holds: a scalar, or a collection or embedded object with all that
//! is inside it.
//!
//! The invariant: applying the same instructions to equal contents gives equal contents, and an
//! instruction that does not fit is refused by name before anything has changed (sync-engine 1.3).
//! Links are held as they are, also to objects that are absent; list positions count them
//! (sync-engine 1.3, "unresolved elements"). What an application sees of them is decided elsewhere.

mod codec;
mod edit;
mod fit;
mod kind;
mod misfit;
mod seen;
mod set_key;
mod spell;

use std::collections::BTreeMap;

pub use kind::{Kind, Place};
pub use misfit::Misfit;
pub use seen::Exists;
pub use set_key::SetKey;
pub use spell::spell;

use crate::{ClassSchema, CollectionType, Link, Name, Property, PropertyType, Value};

/// Properties by name of an embedded object, or values by key of a dictionary.
pub type Fields = BTreeMap<Name, Content>;

/// What a property, list element, dictionary value or property of an embedded object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A scalar, null or a link.
    Value(Value),
    /// A list, of a list property or of a mixed.
    List(Vec<Content>),
    /// A set.
    Set(ValueSet),
    /// A dictionary, of a dictionary property or of a mixed.
    Dictionary(Fields),
    /// An embedded object with all its properties.
    Object(Fields),
}

/// The elements of a set, each once. Numbers that are equal as numbers are one element, also when
/// their types differ, as in Realm's sets of mixed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueSet(BTreeMap<SetKey, Value>);

impl ValueSet {
    /// Puts the value in, in place of one that is equal as an element; whether it is a new element.
    pub fn insert(&mut self, value: Value) -> bool {
        self.0.insert(SetKey::of(&value), value).is_none()
    }

    /// Takes the element out that is equal to the value; whether there was one.
    pub fn remove(&mut self, value: &Value) -> bool {
        self.0.remove(&SetKey::of(value)).is_some()
    }

    /// Whether an element is equal to the value.
    pub fn contains(&self, value: &Value) -> bool {
        self.0.contains_key(&SetKey::of(value))
    }

    /// The elements, in an order that depends on them alone.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Value> for ValueSet {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let mut set = Self::default();
        values.into_iter().for_each(|value| {
            set.insert(value);
        });
        set
    }
}

impl From<Value> for Content {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl PartialEq<Value> for Content {
    fn eq(&self, other: &Value) -> bool {
        self.as_value() == Some(other)
    }
}

impl Content {
    /// Nothing.
    pub const NULL: Self = Self::Value(Value::Null);

    /// The scalar, null or link, if it is one.
    pub fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::List(_) | Self::Set(_) | Self::Dictionary(_) | Self::Object(_) => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Value(Value::Null))
    }

    /// Which kind of collection it is; `Single` for scalars and embedded objects.
    pub fn collection(&self) -> CollectionType {
        match self {
            Self::Value(_) | Self::Object(_) => CollectionType::Single,
            Self::List(_) => CollectionType::List,
            Self::Set(_) => CollectionType::Set,
            Self::Dictionary(_) => CollectionType::Dictionary,
        }
    }

    /// Hands every link inside to `visit`, at whatever depth, in order.
    pub fn for_each_link<'a>(&'a self, visit: &mut dyn FnMut(&'a Link)) {
        match self {
            Self::Value(Value::Link(link)) => visit(link),
            Self::Value(_) => {}
            Self::List(elements) => {
                for element in elements {
                    element.for_each_link(visit);
                }
            }
            Self::Set(set) => {
                for value in set.iter() {
                    if let Value::Link(link) = value {
                        visit(link);
                    }
                }
            }
            Self::Dictionary(fields) | Self::Object(fields) => {
                for field in fields.values() {
                    field.for_each_link(visit);
                }
            }
        }
    }
}

impl PropertyType {
    /// The value that a new object has in a property of this type that is not nullable.
    pub fn zero(self) -> Value {
        use crate::{Decimal128, ObjectId, Timestamp, Uuid};
        match self {
            Self::Mixed | Self::Link | Self::GlobalKey => Value::Null,
            Self::Int => Value::Int(0),
            Self::Bool => Value::Bool(false),
            Self::String => Value::string(""),
            Self::Binary => Value::binary([]),
            Self::Timestamp => Value::Timestamp(Timestamp::from_unix_ms(0)),
            Self::Float => Value::Float(0.0),
            Self::Double => Value::Double(0.0),
            Self::Decimal => Value::Decimal(Decimal128::ZERO),
            Self::ObjectId => Value::ObjectId(ObjectId([0; 12])),
            Self::Uuid => Value::Uuid(Uuid([0; 16])),
        }
    }
}

impl Property {
    /// What a new object has here before anything is set (sync-engine 1.3).
    pub fn zero(&self) -> Content {
        match self.collection {
            CollectionType::Single if self.nullable => Content::NULL,
            CollectionType::Single => Content::Value(self.ty.zero()),
            CollectionType::List => Content::List(Vec::new()),
            CollectionType::Set => Content::Set(ValueSet::default()),
            CollectionType::Dictionary => Content::Dictionary(Fields::new()),
        }
    }
}

impl ClassSchema {
    /// What a new embedded object of the class holds.
    pub fn zero_fields(&self) -> Fields {
        self.properties.iter().map(|property| (property.name.clone(), property.zero())).collect()
    }
}
