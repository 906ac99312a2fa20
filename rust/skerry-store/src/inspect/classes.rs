//! The classes of a file: their definitions, how many objects they have, and what room these take.

use std::collections::BTreeMap;

use rusqlite::Connection;
use skerry_model::{ClassSchema, IndexKind, Name};

use super::Depth;
use super::access::Opened;
use super::report::number;
use crate::error::Result;
use crate::objects::{ClassTable, Column};

/// A class.
#[derive(Clone, Debug)]
pub struct ClassFacts {
    /// Its definition.
    pub schema: ClassSchema,
    /// The declared index of each property, in the order of the properties.
    pub indexes: Vec<Option<IndexKind>>,
    /// How many objects it has; `None` for embedded ones.
    pub objects: Option<u64>,
    /// How many links of its objects dangle: those that are scalars, and of the others each target once
    /// per property of an object. `None` unless everything was asked for, and for embedded classes,
    /// whose links count where their objects are.
    pub dangling_links: Option<u64>,
}

/// What room a table takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// Its name, or that of an index.
    pub name: String,
    /// The class whose objects it holds or finds.
    pub class: Option<Name>,
    /// Pages.
    pub pages: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes in them that are not used.
    pub unused_bytes: u64,
}

/// The classes, by name.
pub(super) fn facts(opened: &Opened<'_>, depth: Depth) -> Result<Vec<ClassFacts>> {
    let Opened { connection, tables, .. } = opened;
    let schema = tables.catalogue().schema();
    let describe = |class: &ClassSchema| {
        let (objects, dangling_links) = match tables.catalogue().class(&class.name) {
            None => (None, None),
            Some(table) => {
                let dangling_links = match depth {
                    Depth::Overview => None,
                    Depth::Everything => Some(dangling(opened, table)?),
                };
                (Some(tables.count(connection, &class.name)?), dangling_links)
            }
        };
        let properties = class.properties.iter();
        let indexes = properties.map(|property| schema.index(&class.name, &property.name));
        let indexes = indexes.collect();
        Ok(ClassFacts { schema: class.clone(), indexes, objects, dangling_links })
    };
    schema.classes().map(describe).collect()
}

fn dangling(opened: &Opened<'_>, table: &ClassTable) -> Result<u64> {
    let connection = opened.connection;
    let mut found = 0;
    for column in &table.columns {
        if let Some(target) = column.target_id {
            found += dangling_scalars(connection, table, column, target)?;
        }
    }
    let mut statement =
        connection.prepare("SELECT DISTINCT target_class FROM content_link WHERE class_id = ?1")?;
    let targets = statement.query_map([table.id], |row| row.get::<_, String>(0))?;
    for target in targets.collect::<rusqlite::Result<Vec<_>>>()? {
        // What is of no class is of no object.
        let absent = opened.tables.catalogue().class(&target).map_or_else(String::new, |target| {
            let (name, key) = (target.table(), target.key_column().sql_name());
            format!("AND NOT EXISTS (SELECT 1 FROM {name} t WHERE t.{key} = c.target_key)")
        });
        let sql = format!(
            "SELECT count(*) FROM content_link c WHERE class_id = ?1 AND target_class = ?2 {absent}"
        );
        let parameters = rusqlite::params![table.id, target];
        found += connection.query_row(&sql, parameters, |row| number(row, 0))?;
    }
    Ok(found)
}

fn dangling_scalars(
    connection: &Connection,
    table: &ClassTable,
    column: &Column,
    target: i64,
) -> Result<u64> {
    let (name, link) = (table.table(), column.sql_name());
    let sql = format!(
        "SELECT count(*) FROM {name} s WHERE {link} IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM o{target} t WHERE t.p0 = s.{link})"
    );
    Ok(connection.query_row(&sql, [], |row| number(row, 0))?)
}

/// What room the tables and indexes take, the largest first. Reads every page.
pub(super) fn table_sizes(opened: &Opened<'_>) -> Result<Vec<TableSize>> {
    let classes = opened.tables.catalogue().classes();
    let classes: BTreeMap<String, &Name> =
        classes.map(|table| (table.table(), &table.schema.name)).collect();
    // The aggregated form has one row for each table and index.
    let mut statement = opened.connection.prepare(
        "SELECT name, pageno, pgsize, unused FROM dbstat WHERE aggregate = TRUE
         ORDER BY pgsize DESC, name",
    )?;
    let sizes = statement.query_map([], |row| {
        let name: String = row.get(0)?;
        // Indexes and words of class 7 are o7_….
        let of = name.split('_').next().unwrap_or_default();
        let class = classes.get(of).map(|&class| class.clone());
        let (pages, bytes, unused_bytes) = (number(row, 1)?, number(row, 2)?, number(row, 3)?);
        Ok(TableSize { name, class, pages, bytes, unused_bytes })
    })?;
    Ok(sizes.collect::<rusqlite::Result<_>>()?)
}
