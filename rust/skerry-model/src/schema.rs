//! Classes and their properties.

use std::collections::BTreeMap;

use crate::{CollectionType, Misfit, Name, ObjectKey};

/// Type of a property or primary key (payload type codes of sync-engine 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PropertyType {
    /// Any value (code 0 as a column type).
    Mixed,
    /// 64-bit integer.
    Int,
    /// Boolean.
    Bool,
    /// UTF-8 text.
    String,
    /// Bytes.
    Binary,
    /// Point in time.
    Timestamp,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// 128-bit decimal.
    Decimal,
    /// Link to an object, or an embedded object when the target class is embedded.
    Link,
    /// Object id.
    ObjectId,
    /// UUID.
    Uuid,
    /// Legacy key of classes without primary key (code −1); never the type of a property.
    GlobalKey,
}

impl PropertyType {
    /// Realm's payload type code (sync-engine 1.2); 0 means mixed, as in columns.
    pub fn code(self) -> i8 {
        match self {
            Self::Mixed => 0,
            Self::Int => 1,
            Self::Bool => 2,
            Self::String => 3,
            Self::Binary => 4,
            Self::Timestamp => 5,
            Self::Float => 6,
            Self::Double => 7,
            Self::Decimal => 8,
            Self::Link => 9,
            Self::ObjectId => 10,
            Self::Uuid => 11,
            Self::GlobalKey => -1,
        }
    }

    /// The type of a code; `None` for codes that stand for no type.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|ty| i64::from(ty.code()) == code)
    }

    /// The name in schemas, as Realm writes it; `globalKey` for the type that has none there.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Binary => "data",
            Self::Timestamp => "date",
            Self::Float => "float",
            Self::Double => "double",
            Self::Decimal => "decimal128",
            Self::Link => "object",
            Self::ObjectId => "objectId",
            Self::Uuid => "uuid",
            Self::GlobalKey => "globalKey",
        }
    }

    /// The type of a name, which is case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ty| ty.name() == name)
    }

    /// Whether primary keys can have this type (sync-engine 1.1), those of classes without one
    /// included.
    pub fn is_key(self) -> bool {
        match self {
            Self::Int | Self::String | Self::ObjectId | Self::Uuid | Self::GlobalKey => true,
            Self::Mixed
            | Self::Bool
            | Self::Binary
            | Self::Timestamp
            | Self::Float
            | Self::Double
            | Self::Decimal
            | Self::Link => false,
        }
    }

    /// Whether a single value of this type can have an index of that kind.
    fn takes_index(self, kind: IndexKind) -> bool {
        match self {
            Self::String => true,
            Self::Int
            | Self::Bool
            | Self::Timestamp
            | Self::ObjectId
            | Self::Uuid
            | Self::Mixed => kind == IndexKind::General,
            Self::Binary
            | Self::Float
            | Self::Double
            | Self::Decimal
            | Self::Link
            | Self::GlobalKey => false,
        }
    }

    /// Every type.
    pub const ALL: [Self; 13] = [
        Self::Mixed,
        Self::Int,
        Self::Bool,
        Self::String,
        Self::Binary,
        Self::Timestamp,
        Self::Float,
        Self::Double,
        Self::Decimal,
        Self::Link,
        Self::ObjectId,
        Self::Uuid,
        Self::GlobalKey,
    ];
}

/// A property of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Name, unique in its class.
    pub name: Name,
    /// Type of the value, or of the elements of a collection.
    pub ty: PropertyType,
    /// Whether null is a value. Always true for links and mixed.
    pub nullable: bool,
    /// Single value or kind of collection.
    pub collection: CollectionType,
    /// Target class, exactly for links.
    pub target: Option<Name>,
}

/// A class: name, primary key, properties in order of declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassSchema {
    /// Name, without prefix; at most 57 bytes of UTF-8 (server 9.1).
    pub name: Name,
    /// Name of the primary-key property, which is also in `properties`; empty for embedded classes.
    pub primary_key: Name,
    /// All properties, the primary key included.
    pub properties: Vec<Property>,
    /// Whether its objects have no key and are owned by a place in another object.
    pub embedded: bool,
}

/// What the primary keys of a class are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind {
    /// Int, String, `ObjectId` or Uuid.
    pub ty: PropertyType,
    /// Whether null is a key.
    pub nullable: bool,
}

impl KeyKind {
    /// Checks that `key` can be a key of this kind.
    pub fn check(self, key: &ObjectKey) -> Result<(), Misfit> {
        let fits = match key {
            ObjectKey::Null => self.nullable,
            ObjectKey::Int(_) => self.ty == PropertyType::Int,
            ObjectKey::String(_) => self.ty == PropertyType::String,
            ObjectKey::GlobalKey { .. } => false,
            ObjectKey::ObjectId(_) => self.ty == PropertyType::ObjectId,
            ObjectKey::Uuid(_) => self.ty == PropertyType::Uuid,
        };
        let found = key.kind_name();
        let wrong = Misfit::WrongKeyType { expected: self.ty, nullable: self.nullable, found };
        if fits { Ok(()) } else { Err(wrong) }
    }
}

