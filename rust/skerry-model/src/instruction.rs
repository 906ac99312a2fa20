//! The fourteen instructions of Realm's sync engine (sync-engine 1.1), with all their fields.
//!
//! The set is closed: a new feature is expressed in these, which is what lets stock Realm clients
//! talk to this server later.

use crate::{Name, ObjectRef, Path, PropertyType, Value};

/// Kind of a collection, with Realm's codes Single 0, List 1, Dictionary 2, Set 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CollectionType {
    /// Not a collection.
    #[default]
    Single,
    /// Ordered list.
    List,
    /// Dictionary with string keys.
    Dictionary,
    /// Set.
    Set,
}

impl CollectionType {
    /// Realm's code.
    pub fn code(self) -> u8 {
        match self {
            Self::Single => 0,
            Self::List => 1,
            Self::Dictionary => 2,
            Self::Set => 3,
        }
    }

    /// The kind of a code; `None` for codes that stand for none.
    pub fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Single),
            1 => Some(Self::List),
            2 => Some(Self::Dictionary),
            3 => Some(Self::Set),
            _ => None,
        }
    }

    /// The name in schemas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::List => "list",
            Self::Dictionary => "dictionary",
            Self::Set => "set",
        }
    }

    /// The kind of a name, which is case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Single, Self::List, Self::Dictionary, Self::Set];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// What kind of table `AddTable` makes (codes: top-level 0, embedded 1, asymmetric 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A class of objects with a primary key.
    TopLevel {
        /// Name of the primary-key property; empty for classes without one.
        pk_field: Name,
        /// Type of the primary key: one for which [`PropertyType::is_key`] holds.
        pk_type: PropertyType,
        /// Whether the key may be null.
        pk_nullable: bool,
        /// Whether it is an asymmetric (upload-only) class.
        asymmetric: bool,
    },
    /// A class of objects owned by a place in another object.
    Embedded,
}

/// What `Update` and `ArrayInsert` put at their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A scalar, null or a link.
    Value(Value),
    /// "Create the embedded object here."
    ObjectValue,
    /// "Make the mixed a list."
    List,
    /// "Make the mixed a dictionary."
    Dictionary,
    /// "Remove this dictionary key."
    Erased,
}

/// The side datum of `Update`, which depends on where its path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateSide {
    /// The path ends at a property or dictionary key: is the value a default of a new object?
    IsDefault(bool),
    /// The path ends at a list position: size of the list before the update.
    PriorSize(ListSize),
}

/// How many elements a list has.
///
/// It is a number without alignment, so that [`UpdateSide`] shares a word with the discriminant of
/// [`Instruction`], where an aligned one would take a word more.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListSize([u8; 4]);

/// One instruction. Codes and fields are those of sync-engine 1.1.
///
/// Changesets have many, so one takes six words: what it has in common with its neighbours is
/// shared ([`Path`]), and what is rare is boxed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are named as in the table of sync-engine 1.1")]
pub enum Instruction {
    /// Code 0.
    AddTable { class: Name, kind: TableKind },
    /// Code 1.
    EraseTable { class: Name },
    /// Code 2.
    CreateObject { object: ObjectRef },
    /// Code 3.
    EraseObject { object: ObjectRef },
    /// Code 4.
    Update { path: Path, value: Payload, side: UpdateSide },
    /// Code 5.
    AddInteger { path: Path, value: i64 },
    /// Code 6. `target` is present exactly for links, `key_type` exactly for dictionaries.
    AddColumn {
        class: Name,
        field: Name,
        ty: PropertyType,
        nullable: bool,
        collection: CollectionType,
        target: Option<Box<Name>>,
        key_type: Option<PropertyType>,
    },
    /// Code 7.
    EraseColumn { class: Name, field: Name },
    /// Code 8; the path ends with an index.
    ArrayInsert { path: Path, value: Payload, prior_size: u32 },
    /// Code 9; the path ends with an index, `to` is the destination (`ndx_2`).
    ArrayMove { path: Path, to: u32, prior_size: u32 },
    /// Code 10; the path ends with an index.
    ArrayErase { path: Path, prior_size: u32 },
    /// Code 11.
    Clear { path: Path, collection: CollectionType },
    /// Code 12; the path is the set.
    SetInsert { path: Path, value: Value },
    /// Code 13; the path is the set.
    SetErase { path: Path, value: Value },
}

