//! Which properties can be queryable fields (server 2.3).

use skerry_model::{CollectionType, Property, PropertyType, Schema};

/// What a field that can be queryable holds (server 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryableKind {
    /// One value.
    Scalar,
    /// A list of values.
    Array,
    /// A `GeoJSON` point: an embedded object of [`POINT_FIELDS`], and perhaps more.
    Point,
}

/// The properties that make an embedded object a `GeoJSON` point, in order: its type, a text, and the
/// list of its coordinates.
pub const POINT_FIELDS: [&str; 2] = ["type", "coordinates"];

impl QueryableKind {
    /// What the property is; `None` for links, sets, dictionaries, mixed, lists of what is no plain value
    /// and embedded objects of other kinds, which are never queryable.
    pub fn of(schema: &Schema, property: &Property) -> Option<Self> {
        let is_plain = !matches!(property.ty, PropertyType::Link | PropertyType::Mixed);
        match property.collection {
            CollectionType::Single if is_plain => Some(Self::Scalar),
            CollectionType::Single => is_point(schema, property).then_some(Self::Point),
            CollectionType::List if is_plain => Some(Self::Array),
            CollectionType::List | CollectionType::Set | CollectionType::Dictionary => None,
        }
    }
}

fn is_point(schema: &Schema, property: &Property) -> bool {
    let target = property.target.as_ref().and_then(|target| schema.class(target));
    let Some(class) = target.filter(|class| class.embedded) else { return false };
    let has = |name: &str, ty: PropertyType, collection: CollectionType| {
        let found = class.property(name);
        found.is_some_and(|found| found.ty == ty && found.collection == collection)
    };
    let [kind, coordinates] = POINT_FIELDS;
    has(kind, PropertyType::String, CollectionType::Single)
        && has(coordinates, PropertyType::Double, CollectionType::List)
}