/// How a property can be searched faster. Indexes are each file's own matter: no instruction tells of
/// them, and two schemas that differ in them alone hold the same objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// Equality and order.
    General,
    /// The words of a text, for `TEXT` queries.
    FullText,
}

/// A set of classes, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    classes: BTreeMap<Name, ClassSchema>,
    indexes: BTreeMap<(Name, Name), IndexKind>,
    aliases: Aliases,
}

/// Other names by which a program knows classes and properties. They are its own matter, like
/// indexes: queries understand them, and nothing is stored or sent under them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Aliases {
    classes: BTreeMap<Name, Name>,
    properties: BTreeMap<(Name, Name), Name>,
}

/// Why a schema is refused. Names the class and the property.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Two classes of one name.
    #[error("class \"{class}\" is defined twice")]
    DuplicateClass {
        /// The name.
        class: Name,
    },
    /// Two properties of one name.
    #[error("property \"{class}.{property}\" is defined twice")]
    DuplicateProperty {
        /// The class.
        class: Name,
        /// The name.
        property: Name,
    },
    /// A name that is empty or too long.
    #[error(
        "name \"{name}\" of a class or property is {actual_bytes} bytes long; 1 to {max_bytes} are allowed"
    )]
    BadName {
        /// The name.
        name: Name,
        /// Its length.
        actual_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The primary key is not among the properties.
    #[error("class \"{class}\" has no property \"{property}\" to be its primary key")]
    MissingPrimaryKey {
        /// The class.
        class: Name,
        /// The declared key.
        property: Name,
    },
    /// The primary key's type cannot be a key.
    #[error(
        "primary key \"{class}.{property}\" cannot have type {ty:?}; int, string, objectId and uuid can"
    )]
    BadPrimaryKeyType {
        /// The class.
        class: Name,
        /// The key.
        property: Name,
        /// Its type.
        ty: PropertyType,
    },
    /// A link to a class that is not in the schema.
    #[error(
        "property \"{class}.{property}\" links to class \"{target}\", which is not in the schema"
    )]
    UnknownTarget {
        /// The class.
        class: Name,
        /// The link.
        property: Name,
        /// The missing class.
        target: Name,
    },
    /// Target missing on a link or present elsewhere, or nullable where links are not or the reverse.
    #[error(
        "property \"{class}.{property}\": a link has a target class, and nothing else has one; single links and \
         values of dictionaries are nullable, elements of lists and sets are not"
    )]
    BadLink {
        /// The class.
        class: Name,
        /// The property.
        property: Name,
    },
    /// A mixed property, or collection of mixed, that is declared not nullable.
    #[error("property \"{class}.{property}\" is of type mixed, which is always nullable")]
    MixedNotNullable {
        /// The class.
        class: Name,
        /// The property.
        property: Name,
    },
    /// An embedded class that declares a primary key.
    #[error(
        "embedded class \"{class}\" has primary key \"{property}\"; embedded objects have none"
    )]
    EmbeddedPrimaryKey {
        /// The class.
        class: Name,
        /// The declared key.
        property: Name,
    },
    /// An index on what cannot have one of its kind.
    #[error("property \"{class}.{property}\" cannot have a {kind:?} index, or does not exist")]
    BadIndex {
        /// The class.
        class: Name,
        /// The property.
        property: Name,
        /// What index.
        kind: IndexKind,
    },
    /// Another name for what does not exist, or one that is taken.
    #[error(
        "\"{alias}\" cannot be another name of \"{name}\": that does not exist, or the name is taken"
    )]
    BadAlias {
        /// The class or property.
        name: Name,
        /// The other name.
        alias: Name,
    },
    /// A kind of property that does not exist.
    #[error("property \"{class}.{property}\" has a kind that is not supported yet: {kind}")]
    Unsupported {
        /// The class.
        class: Name,
        /// The property.
        property: Name,
        /// What it is.
        kind: &'static str,
    },
}

impl Property {
    /// A property with a single value.
    pub fn scalar(name: impl Into<Name>, ty: PropertyType, nullable: bool) -> Self {
        Self { name: name.into(), ty, nullable, collection: CollectionType::Single, target: None }
    }

