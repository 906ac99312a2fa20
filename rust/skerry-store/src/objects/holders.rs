//! Rows that hold links to other rows, found through the indexes of links.
//!
//! Invariant: it says what is written in the tables; contents that a transaction has open count when
//! they are written back. Links inside contents are told by their property, however deep they are.

use rusqlite::{Connection, params};
use skerry_model::{Name, ObjectKey, Property, PropertyType, Schema};

use super::{ClassTable, Column, ObjectTables, key_to_sql};
use crate::error::Result;

/// Is told of a holder: number of its class, of the property, and its row.
pub(crate) type Visit<'v> = dyn FnMut(i64, u32, i64) + 'v;

/// Whether the holders of a class (by its number) with a property (by its number) are wanted.
pub(crate) type Wanted<'w> = dyn Fn(i64, u32) -> bool + 'w;

/// The holders of links to the object with this key, whether it exists or not.
pub(super) fn holders_of_key(
    tables: &ObjectTables,
    connection: &Connection,
    target: &ClassTable,
    key: &ObjectKey,
    visit: &mut Visit<'_>,
) -> Result<()> {
    for (holder, column) in link_columns(tables, target) {
        let sql = format!("SELECT row_id FROM o{} WHERE p{} = ?1", holder.id, column.number);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([key_to_sql(key)])?;
        while let Some(row) = rows.next()? {
            visit(holder.id, column.number, row.get(0)?);
        }
    }
    if contents_may_link(tables, &target.schema.name) {
        let mut statement = connection.prepare_cached(
            "SELECT class_id, number, row_id FROM content_link
             WHERE target_class = ?1 AND target_key = ?2",
        )?;
        let mut rows = statement.query(params![&*target.schema.name, key_to_sql(key)])?;
        while let Some(row) = rows.next()? {
            visit(row.get(0)?, row.get(1)?, row.get(2)?);
        }
    }
    Ok(())
}

/// The holders of links to the objects in some rows of a class.
pub(crate) fn holders_of_rows(
    tables: &ObjectTables,
    connection: &Connection,
    target: &ClassTable,
    ranges: &[(i64, i64)],
    wanted: &Wanted<'_>,
    visit: &mut Visit<'_>,
) -> Result<()> {
    for (holder, column) in link_columns(tables, target) {
        if !wanted(holder.id, column.number) {
            continue;
        }
        let sql = format!(
            "SELECT h.row_id FROM o{} t CROSS JOIN o{} h ON h.p{} = t.p0
             WHERE t.row_id BETWEEN ?1 AND ?2",
            target.id, holder.id, column.number
        );
        let mut statement = connection.prepare_cached(&sql)?;
        for &(first, last) in ranges {
            let mut rows = statement.query([first, last])?;
            while let Some(row) = rows.next()? {
                visit(holder.id, column.number, row.get(0)?);
            }
        }
    }
    if !contents_may_link(tables, &target.schema.name) {
        return Ok(());
    }
    let sql = format!(
        "SELECT c.class_id, c.number, c.row_id FROM o{} t CROSS JOIN content_link c
             ON c.target_class = ?3 AND c.target_key = t.p0
         WHERE t.row_id BETWEEN ?1 AND ?2",
        target.id
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for &(first, last) in ranges {
        let mut rows = statement.query(params![first, last, &*target.schema.name])?;
        while let Some(row) = rows.next()? {
            let (class_id, number) = (row.get(0)?, row.get(1)?);
            if wanted(class_id, number) {
                visit(class_id, number, row.get(2)?);
            }
        }
    }
    Ok(())
}

/// The columns of scalar links to a class.
fn link_columns<'t>(
    tables: &'t ObjectTables,
    target: &'t ClassTable,
) -> impl Iterator<Item = (&'t ClassTable, &'t Column)> {
    tables.catalogue().classes().flat_map(move |holder| {
        let columns = holder.columns.iter();
        let columns = columns.filter(move |column| column.target_id == Some(target.id));
        columns.map(move |column| (holder, column))
    })
}

/// Whether something that is no scalar may hold links to a class.
pub(super) fn contents_may_link(tables: &ObjectTables, target: &Name) -> bool {
    let schema = tables.catalogue().schema();
    tables.catalogue().classes().any(|table| {
        let mut contents = table.columns.iter().filter(|column| column.is_content);
        contents.any(|column| match link_targets(schema, &column.property) {
            LinkTargets::Every => true,
            LinkTargets::These(targets) => targets.contains(&target),
        })
    })
}

/// Whether something in the objects of a class that is no scalar may hold links.
pub(super) fn contents_hold_links(schema: &Schema, table: &ClassTable) -> bool {
    let mut contents = table.columns.iter().filter(|column| column.is_content);
    contents.any(|column| may_hold_links(schema, &column.property))
}

/// Whether something in the property may be a link to an object of its own.
pub(crate) fn may_hold_links(schema: &Schema, property: &Property) -> bool {
    link_targets(schema, property) != LinkTargets::These(Vec::new())
}

/// To which classes links in a property may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkTargets<'s> {
    /// There may be a mixed.
    Every,
    /// To these.
    These(Vec<&'s Name>),
}

/// The classes to which the links lead that a property holds, also those in embedded objects.
pub(crate) fn link_targets<'s>(schema: &'s Schema, property: &'s Property) -> LinkTargets<'s> {
    let (mut targets, mut seen) = (Vec::new(), Vec::new());
    if gather(schema, property, &mut targets, &mut seen) {
        LinkTargets::Every
    } else {
        LinkTargets::These(targets)
    }
}

/// Whether there may be a mixed.
fn gather<'s>(
    schema: &'s Schema,
    property: &'s Property,
    targets: &mut Vec<&'s Name>,
    seen: &mut Vec<&'s Name>,
) -> bool {
    if property.ty == PropertyType::Mixed {
        return true;
    }
    let Some(name) = property.target.as_ref() else { return false };
    let Some(class) = schema.class(name).filter(|class| class.embedded) else {
        if !targets.contains(&name) {
            targets.push(name);
        }
        return false;
    };
    if seen.contains(&name) {
        return false;
    }
    seen.push(name);
    class.properties.iter().any(|inner| gather(schema, inner, targets, seen))
}
