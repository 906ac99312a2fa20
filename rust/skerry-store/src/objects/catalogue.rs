//! Which classes a file has.
//!
//! Invariant: a [`Catalogue`] says what the two catalogue tables said when it was loaded or changed;
//! [`Catalogue::is_current`] tells whether somebody has changed them since. Tables and columns have
//! numbers for names, so any class or property name is possible. An embedded class has a table too,
//! which stays empty: it exists so that every change of a class is one of `SQLite`'s schema, by
//! which other connections learn of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use skerry_model::{
    ClassSchema, CollectionType, IndexKind, Name, Property, PropertyType, Schema, SchemaError,
};

use super::class_table::ClassTable;
use super::column::Column;
use super::index::{drop_index, kind_from_name};
use crate::error::{Result, StoreError};

/// The catalogue tables; run once in a new file.
pub(super) const CREATE_CATALOGUE: &str = "
CREATE TABLE class (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    embedded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE property (
    class_id INTEGER NOT NULL REFERENCES class (id),
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    nullable INTEGER NOT NULL,
    target TEXT,
    is_primary_key INTEGER NOT NULL,
    collection TEXT NOT NULL DEFAULT 'single',
    indexed TEXT,
    PRIMARY KEY (class_id, number),
    UNIQUE (class_id, name)
) STRICT, WITHOUT ROWID;
";

/// What format 1 lacks of format 2.
pub(super) const UPGRADE_TO_2: &str = "
ALTER TABLE class ADD COLUMN embedded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE property ADD COLUMN collection TEXT NOT NULL DEFAULT 'single';
";

/// What format 2 lacks of the above.
pub(super) const UPGRADE_TO_3: &str = "ALTER TABLE property ADD COLUMN indexed TEXT";

/// All classes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Those that have objects of their own.
    classes: BTreeMap<Name, ClassTable>,
    /// All of them, embedded ones included.
    schema: Arc<Schema>,
    /// `SQLite`'s schema version at the time of loading.
    schema_version: i64,
}

/// A class as the catalogue tables describe it.
struct Described {
    id: i64,
    schema: ClassSchema,
    /// In the order of the properties.
    numbers: Vec<u32>,
    indexes: Vec<Option<IndexKind>>,
}

impl Catalogue {
    /// Reads the catalogue tables.
    pub fn load(connection: &Connection) -> Result<Self> {
        let schema_version = schema_version(connection)?;
        let described = describe(connection)?;
        let schema = Schema::new(described.iter().map(|class| class.schema.clone()));
        let indexes = described.iter().flat_map(Described::indexes);
        let schema = schema.and_then(|schema| with_indexes(schema, indexes));
        let schema = schema.map_err(StoreError::corrupted)?;
        let ids: BTreeMap<&Name, i64> =
            described.iter().map(|class| (&class.schema.name, class.id)).collect();
        let mut classes = BTreeMap::new();
        for class in described.iter().filter(|class| !class.schema.embedded) {
            let name = &class.schema.name;
            let columns = class.schema.properties.iter().zip(&class.numbers);
            let columns = columns
                .map(|(property, number)| column(property, *number, class, &schema, &ids))
                .collect();
            classes.insert(name.clone(), ClassTable::new(class.id, name.clone(), columns)?);
        }
        Ok(Self { classes, schema: Arc::new(schema), schema_version })
    }

    /// Whether the tables are still as they were loaded, in the transaction of `connection`.
    pub fn is_current(&self, connection: &Connection) -> Result<bool> {
        Ok(self.schema_version == schema_version(connection)?)
    }

    /// `SQLite`'s number of the state of the tables; any change of them is another one.
    pub(crate) fn schema_version(&self) -> i64 {
        self.schema_version
    }

    /// The class of that name, if its objects are no embedded ones.
    pub fn class(&self, name: &str) -> Option<&ClassTable> {
        self.classes.get(name)
    }

    /// All classes that are not embedded, by name.
    pub fn classes(&self) -> impl Iterator<Item = &ClassTable> {
        self.classes.values()
    }

