//! Which classes a file has, and the statements prepared for each.
//!
//! Invariant: a [`Catalogue`] says what the two catalogue tables said when it was loaded or changed;
//! [`Catalogue::is_current`] tells whether somebody has changed them since. Tables and columns have
//! numbers for names, so any class or property name is possible.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params};
use skerry_model::{ClassSchema, CollectionType, Name, Property, PropertyType, Schema, Value};
use skerry_query::PropertyRef;

use super::column::{Column, KeyKind};
use crate::error::{Result, StoreError};

/// The catalogue tables; run once in a new file.
pub(super) const CREATE_CATALOGUE: &str = "
CREATE TABLE class (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE property (
    class_id INTEGER NOT NULL REFERENCES class (id),
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    nullable INTEGER NOT NULL,
    target TEXT,
    is_primary_key INTEGER NOT NULL,
    PRIMARY KEY (class_id, number),
    UNIQUE (class_id, name)
) STRICT, WITHOUT ROWID;
";

/// One class: its properties and the texts of its statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassTable {
    /// Number of the class; its table is `o<id>`.
    pub id: i64,
    /// The class as callers see it: declared properties first, in the order of declaration.
    pub schema: ClassSchema,
    /// The columns, in the order of `schema.properties`.
    pub columns: Vec<Column>,
    /// What a new object has in each of them.
    pub(super) zeros: Vec<Value>,
    /// What the primary keys are.
    pub key: KeyKind,
    pub(super) sql: ClassSql,
}

/// Statement texts, made once, so that the statement cache finds them without formatting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClassSql {
    pub(super) insert: Box<str>,
    /// As `insert`, with all columns, in order.
    pub(super) insert_whole: Box<str>,
    pub(super) delete: Box<str>,
    pub(super) exists: Box<str>,
    pub(super) count: Box<str>,
    pub(super) read: Box<str>,
    pub(super) scan: Box<str>,
    /// As `read` and `scan`, with dangling links as null.
    pub(super) read_visible: Box<str>,
    pub(super) scan_visible: Box<str>,
    pub(super) keys: Box<str>,
    /// One `UPDATE … SET p = ?1 WHERE key = ?2` per column.
    pub(super) update: Vec<Box<str>>,
    /// One `SELECT p … WHERE key = ?1` per column.
    pub(super) read_one: Vec<Box<str>>,
}

/// A link property: which class it is in, and its column.
#[derive(Clone, Copy, Debug)]
pub struct IncomingColumn<'c> {
    /// The class that holds the link.
    pub class: &'c ClassTable,
    /// The link.
    pub column: &'c Column,
}

/// All classes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    classes: BTreeMap<Name, ClassTable>,
    schema: Arc<Schema>,
    /// `SQLite`'s schema version at the time of loading.
    schema_version: i64,
}

impl ClassTable {
    /// Name of the class's table.
    pub fn table(&self) -> String {
        format!("o{}", self.id)
    }

    /// The column of that property.
    pub fn column(&self, property: &str) -> Option<&Column> {
        self.schema.position(property).map(|position| &self.columns[position])
    }

    /// `SELECT` of all columns as an application sees them, to be followed by a `WHERE`.
    pub(crate) fn visible_scan_sql(&self) -> &str {
        &self.sql.scan_visible
    }

    /// Position of a property that a query names. Its index there is right when the query was
    /// compiled with this order of properties; the name decides.
    pub fn resolve(&self, property: &PropertyRef) -> Option<usize> {
        match self.columns.get(property.index) {
            Some(column) if column.property.name == property.name => Some(property.index),
            Some(_) | None => self.schema.position(&property.name),
        }
    }

    /// The primary-key column.
    pub fn key_column(&self) -> &Column {
        self.columns.iter().find(|column| column.is_primary_key).expect("a class has a key")
    }

    fn new(id: i64, name: Name, columns: Vec<Column>) -> Result<Self> {
        let Some(key) = columns.iter().find(|column| column.is_primary_key) else {
            return Err(StoreError::corrupted(format!("class \"{name}\" has no primary key")));
        };
        let key_kind = KeyKind { ty: key.property.ty, nullable: key.property.nullable };
        let schema = ClassSchema {
            embedded: false,
            name,
            primary_key: key.property.name.clone(),
            properties: columns.iter().map(|column| column.property.clone()).collect(),
        };
        let sql = ClassSql::new(id, &columns, &key.sql_name());
        let zeros = columns.iter().map(Column::zero).collect();
        Ok(Self { id, schema, columns, zeros, key: key_kind, sql })
    }