    /// A nullable link to an object of `target`.
    pub fn link(name: impl Into<Name>, target: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            ty: PropertyType::Link,
            nullable: true,
            collection: CollectionType::Single,
            target: Some(target.into()),
        }
    }

    /// A collection of values that are not links.
    pub fn collection(
        name: impl Into<Name>,
        collection: CollectionType,
        ty: PropertyType,
        nullable: bool,
    ) -> Self {
        Self { name: name.into(), ty, nullable, collection, target: None }
    }

    /// A collection of links, or of embedded objects when the class is embedded.
    pub fn links(
        name: impl Into<Name>,
        collection: CollectionType,
        target: impl Into<Name>,
    ) -> Self {
        let nullable = links_are_nullable(collection);
        Self {
            name: name.into(),
            ty: PropertyType::Link,
            nullable,
            collection,
            target: Some(target.into()),
        }
    }
}

/// Whether a link there may be null: single ones and values of dictionaries.
fn links_are_nullable(collection: CollectionType) -> bool {
    match collection {
        CollectionType::Single | CollectionType::Dictionary => true,
        CollectionType::List | CollectionType::Set => false,
    }
}

impl ClassSchema {
    /// Longest class name, in bytes (server 9.1).
    pub const NAME_MAX_BYTES: usize = 57;
    /// Longest property name, in bytes.
    pub const PROPERTY_NAME_MAX_BYTES: usize = 63;

    /// The property of that name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| &*property.name == name)
    }

    /// What the primary keys are.
    pub fn key_kind(&self) -> KeyKind {
        let key = self.primary_key_property();
        KeyKind { ty: key.ty, nullable: key.nullable }
    }

    /// Position of the property in `properties`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.properties.iter().position(|property| &*property.name == name)
    }

    /// The primary-key property.
    pub fn primary_key_property(&self) -> &Property {
        self.property(&self.primary_key).expect("a checked class has its key among its properties")
    }

    fn check(&self, classes: &BTreeMap<Name, ClassSchema>) -> Result<(), SchemaError> {
        check_name(&self.name, Self::NAME_MAX_BYTES)?;
        for (i, property) in self.properties.iter().enumerate() {
            check_name(&property.name, Self::PROPERTY_NAME_MAX_BYTES)?;
            if self.properties[..i].iter().any(|earlier| earlier.name == property.name) {
                return Err(SchemaError::DuplicateProperty {
                    class: self.name.clone(),
                    property: property.name.clone(),
                });
            }
            self.check_property(property, classes)?;
        }
        if self.embedded {
            return self.check_embedded();
        }
        let Some(key) = self.property(&self.primary_key) else {
            return Err(SchemaError::MissingPrimaryKey {
                class: self.name.clone(),
                property: self.primary_key.clone(),
            });
        };
        match key.ty {
            PropertyType::Int
            | PropertyType::String
            | PropertyType::ObjectId
            | PropertyType::Uuid
                if key.collection == CollectionType::Single =>
            {
                Ok(())
            }
            ty => Err(SchemaError::BadPrimaryKeyType {
                class: self.name.clone(),
                property: key.name.clone(),
                ty,
            }),
        }
    }

    fn check_embedded(&self) -> Result<(), SchemaError> {
        if self.primary_key.is_empty() {
            return Ok(());
        }
        let (class, property) = (self.name.clone(), self.primary_key.clone());
        Err(SchemaError::EmbeddedPrimaryKey { class, property })
    }

    fn check_property(
        &self,
        property: &Property,
        classes: &BTreeMap<Name, ClassSchema>,
    ) -> Result<(), SchemaError> {
        let (class, name) = (self.name.clone(), property.name.clone());
        let Property { ty, nullable, collection, target, .. } = property;
        if *ty == PropertyType::GlobalKey {
            return Err(SchemaError::Unsupported { class, property: name, kind: "global key" });
        }
        if *ty == PropertyType::Mixed && !nullable {
            return Err(SchemaError::MixedNotNullable { class, property: name });
        }
        let is_link = *ty == PropertyType::Link;
        if is_link != target.is_some() || (is_link && *nullable != links_are_nullable(*collection))
        {
            return Err(SchemaError::BadLink { class, property: name });
        }
        let Some(target) = target else { return Ok(()) };
        match classes.get(target) {
            None => {
                Err(SchemaError::UnknownTarget { class, property: name, target: target.clone() })
            }
            Some(found) if found.embedded && *collection == CollectionType::Set => {
                let kind = "set of embedded objects";
                Err(SchemaError::Unsupported { class, property: name, kind })
            }
            Some(_) => Ok(()),
        }
    }
}

fn check_name(name: &Name, max_bytes: usize) -> Result<(), SchemaError> {
    let actual_bytes = name.len();
    if actual_bytes == 0 || actual_bytes > max_bytes {
        return Err(SchemaError::BadName { name: name.clone(), actual_bytes, max_bytes });
    }
    Ok(())
}