    /// All classes as a schema, embedded ones included.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The same catalogue with the properties of each declared class in the order of declaration;
    /// what is in the file only comes behind.
    #[must_use]
    pub fn ordered_as(&self, declared: &Schema) -> Self {
        let classes = self.classes.iter().map(|(name, table)| {
            let table = declared.class(name).map_or_else(|| table.clone(), |d| table.reorder(d));
            (name.clone(), table)
        });
        let classes: BTreeMap<Name, ClassTable> = classes.collect();
        let embedded = self.schema.classes().filter(|class| class.embedded).cloned();
        let all = classes.values().map(|table| table.schema.clone()).chain(embedded);
        let schema =
            Schema::new(all).and_then(|schema| with_indexes(schema, self.schema.indexes()));
        let schema = schema.expect("another order of properties breaks no rule");
        let schema = schema.with_aliases_of(declared);
        Self { classes, schema: Arc::new(schema), schema_version: self.schema_version }
    }

    /// Makes the table of a new class, with its primary key alone; without one it is embedded. Its
    /// number.
    pub(super) fn add_class(
        connection: &Connection,
        name: &Name,
        key: Option<&Property>,
    ) -> Result<i64> {
        connection
            .prepare_cached("INSERT INTO class (name, embedded) VALUES (?1, ?2)")?
            .execute(params![&**name, key.is_none()])?;
        let id = connection.last_insert_rowid();
        let Some(key) = key else {
            let sql = format!("CREATE TABLE o{id} (row_id INTEGER PRIMARY KEY) STRICT");
            connection.execute_batch(&sql)?;
            return Ok(id);
        };
        Self::insert_property(connection, id, 0, key, true)?;
        // The rowid gives insertion order, in which unsorted results come.
        connection.execute_batch(&format!(
            "CREATE TABLE o{id} (row_id INTEGER PRIMARY KEY, p0 ANY NOT NULL) STRICT;
             CREATE UNIQUE INDEX o{id}_key ON o{id} (p0);"
        ))?;
        Ok(id)
    }

    /// Adds a property to a class; existing objects get `zero`, an SQL literal.
    pub(super) fn add_property(
        connection: &Connection,
        class: &Name,
        property: &Property,
        zero: &str,
        is_indexed: bool,
    ) -> Result<()> {
        let id = class_id(connection, class)?;
        let number: u32 = connection
            .prepare_cached(
                "SELECT coalesce(max(number) + 1, 0) FROM property WHERE class_id = ?1",
            )?
            .query_row([id], |row| row.get(0))?;
        Self::insert_property(connection, id, number, property, false)?;
        Self::add_column(connection, id, number, zero, is_indexed)
    }

    /// Adds a column to the table of a class, without a word in the catalogue.
    pub(super) fn add_column(
        connection: &Connection,
        id: i64,
        number: u32,
        zero: &str,
        is_indexed: bool,
    ) -> Result<()> {
        connection
            .execute_batch(&format!("ALTER TABLE o{id} ADD COLUMN p{number} ANY DEFAULT {zero}"))?;
        if is_indexed {
            connection.execute_batch(&format!(
                "CREATE INDEX o{id}_p{number} ON o{id} (p{number}) WHERE p{number} IS NOT NULL"
            ))?;
        }
        Ok(())
    }

    /// Writes down a property, without an index.
    pub(super) fn insert_property(
        connection: &Connection,
        class_id: i64,
        number: u32,
        property: &Property,
        is_primary_key: bool,
    ) -> Result<()> {
        connection
            .prepare_cached("INSERT INTO property VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)")?
            .execute(params![
                class_id,
                number,
                &*property.name,
                property.ty.name(),
                property.nullable,
                property.target.as_deref(),
                is_primary_key,
                property.collection.name(),
            ])?;
        Ok(())
    }

    /// Drops a class with its objects.
    pub(super) fn drop_class(connection: &Connection, class: &Name) -> Result<()> {
        let id = class_id(connection, class)?;
        for number in numbers(connection, id)? {
            drop_index(connection, id, number)?;
        }
        connection.prepare_cached("DELETE FROM property WHERE class_id = ?1")?.execute([id])?;
        connection.prepare_cached("DELETE FROM class WHERE id = ?1")?.execute([id])?;
        connection.prepare_cached("DELETE FROM content_link WHERE class_id = ?1")?.execute([id])?;
        Ok(connection.execute_batch(&format!("DROP TABLE o{id}"))?)
    }

