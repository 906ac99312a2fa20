//! New primary keys for the objects of a class.
//!
//! Invariant: when the primary key becomes another property or gets another type, every object has a
//! new key that is of the type and that no other has, or the migration is refused before anything is
//! written.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use skerry_model::{ClassSchema, CollectionType, KeyKind, Name, ObjectKey, Property};

use super::lineage::{Lineage, Plan, refusal};
use super::{Catalogue, ClassTable, KeyMap, key_from_sql};
use crate::error::Result;
use crate::objects::key_to_sql;

/// Completes the plan: the keys of classes whose key is another property now, and checks them all.
pub(super) fn resolve(
    connection: &Connection,
    old: &Catalogue,
    lineage: &Lineage,
    plan: &mut Plan,
) -> Result<()> {
    for class in lineage.after.classes().filter(|class| !class.embedded) {
        let origin = lineage.origin(&class.name);
        let Some(table) = origin.and_then(|origin| old.class(&origin.name)) else { continue };
        let source = lineage.origin_of(&class.name, &class.primary_key);
        let keys = match plan.keys.remove(&class.name) {
            Some(given) => Some(complete(connection, table, &class.name, &given)?),
            None => found(connection, table, class, source)?,
        };
        let Some(keys) = keys else { continue };
        check(class, &keys)?;
        if keys.iter().any(|(old, new)| old != new) {
            plan.keys.insert(class.name.clone(), keys);
        }
    }
    let unknown = |name: &&Name| {
        let class = lineage.after.class(name);
        class.is_none_or(|class| class.embedded) || lineage.origin(name).is_none()
    };
    match plan.keys.keys().find(unknown) {
        Some(name) => {
            Err(refusal(name, None, "it gets new keys, but the file does not have it".to_owned()))
        }
        None => Ok(()),
    }
}

/// The keys that were given for all objects there are.
fn complete(
    connection: &Connection,
    table: &ClassTable,
    class: &Name,
    given: &KeyMap,
) -> Result<KeyMap> {
    let mut keys = KeyMap::new();
    for_each(connection, table, "p0", |key, _| {
        let Some(new) = given.get(&key) else {
            return Err(refusal(
                class,
                None,
                format!("the object with key {key:?} gets no new key"),
            ));
        };
        keys.insert(key, new.clone());
        Ok(())
    })?;
    Ok(keys)
}

/// The keys that follow from the two schemas; `None` when they stay.
fn found(
    connection: &Connection,
    table: &ClassTable,
    class: &ClassSchema,
    source: Option<&Property>,
) -> Result<Option<KeyMap>> {
    let (before, after) = (table.key_column(), class.primary_key_property());
    let source = source.and_then(|source| table.column(&source.name));
    let source = source.filter(|column| {
        column.property.ty == after.ty && column.property.collection == CollectionType::Single
    });
    let mut keys = KeyMap::new();
    let Some(source) = source else {
        let mut is_empty = true;
        for_each(connection, table, "p0", |_, _| {
            is_empty = false;
            Ok(())
        })?;
        if is_empty {
            return Ok(None);
        }
        let reason = format!(
            "its primary key \"{}\" of type {:?} becomes \"{}\" of type {:?}; give its objects new keys \
             with `rekey` in a migration function",
            before.property.name, before.property.ty, after.name, after.ty
        );
        return Err(refusal(&class.name, None, reason));
    };
    if source.is_primary_key && (after.nullable || !before.property.nullable) {
        return Ok(None);
    }
    let kind = KeyKind { ty: after.ty, nullable: true };
    for_each(connection, table, &source.sql_name(), |key, value| {
        let new = match value {
            rusqlite::types::ValueRef::Null => ObjectKey::Null,
            value => key_from_sql(kind, value)?,
        };
        keys.insert(key, new);
        Ok(())
    })?;
    Ok(Some(keys))
}

fn check(class: &ClassSchema, keys: &KeyMap) -> Result<()> {
    let kind = class.key_kind();
    let mut taken = BTreeSet::new();
    for (old, new) in keys {
        if let Err(misfit) = kind.check(new) {
            let reason = format!("the new key of the object with key {old:?}: {misfit}");
            return Err(refusal(&class.name, Some(&class.primary_key), reason));
        }
        if !taken.insert(new) {
            let reason = format!("two objects would have the primary key {new:?}");
            return Err(refusal(&class.name, Some(&class.primary_key), reason));
        }
    }
    Ok(())
}

fn for_each(
    connection: &Connection,
    table: &ClassTable,
    column: &str,
    mut visit: impl FnMut(ObjectKey, rusqlite::types::ValueRef<'_>) -> Result<()>,
) -> Result<()> {
    let sql = format!("SELECT p0, {column} FROM {}", table.table());
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(key_from_sql(table.key, row.get_ref(0)?)?, row.get_ref(1)?)?;
    }
    Ok(())
}

/// Gives the objects of a class their new keys.
pub(super) fn replace(
    connection: &Connection,
    table: &ClassTable,
    before: KeyKind,
    keys: &KeyMap,
) -> Result<()> {
    let name = table.table();
    // New keys may be old ones of other objects, so that in between there may be two of one.
    connection.execute_batch(&format!("DROP INDEX {name}_key"))?;
    let mut rows = Vec::new();
    {
        let mut statement = connection.prepare(&format!("SELECT row_id, p0 FROM {name}"))?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            rows.push((row.get::<_, i64>(0)?, key_from_sql(before, row.get_ref(1)?)?));
        }
    }
    let mut update = connection.prepare(&format!("UPDATE {name} SET p0 = ?1 WHERE row_id = ?2"))?;
    for (row_id, key) in rows {
        if let Some(new) = keys.get(&key).filter(|new| **new != key) {
            update.execute(params![key_to_sql(new), row_id])?;
        }
    }
    Ok(connection.execute_batch(&format!("CREATE UNIQUE INDEX {name}_key ON {name} (p0)"))?)
}
