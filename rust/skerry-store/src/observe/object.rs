//! `ObjectObserver`: what has changed in one object.

use skerry_model::{ClientVersion, Link, Name, ObjectKey};

use super::dirty::{Dirty, dirty};
use super::forward::{Found, found};
use super::watch::{KeyPaths, Watch};
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::contains;
use crate::realm::{Changes, Snapshot};

/// Follows an object by its key. One that is deleted and made again in between is the same object, in
/// which everything may differ.
#[derive(Debug)]
pub struct ObjectObserver {
    link: Link,
    key_paths: KeyPaths,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was looked at.
    New,
    At {
        version: ClientVersion,
        schema_version: i64,
        watch: Watch,
        row_id: i64,
    },
    Deleted,
}

/// What has happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectChange {
    /// These properties differ, or something that is watched behind their links does; in the order of
    /// the class.
    Updated(Vec<Name>),
    /// It does not exist. Nothing follows.
    Deleted,
}

impl ObjectObserver {
    /// An observer of the object with this key, with the key paths of what is watched of it; `None`
    /// watches everything up to [`super::DEPTH_MAX`] links away.
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::KeyPath`] for a key path, [`crate::StoreError::BadInstruction`] for a
    /// class or key that is wrong at the version of the snapshot.
    pub fn new(
        snapshot: &Snapshot,
        class: &Name,
        key: &ObjectKey,
        key_paths: Option<Vec<String>>,
    ) -> Result<Self> {
        let table = snapshot.tables().checked("read", class, key)?;
        let key_paths = KeyPaths(key_paths);
        Watch::compile(snapshot.tables(), table, &key_paths)?;
        let link = Link { class: class.clone(), key: key.clone() };
        Ok(Self { link, key_paths, state: State::New })
    }

    /// What has happened since the version that was looked at last, all commits together; `None` when
    /// nothing has, when the snapshot is not newer, and the first time if the object exists. After an
    /// error the observer is where it was.
    pub fn advance(&mut self, snapshot: &Snapshot) -> Result<Option<ObjectChange>> {
        let tables = snapshot.tables();
        let table = tables.checked("read", &self.link.class, &self.link.key)?;
        let schema_version = tables.catalogue().schema_version();
        let find = || snapshot.read(|connection| tables.position(connection, &self.link));
        let compile = || Watch::compile(tables, table, &self.key_paths);
        let (change, watch, found) = match &self.state {
            State::Deleted => return Ok(None),
            State::At { version, .. } if snapshot.version() <= *version => return Ok(None),
            State::New => (None, compile()?, find()?),
            State::At { version, schema_version: before, watch, row_id } => {
                let watch = if *before == schema_version { watch.clone() } else { compile()? };
                let found = find()?;
                let changes = snapshot.changes_since(*version)?;
                let change = found.map(|found| {
                    let object = (table, &self.link.key, found);
                    changed(snapshot, object, &watch, changes.as_ref(), *row_id)
                });
                (change.transpose()?, watch, found)
            }
        };
        let Some(row_id) = found else {
            self.state = State::Deleted;
            return Ok(Some(ObjectChange::Deleted));
        };
        let version = snapshot.version();
        self.state = State::At { version, schema_version, watch, row_id };
        Ok(change.filter(|names| !names.is_empty()).map(ObjectChange::Updated))
    }
}

/// The properties of an object that differ, which was in row `before`.
fn changed(
    snapshot: &Snapshot,
    (table, key, row_id): (&ClassTable, &ObjectKey, i64),
    watch: &Watch,
    changes: Option<&Changes>,
    before: i64,
) -> Result<Vec<Name>> {
    let Some(changes) = changes else { return Ok(watched(table, watch)) };
    let is_another = before != row_id
        || changes.class(table.id).is_some_and(|changes| contains(&changes.created, row_id));
    if is_another {
        return Ok(watched(table, watch));
    }
    let found = match found(snapshot, changes, watch, (table, key, row_id))? {
        Some(found) => found,
        None => found_backward(snapshot, changes, watch, row_id)?,
    };
    if found.is_any {
        return Ok(watched(table, watch));
    }
    let columns = table.columns.iter().filter(|column| found.numbers.contains(&column.number));
    Ok(columns.map(|column| column.property.name.clone()).collect())
}

fn found_backward(
    snapshot: &Snapshot,
    changes: &Changes,
    watch: &Watch,
    row_id: i64,
) -> Result<Found> {
    let Dirty { any, properties } = dirty(snapshot, changes, watch)?;
    let numbers = properties.into_iter().filter(|(_, rows)| contains(rows, row_id));
    let numbers = numbers.map(|(number, _)| number).collect();
    Ok(Found { is_any: contains(&any, row_id), numbers })
}

/// All properties that are watched, but the key, which never differs.
fn watched(table: &ClassTable, watch: &Watch) -> Vec<Name> {
    let columns = table.columns.iter().filter(|column| {
        let is_watched = match watch {
            Watch::Deep { .. } => true,
            Watch::Paths { nodes, root } => nodes[*root].numbers.contains(&column.number),
        };
        is_watched && !column.is_primary_key
    });
    columns.map(|column| column.property.name.clone()).collect()
}
