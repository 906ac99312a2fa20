//! Which Arrow type a property has.
//!
//! | property | Arrow |
//! |---|---|
//! | int, bool, float, double | int64, bool, float32, float64 |
//! | string, data | utf8, binary |
//! | date | timestamp in UTC, of the wanted unit |
//! | objectId, uuid | fixed-size binary of 12 and of 16 bytes, the latter marked `arrow.uuid` |
//! | decimal128 | utf8, its exact text: Arrow's decimals have one scale a column, and no NaN or infinity |
//! | link | the type of the target's key; null for a key that is null, too |
//! | embedded object | struct; utf8 with JSON where its class is inside of itself |
//! | mixed | utf8 with JSON, see `json` |
//! | list, set; dictionary | list; map with keys of utf8 |

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit as ArrowUnit};
use skerry_model::{CollectionType, Name, Property, PropertyType, Schema};

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Of 1677 to 2262.
    Nanoseconds,
    /// Cut towards 1970, as are the others.
    Microseconds,
    /// See above.
    Milliseconds,
    /// See above.
    Seconds,
}

impl TimeUnit {
    /// Its name: "ns", "us", "ms" or "s".
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    /// The unit of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Nanoseconds, Self::Microseconds, Self::Milliseconds, Self::Seconds];
        all.into_iter().find(|unit| unit.name() == name)
    }

    pub(super) fn per_second(self) -> i64 {
        match self {
            Self::Nanoseconds => 1_000_000_000,
            Self::Microseconds => 1_000_000,
            Self::Milliseconds => 1000,
            Self::Seconds => 1,
        }
    }

    fn arrow(self) -> ArrowUnit {
        match self {
            Self::Nanoseconds => ArrowUnit::Nanosecond,
            Self::Microseconds => ArrowUnit::Microsecond,
            Self::Milliseconds => ArrowUnit::Millisecond,
            Self::Seconds => ArrowUnit::Second,
        }
    }
}

pub(super) const ZONE: &str = "UTC";

/// How the values of a property, or what is inside of them, are laid out.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Int,
    Bool,
    Float,
    Double,
    Text,
    Bytes,
    Date(TimeUnit),
    ObjectId,
    Uuid,
    Decimal,
    Json,
    /// A link, as the key of its target.
    Key(Box<Kind>),
    List(FieldRef, Box<Kind>),
    Map(FieldRef, Box<Kind>),
    Struct(Fields, Vec<(Name, Kind)>),
}

/// Fields of embedded objects in a column beyond which those inside are JSON: classes inside of classes
/// multiply.
const FIELDS_MAX: usize = 2000;

/// What it takes to lay out what is inside of a property.
struct Layout<'s> {
    schema: &'s Schema,
    unit: TimeUnit,
    /// The embedded classes that it is inside of.
    outside: Vec<&'s Name>,
    fields: usize,
}

impl<'s> Layout<'s> {
    fn kind(&mut self, property: &'s Property) -> Kind {
        let element = self.element(property);
        match property.collection {
            CollectionType::Single => element,
            CollectionType::List | CollectionType::Set => {
                let field = Field::new("item", element.data_type(), property.nullable);
                Kind::List(Arc::new(element.marked(field)), Box::new(element))
            }
            CollectionType::Dictionary => {
                let value = Field::new("value", element.data_type(), property.nullable);
                let key = Field::new("key", DataType::Utf8, false);
                let entries = Fields::from(vec![key, element.marked(value)]);
                let field = Field::new("entries", DataType::Struct(entries), false);
                Kind::Map(Arc::new(field), Box::new(element))
            }
        }
    }

    fn element(&mut self, property: &'s Property) -> Kind {
        match property.ty {
            PropertyType::Int => Kind::Int,
            PropertyType::Bool => Kind::Bool,
            PropertyType::Float => Kind::Float,
            PropertyType::Double => Kind::Double,
            PropertyType::String => Kind::Text,
            PropertyType::Binary => Kind::Bytes,
            PropertyType::Timestamp => Kind::Date(self.unit),
            PropertyType::ObjectId => Kind::ObjectId,
            PropertyType::Uuid => Kind::Uuid,
            PropertyType::Decimal => Kind::Decimal,
            PropertyType::Mixed | PropertyType::GlobalKey => Kind::Json,
            PropertyType::Link => self.link(property),
        }
    }

    fn link(&mut self, property: &Property) -> Kind {
        let target = property.target.as_ref().and_then(|target| self.schema.class(target));
        let Some(target) = target else { return Kind::Json };
        if !target.embedded {
            let key = target.position(&target.primary_key).map(|at| &target.properties[at]);
            return key.map_or(Kind::Json, |key| Kind::Key(Box::new(self.element(key))));
        }
        self.fields += target.properties.len();
        if self.outside.contains(&&target.name) || self.fields > FIELDS_MAX {
            return Kind::Json;
        }
        self.outside.push(&target.name);
        let (mut fields, mut kinds) = (Vec::new(), Vec::new());
        for property in &target.properties {
            let kind = self.kind(property);
            fields.push(kind.field(property));
            kinds.push((property.name.clone(), kind));
        }
        self.outside.pop();
        Kind::Struct(fields.into(), kinds)
    }
}

impl Kind {
    /// Of a property of a class of the schema.
    pub(super) fn of(schema: &Schema, property: &Property, unit: TimeUnit) -> Self {
        Layout { schema, unit, outside: Vec::new(), fields: 0 }.kind(property)
    }

    /// The field of a property of this kind.
    pub(super) fn field(&self, property: &Property) -> Field {
        let is_nullable = property.collection == CollectionType::Single
            && (property.nullable || matches!(self, Self::Key(_) | Self::Struct(..) | Self::Json));
        self.marked(Field::new(property.name.as_str(), self.data_type(), is_nullable))
    }

    fn marked(&self, field: Field) -> Field {
        match self {
            Self::Uuid => {}
            Self::Key(key) => return key.marked(field),
            _ => return field,
        }
        let mark = ("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned());
        let metadata = ("ARROW:extension:metadata".to_owned(), String::new());
        field.with_metadata(HashMap::from([mark, metadata]))
    }

    /// How many entries of Arrow's a single one takes, a null one too.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Struct(_, kinds) => 1 + kinds.iter().map(|(_, kind)| kind.width()).sum::<usize>(),
            _ => 1,
        }
    }

    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Int => DataType::Int64,
            Self::Bool => DataType::Boolean,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Text | Self::Decimal | Self::Json => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date(unit) => DataType::Timestamp(unit.arrow(), Some(ZONE.into())),
            Self::ObjectId => DataType::FixedSizeBinary(12),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::Key(key) => key.data_type(),
            Self::List(field, _) => DataType::List(Arc::clone(field)),
            Self::Map(field, _) => DataType::Map(Arc::clone(field), false),
            Self::Struct(fields, _) => DataType::Struct(fields.clone()),
        }
    }
}
