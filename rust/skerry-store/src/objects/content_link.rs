//! Which objects hold a link to an object, in scalar links and inside contents.
//!
//! Links inside contents stand in a side table, one row for each property that holds one or several
//! to the same target. Invariant: as far as contents are written, the side table says what a scan
//! of them would find. It names targets by class name and key, so that a target may be absent and
//! come back, like a link itself.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use skerry_model::{Content, Link, Name, ObjectRef};

use super::holders::contents_may_link;
use super::{ClassTable, Column, ObjectTables, OpenContents, key_from_sql, key_to_sql};
use crate::error::Result;

/// The side table; run once in a new file.
pub(super) const CREATE_CONTENT_LINK: &str = "
CREATE TABLE content_link (
    target_class TEXT NOT NULL,
    target_key ANY NOT NULL,
    class_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    row_id INTEGER NOT NULL,
    PRIMARY KEY (target_class, target_key, class_id, number, row_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX content_link_holder ON content_link (class_id, row_id, number);
";

/// A property of a stored object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) class_id: i64,
    pub(super) number: u32,
    pub(super) row_id: i64,
}

/// The targets of the links in a content.
pub(super) fn links_of(content: &Content) -> BTreeSet<Link> {
    let mut links = BTreeSet::new();
    content.for_each_link(&mut |link| {
        if !links.contains(link) {
            links.insert(link.clone());
        }
    });
    links
}

/// Takes note of the links that a content gained and lost.
pub(super) fn update_links(
    connection: &Connection,
    place: Place,
    before: &BTreeSet<Link>,
    after: &BTreeSet<Link>,
) -> Result<()> {
    let Place { class_id, number, row_id } = place;
    let run = |sql: &str, link: &Link| -> Result<()> {
        let (class, key) = (&*link.class, key_to_sql(&link.key));
        connection.prepare_cached(sql)?.execute(params![class, key, class_id, number, row_id])?;
        Ok(())
    };
    for lost in before.difference(after) {
        run(
            "DELETE FROM content_link WHERE target_class = ?1 AND target_key = ?2
                 AND class_id = ?3 AND number = ?4 AND row_id = ?5",
            lost,
        )?;
    }
    for gained in after.difference(before) {
        run("INSERT OR IGNORE INTO content_link VALUES (?1, ?2, ?3, ?4, ?5)", gained)?;
    }
    Ok(())
}

/// Forgets what a property held.
pub(super) fn forget_links_in(connection: &Connection, place: Place) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM content_link WHERE class_id = ?1 AND row_id = ?2 AND number = ?3",
        )?
        .execute(params![place.class_id, place.row_id, place.number])?;
    Ok(())
}

/// Forgets what an object held.
pub(super) fn forget_links_of(connection: &Connection, class_id: i64, row_id: i64) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM content_link WHERE class_id = ?1 AND row_id = ?2")?
        .execute([class_id, row_id])?;
    Ok(())
}

impl ObjectTables {
    /// The objects and properties that hold a link to an object, whether it exists or not, at
    /// whatever depth; each once, by class name, property number and order of insertion.
    pub fn holders(
        &self,
        connection: &Connection,
        object: &ObjectRef,
    ) -> Result<Vec<(ObjectRef, Name)>> {
        self.holders_with(connection, &OpenContents::default(), object)
    }

    /// As [`ObjectTables::holders`], with contents that have not been written back.
    pub(crate) fn holders_with(
        &self,
        connection: &Connection,
        open: &OpenContents,
        object: &ObjectRef,
    ) -> Result<Vec<(ObjectRef, Name)>> {
        self.checked("read", &object.class, &object.key)?;
        // Most deletions are of objects to which nothing can link from inside of something.
        let mut contents = if contents_may_link(self, &object.class) {
            content_holders(connection, object)?
        } else {
            HolderRows::new()
        };
        let link = Link { class: object.class.clone(), key: object.key.clone() };
        open.correct_holders(&link, &mut contents);
        let mut holders = Vec::new();
        for table in self.catalogue().classes() {
            let mut columns: Vec<&Column> = table.columns.iter().collect();
            columns.sort_by_key(|column| column.number);
            for column in columns {
                if column.is_content {
                    let rows = contents.remove(&(table.id, column.number)).unwrap_or_default();
                    for row_id in rows {
                        holders.extend(holder_at(connection, table, column, row_id)?);
                    }
                } else if column.property.target.as_ref() == Some(&object.class) {
                    scalar_holders(connection, table, column, object, &mut holders)?;
                }
            }
        }
        Ok(holders)
    }
}

/// Rows by class and property number.
pub(super) type HolderRows = BTreeMap<(i64, u32), BTreeSet<i64>>;

fn content_holders(connection: &Connection, object: &ObjectRef) -> Result<HolderRows> {
    let mut statement = connection.prepare_cached(
        "SELECT class_id, number, row_id FROM content_link
         WHERE target_class = ?1 AND target_key = ?2",
    )?;
    let mut rows = statement.query(params![&*object.class, key_to_sql(&object.key)])?;
    let mut found = HolderRows::new();
    while let Some(row) = rows.next()? {
        found.entry((row.get(0)?, row.get(1)?)).or_default().insert(row.get(2)?);
    }
    Ok(found)
}

fn holder_at(
    connection: &Connection,
    table: &ClassTable,
    column: &Column,
    row_id: i64,
) -> Result<Option<(ObjectRef, Name)>> {
    let (key, name) = (table.key_column().sql_name(), table.table());
    let mut statement =
        connection.prepare_cached(&format!("SELECT {key} FROM {name} WHERE row_id = ?1"))?;
    let mut rows = statement.query([row_id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let key = key_from_sql(table.key, row.get_ref(0)?)?;
    let holder = ObjectRef { class: table.schema.name.clone(), key };
    Ok(Some((holder, column.property.name.clone())))
}

fn scalar_holders(
    connection: &Connection,
    table: &ClassTable,
    column: &Column,
    object: &ObjectRef,
    holders: &mut Vec<(ObjectRef, Name)>,
) -> Result<()> {
    let key = table.key_column().sql_name();
    let (name, link) = (table.table(), column.sql_name());
    let mut statement = connection
        .prepare_cached(&format!("SELECT {key} FROM {name} WHERE {link} = ?1 ORDER BY row_id"))?;
    let mut rows = statement.query([key_to_sql(&object.key)])?;
    while let Some(row) = rows.next()? {
        let key = key_from_sql(table.key, row.get_ref(0)?)?;
        let holder = ObjectRef { class: table.schema.name.clone(), key };
        holders.push((holder, column.property.name.clone()));
    }
    Ok(())
}