    /// Puts the declared properties first, in the order of declaration.
    fn reorder(&self, declared: &ClassSchema) -> Self {
        let mut columns = self.columns.clone();
        columns.sort_by_key(|column| {
            let position = declared.position(&column.property.name);
            (position.unwrap_or(usize::MAX), column.number)
        });
        Self::new(self.id, self.schema.name.clone(), columns).expect("the key is still there")
    }
}

impl ClassSql {
    fn new(id: i64, columns: &[Column], key: &str) -> Self {
        let all: Vec<String> = columns.iter().map(Column::sql_name).collect();
        let all = all.join(", ");
        let places = vec!["?"; columns.len()].join(", ");
        let table = format!("o{id}");
        let visible: Vec<String> =
            columns.iter().map(|column| column.visible_sql(&table)).collect();
        let visible = visible.join(", ");
        let each = |text: &dyn Fn(&str) -> String| {
            columns.iter().map(|column| text(&column.sql_name()).into()).collect()
        };
        Self {
            insert: format!("INSERT OR IGNORE INTO o{id} ({key}) VALUES (?1)").into(),
            insert_whole: format!("INSERT OR IGNORE INTO o{id} ({all}) VALUES ({places})").into(),
            delete: format!("DELETE FROM o{id} WHERE {key} = ?1").into(),
            exists: format!("SELECT 1 FROM o{id} WHERE {key} = ?1").into(),
            count: format!("SELECT count(*) FROM o{id}").into(),
            read: format!("SELECT {all} FROM o{id} WHERE {key} = ?1").into(),
            scan: format!("SELECT {all} FROM o{id}").into(),
            read_visible: format!("SELECT {visible} FROM o{id} WHERE {key} = ?1").into(),
            scan_visible: format!("SELECT {visible} FROM o{id}").into(),
            keys: format!("SELECT {key} FROM o{id} ORDER BY rowid").into(),
            update: each(&|name| format!("UPDATE o{id} SET {name} = ?1 WHERE {key} = ?2")),
            read_one: each(&|name| format!("SELECT {name} FROM o{id} WHERE {key} = ?1")),
        }
    }
}

impl Catalogue {
    /// Reads the catalogue tables.
    pub fn load(connection: &Connection) -> Result<Self> {
        let schema_version = schema_version(connection)?;
        let mut by_id: BTreeMap<i64, (Name, Vec<Column>)> = BTreeMap::new();
        let mut statement = connection.prepare_cached(
            "SELECT c.id, c.name, p.number, p.name, p.type, p.nullable, p.target, p.is_primary_key
             FROM class c JOIN property p ON p.class_id = c.id ORDER BY c.id, p.number",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            let entry = by_id.entry(row.get(0)?).or_insert_with(|| (name.into(), Vec::new()));
            entry.1.push(read_column(row)?);
        }
        let keys: BTreeMap<Name, (i64, KeyKind)> = by_id
            .iter()
            .filter_map(|(id, (name, columns))| {
                let key = columns.iter().find(|column| column.is_primary_key)?;
                let (ty, nullable) = (key.property.ty, key.property.nullable);
                Some((name.clone(), (*id, KeyKind { ty, nullable })))
            })
            .collect();
        let mut classes = BTreeMap::new();
        for (id, (name, mut columns)) in by_id {
            for column in &mut columns {
                if let Some(target) = &column.property.target {
                    let Some((target_id, key)) = keys.get(target) else {
                        return Err(StoreError::corrupted(format!("no link target \"{target}\"")));
                    };
                    column.target_key = Some(*key);
                    column.target_id = Some(*target_id);
                }
            }
            classes.insert(name.clone(), ClassTable::new(id, name, columns)?);
        }
        Ok(Self { schema: schema_of(&classes)?, classes, schema_version })
    }

    /// Whether the tables are still as they were loaded, in the transaction of `connection`.
    pub fn is_current(&self, connection: &Connection) -> Result<bool> {
        Ok(self.schema_version == schema_version(connection)?)
    }

    /// The class of that name.
    pub fn class(&self, name: &str) -> Option<&ClassTable> {
        self.classes.get(name)
    }