impl UpdateSide {
    /// The size of the list before the update.
    pub fn prior_size(prior_size: u32) -> Self {
        Self::PriorSize(prior_size.into())
    }
}

impl ListSize {
    /// The number.
    pub fn get(self) -> u32 {
        u32::from_ne_bytes(self.0)
    }
}

impl From<u32> for ListSize {
    fn from(size: u32) -> Self {
        Self(size.to_ne_bytes())
    }
}

impl std::fmt::Debug for ListSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.get(), f)
    }
}

impl Instruction {
    /// Code of the instruction (sync-engine 1.1).
    pub fn code(&self) -> u8 {
        match self {
            Self::AddTable { .. } => 0,
            Self::EraseTable { .. } => 1,
            Self::CreateObject { .. } => 2,
            Self::EraseObject { .. } => 3,
            Self::Update { .. } => 4,
            Self::AddInteger { .. } => 5,
            Self::AddColumn { .. } => 6,
            Self::EraseColumn { .. } => 7,
            Self::ArrayInsert { .. } => 8,
            Self::ArrayMove { .. } => 9,
            Self::ArrayErase { .. } => 10,
            Self::Clear { .. } => 11,
            Self::SetInsert { .. } => 12,
            Self::SetErase { .. } => 13,
        }
    }

    /// Name of the instruction, as the specs write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddTable { .. } => "AddTable",
            Self::EraseTable { .. } => "EraseTable",
            Self::CreateObject { .. } => "CreateObject",
            Self::EraseObject { .. } => "EraseObject",
            Self::Update { .. } => "Update",
            Self::AddInteger { .. } => "AddInteger",
            Self::AddColumn { .. } => "AddColumn",
            Self::EraseColumn { .. } => "EraseColumn",
            Self::ArrayInsert { .. } => "ArrayInsert",
            Self::ArrayMove { .. } => "ArrayMove",
            Self::ArrayErase { .. } => "ArrayErase",
            Self::Clear { .. } => "Clear",
            Self::SetInsert { .. } => "SetInsert",
            Self::SetErase { .. } => "SetErase",
        }
    }

    /// The class that the instruction is about.
    pub fn class(&self) -> &Name {
        match self {
            Self::AddTable { class, .. }
            | Self::EraseTable { class }
            | Self::AddColumn { class, .. }
            | Self::EraseColumn { class, .. } => class,
            Self::CreateObject { object } | Self::EraseObject { object } => &object.class,
            Self::Update { path, .. }
            | Self::AddInteger { path, .. }
            | Self::ArrayInsert { path, .. }
            | Self::ArrayMove { path, .. }
            | Self::ArrayErase { path, .. }
            | Self::Clear { path, .. }
            | Self::SetInsert { path, .. }
            | Self::SetErase { path, .. } => &path.object.class,
        }
    }

    /// The object that the instruction addresses; `None` for the four schema instructions.
    pub fn object(&self) -> Option<&ObjectRef> {
        match self {
            Self::AddTable { .. }
            | Self::EraseTable { .. }
            | Self::AddColumn { .. }
            | Self::EraseColumn { .. } => None,
            Self::CreateObject { object } | Self::EraseObject { object } => Some(object),
            Self::Update { path, .. }
            | Self::AddInteger { path, .. }
            | Self::ArrayInsert { path, .. }
            | Self::ArrayMove { path, .. }
            | Self::ArrayErase { path, .. }
            | Self::Clear { path, .. }
            | Self::SetInsert { path, .. }
            | Self::SetErase { path, .. } => Some(&path.object),
        }
    }

    /// Whether it is one of the four schema instructions.
    pub fn is_schema(&self) -> bool {
        self.object().is_none()
    }
}

// Taking memory from the system for them is much of the time that a large changeset takes to decode.
const _: () = assert!(size_of::<Instruction>() <= 48);
