//! One class of objects: its columns and the texts of its statements.

use skerry_model::edit::Places;
use skerry_model::{ClassSchema, Content, KeyKind, Name};
use skerry_query::PropertyRef;

use super::column::Column;
use crate::error::{Result, StoreError};

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
    pub(super) zeros: Vec<Content>,
    /// The places that instructions name, of each of them.
    pub(crate) places: Vec<Places>,
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
    /// As `read` and `scan`, with scalar links that dangle as null; the latter with the row's id.
    pub(super) read_visible: Box<str>,
    pub(super) scan_visible: Box<str>,
    pub(super) keys: Box<str>,
    /// One `UPDATE … SET p = ?1 WHERE key = ?2` per column.
    pub(super) update: Vec<Box<str>>,
    /// One `SELECT p, row_id … WHERE key = ?1` per column.
    pub(super) read_one: Vec<Box<str>>,
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

    /// `SELECT` of all columns with scalar links that dangle as null, and behind them of the row's id;
    /// to be followed by a `WHERE`.
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

    pub(super) fn new(id: i64, name: Name, columns: Vec<Column>) -> Result<Self> {
        let Some(key) = columns.iter().find(|column| column.is_primary_key) else {
            return Err(StoreError::corrupted(format!("class \"{name}\" has no primary key")));
        };
        let key_kind = KeyKind { ty: key.property.ty, nullable: key.property.nullable };
        let schema = ClassSchema {
            name,
            primary_key: key.property.name.clone(),
            properties: columns.iter().map(|column| column.property.clone()).collect(),
            embedded: false,
        };
        let sql = ClassSql::new(id, &columns, &key.sql_name());
        let zeros = columns.iter().map(|column| column.property.zero()).collect();
        let places = columns.iter().map(|column| Places::of(&column.property)).collect();
        Ok(Self { id, schema, columns, zeros, places, key: key_kind, sql })
    }

    /// Puts the declared properties first, in the order of declaration.
    pub(super) fn reorder(&self, declared: &ClassSchema) -> Self {
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
            exists: format!("SELECT row_id FROM o{id} WHERE {key} = ?1").into(),
            count: format!("SELECT count(*) FROM o{id}").into(),
            read: format!("SELECT {all} FROM o{id} WHERE {key} = ?1").into(),
            scan: format!("SELECT {all} FROM o{id}").into(),
            read_visible: format!("SELECT {visible} FROM o{id} WHERE {key} = ?1").into(),
            scan_visible: format!("SELECT {visible}, row_id FROM o{id}").into(),
            keys: format!("SELECT {key} FROM o{id} ORDER BY rowid").into(),
            update: each(&|name| format!("UPDATE o{id} SET {name} = ?1 WHERE {key} = ?2")),
            read_one: each(&|name| format!("SELECT {name}, row_id FROM o{id} WHERE {key} = ?1")),
        }
    }
}