    /// All classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &ClassTable> {
        self.classes.values()
    }

    /// The link properties whose target is `class`, by class name and property number.
    pub fn incoming<'c>(&'c self, class: &str) -> impl Iterator<Item = IncomingColumn<'c>> {
        self.classes.values().flat_map(move |table| {
            let links = table.columns.iter().filter(move |column| {
                column.property.target.as_ref().is_some_and(|target| &**target == class)
            });
            links.map(move |column| IncomingColumn { class: table, column })
        })
    }

    /// The classes as a schema.
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
        let classes = classes.collect();
        let schema = schema_of(&classes).expect("another order of properties breaks no rule");
        Self { classes, schema, schema_version: self.schema_version }
    }

    /// Makes the table of a new class, with its primary key alone.
    pub(super) fn add_class(connection: &Connection, name: &Name, key: &Property) -> Result<()> {
        connection.prepare_cached("INSERT INTO class (name) VALUES (?1)")?.execute([&**name])?;
        let id = connection.last_insert_rowid();
        insert_property(connection, id, 0, key, true)?;
        // The rowid gives insertion order, in which unsorted results come.
        connection.execute_batch(&format!(
            "CREATE TABLE o{id} (row_id INTEGER PRIMARY KEY, p0 ANY NOT NULL) STRICT;
             CREATE UNIQUE INDEX o{id}_key ON o{id} (p0);"
        ))?;
        Ok(())
    }

    /// Adds a column to a class; existing objects get `zero`, an SQL literal.
    pub(super) fn add_property(
        connection: &Connection,
        table: &ClassTable,
        property: &Property,
        zero: &str,
    ) -> Result<()> {
        let number =
            table.columns.iter().map(|column| column.number).max().expect("there is a key") + 1;
        let id = table.id;
        insert_property(connection, id, number, property, false)?;
        connection
            .execute_batch(&format!("ALTER TABLE o{id} ADD COLUMN p{number} ANY DEFAULT {zero}"))?;
        if property.ty == PropertyType::Link {
            connection.execute_batch(&format!(
                "CREATE INDEX o{id}_p{number} ON o{id} (p{number}) WHERE p{number} IS NOT NULL"
            ))?;
        }
        Ok(())
    }
}

fn schema_of(classes: &BTreeMap<Name, ClassTable>) -> Result<Arc<Schema>> {
    let schema = Schema::new(classes.values().map(|class| class.schema.clone()));
    Ok(Arc::new(schema.map_err(StoreError::corrupted)?))
}

fn schema_version(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("PRAGMA schema_version")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

fn insert_property(
    connection: &Connection,
    class_id: i64,
    number: u32,
    property: &Property,
    is_primary_key: bool,
) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO property VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            class_id,
            number,
            &*property.name,
            type_name(property.ty),
            property.nullable,
            property.target.as_deref(),
            is_primary_key,
        ])?;
    Ok(())
}

fn read_column(row: &rusqlite::Row<'_>) -> Result<Column> {
    let (name, ty): (String, String) = (row.get(3)?, row.get(4)?);
    let target: Option<String> = row.get(6)?;
    let Some(ty) = type_of_name(&ty) else {
        return Err(StoreError::corrupted(format!("unknown property type \"{ty}\"")));
    };
    let property = Property {
        name: name.into(),
        ty,
        nullable: row.get(5)?,
        collection: CollectionType::Single,
        target: target.map(Name::from),
    };
    let (number, is_primary_key) = (row.get(2)?, row.get(7)?);
    Ok(Column { property, number, is_primary_key, target_key: None, target_id: None })
}

const TYPE_NAMES: [(PropertyType, &str); 10] = [
    (PropertyType::Int, "int"),
    (PropertyType::Bool, "bool"),
    (PropertyType::String, "string"),
    (PropertyType::Binary, "data"),
    (PropertyType::Timestamp, "date"),
    (PropertyType::Double, "double"),
    (PropertyType::Decimal, "decimal128"),
    (PropertyType::Link, "object"),
    (PropertyType::ObjectId, "objectId"),
    (PropertyType::Uuid, "uuid"),
];

/// Whether properties of that type can be stored.
pub(super) fn is_stored(ty: PropertyType) -> bool {
    TYPE_NAMES.iter().any(|(known, _)| *known == ty)
}

fn type_name(ty: PropertyType) -> &'static str {
    let found = TYPE_NAMES.iter().find(|(known, _)| *known == ty);
    found.expect("checked by `is_stored` before a property is added").1
}

fn type_of_name(name: &str) -> Option<PropertyType> {
    TYPE_NAMES.iter().find(|(_, known)| *known == name).map(|(ty, _)| *ty)
}
