//! Why an instruction does not fit the object that it is about ("bad changeset", sync-engine 1.3).

use crate::{CollectionType, Name, ObjectKey, PropertyType, Value};

/// What does not fit between a path instruction and an object. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are named in the messages")]
pub enum Misfit {
    #[error("no such property \"{property}\"")]
    NoSuchProperty { property: Name },
    #[error("property \"{property}\" has type {expected:?}, the value is {found}")]
    TypeMismatch { property: Name, expected: PropertyType, found: &'static str },
    #[error("property \"{property}\" is not nullable")]
    NotNullable { property: Name },
    #[error("property \"{property}\" links to \"{expected}\", the value to \"{found}\"")]
    WrongLinkTarget { property: Name, expected: Name, found: Name },
    #[error("the link in \"{property}\" is to class \"{target}\", which does not exist")]
    NoSuchTarget { property: Name, target: Name },
    #[error("the primary key has type {expected:?}{}, the key is {found}", null_text(*nullable))]
    WrongKeyType { expected: PropertyType, nullable: bool, found: &'static str },
    #[error("the value of \"{property}\" has {actual_bytes} bytes; {max_bytes} are allowed")]
    TooLarge { property: Name, actual_bytes: usize, max_bytes: usize },
    #[error("property \"{property}\" has nothing below it there")]
    PathTooDeep { property: Name },
    #[error("the path goes through the link \"{property}\", and links are never followed")]
    ThroughLink { property: Name },
    #[error("there is no embedded object in \"{property}\"")]
    NoEmbeddedObject { property: Name },
    #[error("there is no {} in \"{property}\"", collection_name(*expected))]
    NotACollection { property: Name, expected: CollectionType },
    #[error("\"{property}\" has no key \"{key}\"")]
    NoSuchKey { property: Name, key: Name },
    #[error("position {index} is beyond the {size} elements of \"{property}\"")]
    IndexOutOfRange { property: Name, index: u32, size: usize },
    #[error("\"{property}\" has {actual} elements, not {stated} as the instruction says")]
    WrongPriorSize { property: Name, stated: u32, actual: usize },
    #[error("\"{property}\" cannot hold {payload} there")]
    WrongPayload { property: Name, payload: &'static str },
    #[error("an element of \"{property}\" is moved from position {index} to itself")]
    MoveToSamePlace { property: Name, index: u32 },
}

fn null_text(nullable: bool) -> &'static str {
    if nullable { " or null" } else { "" }
}

fn collection_name(collection: CollectionType) -> &'static str {
    match collection {
        CollectionType::Single => "single value",
        CollectionType::List => "list",
        CollectionType::Dictionary => "dictionary",
        CollectionType::Set => "set",
    }
}

impl Value {
    /// What the value is, in the words of schemas.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "int",
            Self::Bool(_) => "bool",
            Self::String(_) => "string",
            Self::Binary(_) => "data",
            Self::Timestamp(_) => "date",
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Decimal(_) => "decimal128",
            Self::Link(_) => "link",
            Self::ObjectId(_) => "objectId",
            Self::Uuid(_) => "uuid",
        }
    }
}

impl ObjectKey {
    /// What the key is, in the words of schemas.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "int",
            Self::String(_) => "string",
            Self::GlobalKey { .. } => "global key",
            Self::ObjectId(_) => "objectId",
            Self::Uuid(_) => "uuid",
        }
    }
}