    /// Drops a property with the values in it.
    pub(super) fn drop_property(
        connection: &Connection,
        class: &Name,
        property: &Name,
    ) -> Result<()> {
        let id = class_id(connection, class)?;
        let number: u32 = connection
            .prepare_cached(
                "DELETE FROM property WHERE class_id = ?1 AND name = ?2 RETURNING number",
            )?
            .query_row(params![id, &**property], |row| row.get(0))?;
        connection
            .prepare_cached("DELETE FROM content_link WHERE class_id = ?1 AND number = ?2")?
            .execute(params![id, number])?;
        drop_index(connection, id, number)?;
        Ok(connection.execute_batch(&format!("ALTER TABLE o{id} DROP COLUMN p{number}"))?)
    }
}

impl Described {
    fn indexes(&self) -> impl Iterator<Item = (&Name, &Name, IndexKind)> {
        let properties = self.schema.properties.iter().zip(&self.indexes);
        properties.filter_map(|(property, index)| {
            index.map(|kind| (&self.schema.name, &property.name, kind))
        })
    }
}

fn with_indexes<'a>(
    schema: Schema,
    mut indexes: impl Iterator<Item = (&'a Name, &'a Name, IndexKind)>,
) -> Result<Schema, SchemaError> {
    indexes.try_fold(schema, |schema, (class, property, kind)| {
        schema.with_index(class.clone(), property.clone(), kind)
    })
}

fn numbers(connection: &Connection, class_id: i64) -> Result<Vec<u32>> {
    let mut statement =
        connection.prepare_cached("SELECT number FROM property WHERE class_id = ?1")?;
    let numbers = statement.query_map([class_id], |row| row.get(0))?;
    Ok(numbers.collect::<rusqlite::Result<_>>()?)
}

fn class_id(connection: &Connection, class: &Name) -> Result<i64> {
    let mut statement = connection.prepare_cached("SELECT id FROM class WHERE name = ?1")?;
    Ok(statement.query_row([&**class], |row| row.get(0))?)
}

fn schema_version(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("PRAGMA schema_version")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

fn describe(connection: &Connection) -> Result<Vec<Described>> {
    let mut statement = connection.prepare_cached(
        "SELECT c.id, c.name, c.embedded, p.number, p.name, p.type, p.nullable, p.target,
                p.is_primary_key, p.collection, p.indexed
         FROM class c LEFT JOIN property p ON p.class_id = c.id ORDER BY c.id, p.number",
    )?;
    let mut rows = statement.query([])?;
    let mut described: Vec<Described> = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if described.last().is_none_or(|last| last.id != id) {
            let name: String = row.get(1)?;
            let schema = ClassSchema {
                name: name.into(),
                primary_key: "".into(),
                properties: Vec::new(),
                embedded: row.get(2)?,
            };
            described.push(Described { id, schema, numbers: Vec::new(), indexes: Vec::new() });
        }
        let class = described.last_mut().expect("pushed just above");
        let Some(number) = row.get::<_, Option<u32>>(3)? else { continue };
        let property = read_property(row)?;
        if row.get(8)? {
            class.schema.primary_key = property.name.clone();
        }
        class.schema.properties.push(property);
        class.numbers.push(number);
        let index: Option<String> = row.get(10)?;
        class.indexes.push(index.as_deref().map(kind_from_name).transpose()?);
    }
    Ok(described)
}

fn read_property(row: &Row<'_>) -> Result<Property> {
    let (name, ty): (String, String) = (row.get(4)?, row.get(5)?);
    let (target, collection): (Option<String>, String) = (row.get(7)?, row.get(9)?);
    let Some(ty) = PropertyType::from_name(&ty) else {
        return Err(StoreError::corrupted(format!("unknown property type \"{ty}\"")));
    };
    let Some(collection) = CollectionType::from_name(&collection) else {
        return Err(StoreError::corrupted(format!("unknown collection \"{collection}\"")));
    };
    let target = target.map(Name::from);
    Ok(Property { name: name.into(), ty, nullable: row.get(6)?, collection, target })
}

fn column(
    property: &Property,
    number: u32,
    class: &Described,
    schema: &Schema,
    ids: &BTreeMap<&Name, i64>,
) -> Column {
    let is_content = !schema.is_scalar(property);
    let target = property.target.as_ref().filter(|_| !is_content);
    Column {
        property: property.clone(),
        number,
        is_primary_key: property.name == class.schema.primary_key,
        is_content,
        index: schema.index(&class.schema.name, &property.name),
        target_key: target.and_then(|name| schema.class(name)).map(ClassSchema::key_kind),
        target_id: target.and_then(|name| ids.get(name)).copied(),
    }
}