impl Schema {
    /// No class.
    pub const EMPTY: Self = Self {
        classes: BTreeMap::new(),
        indexes: BTreeMap::new(),
        aliases: Aliases { classes: BTreeMap::new(), properties: BTreeMap::new() },
    };

    /// Checks the classes and puts them together.
    pub fn new(classes: impl IntoIterator<Item = ClassSchema>) -> Result<Self, SchemaError> {
        let mut schema = Self::default();
        for class in classes {
            let name = class.name.clone();
            if schema.classes.insert(name.clone(), class).is_some() {
                return Err(SchemaError::DuplicateClass { class: name });
            }
        }
        for class in schema.classes.values() {
            class.check(&schema.classes)?;
        }
        Ok(schema)
    }

    /// The same schema with an index on a property. A general index is for single values that are no
    /// floating-point or decimal numbers, data or embedded objects; a full-text index for single text.
    pub fn with_index(
        mut self,
        class: impl Into<Name>,
        property: impl Into<Name>,
        kind: IndexKind,
    ) -> Result<Self, SchemaError> {
        let (class, property) = (class.into(), property.into());
        let found = self.class(&class).filter(|class| !class.embedded);
        let found = found.and_then(|class| class.property(&property));
        let fits = found.is_some_and(|found| {
            found.collection == CollectionType::Single && found.ty.takes_index(kind)
        });
        if !fits {
            return Err(SchemaError::BadIndex { class, property, kind });
        }
        self.indexes.insert((class, property), kind);
        Ok(self)
    }

    /// The index on a property.
    pub fn index(&self, class: &Name, property: &Name) -> Option<IndexKind> {
        self.indexes.get(&(class.clone(), property.clone())).copied()
    }

    /// All indexes: class, property, kind; by class and property.
    pub fn indexes(&self) -> impl Iterator<Item = (&Name, &Name, IndexKind)> {
        self.indexes.iter().map(|((class, property), kind)| (class, property, *kind))
    }

    /// The same schema with another name for a class.
    ///
    /// # Errors
    ///
    /// [`SchemaError::BadAlias`] when there is no such class, or the name is one already.
    pub fn with_class_alias(
        mut self,
        class: impl Into<Name>,
        alias: impl Into<Name>,
    ) -> Result<Self, SchemaError> {
        let (class, alias) = (class.into(), alias.into());
        let is_free = self.class_named(&alias).is_none();
        if !is_free || self.class(&class).is_none() {
            return Err(SchemaError::BadAlias { name: class, alias });
        }
        self.aliases.classes.insert(alias, class);
        Ok(self)
    }

    /// The same schema with another name for a property.
    ///
    /// # Errors
    ///
    /// [`SchemaError::BadAlias`] when there is no such property, or the name is one already.
    pub fn with_property_alias(
        mut self,
        class: impl Into<Name>,
        property: impl Into<Name>,
        alias: impl Into<Name>,
    ) -> Result<Self, SchemaError> {
        let (class, property, alias) = (class.into(), property.into(), alias.into());
        let is_known = self.class(&class).is_some_and(|found| {
            found.property(&property).is_some() && self.property_named(found, &alias).is_none()
        });
        if !is_known {
            return Err(SchemaError::BadAlias { name: property, alias });
        }
        self.aliases.properties.insert((class, alias), property);
        Ok(self)
    }

    /// The same schema with the other names that another one has.
    #[must_use]
    pub fn with_aliases_of(mut self, other: &Self) -> Self {
        self.aliases = other.aliases.clone();
        self
    }

    /// The class of that name or other name.
    pub fn class_named(&self, name: &str) -> Option<&ClassSchema> {
        self.class(name).or_else(|| self.class(self.aliases.classes.get(name)?))
    }

    /// The property of that name or other name.
    pub fn property_named<'s>(&self, class: &'s ClassSchema, name: &str) -> Option<&'s Property> {
        class.property(name).or_else(|| {
            // Most programs have none.
            let aliases = Some(&self.aliases.properties).filter(|aliases| !aliases.is_empty())?;
            class.property(aliases.get(&(class.name.clone(), name.into()))?)
        })
    }

    /// The class of that name.
    pub fn class(&self, name: &str) -> Option<&ClassSchema> {
        self.classes.get(name)
    }

    /// All classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &ClassSchema> {
        self.classes.values()
    }

    /// Whether the property holds a plain value or a link to an object of its own, as opposed to a
    /// collection, an embedded object, or a mixed, which may hold either.
    pub fn is_scalar(&self, property: &Property) -> bool {
        if property.collection != CollectionType::Single || property.ty == PropertyType::Mixed {
            return false;
        }
        let target = property.target.as_deref().and_then(|target| self.class(target));
        !target.is_some_and(|class| class.embedded)
    }

    /// Whether there is no class.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}
