//! `CollectionObserver`: what has changed in a list, set or dictionary of an object.
//!
//! Commits tell which property they touched and not what in it, so the elements are kept and compared.
//! Elements are compared as an application sees them: links to absent objects are not there. An element
//! in place of another is modified; so is an object in a list when something that is watched of it
//! differs.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use skerry_model::{
    ClientVersion, CollectionType, Content, Link, Name, ObjectKey, PathElement, Property,
    PropertyType, Schema, Value, ValueSet,
};

use super::diff::{Diff, ListChanges, diff, numbered, pair_replaced, ranges_of};
use super::dirty_links::DirtyLinks;
use super::watch::{KeyPaths, Watch};
use crate::error::{Result, StoreError};
use crate::objects::ClassTable;
use crate::ranges::contains;
use crate::realm::{Changes, Snapshot};

/// Follows a collection by the key of its object and its path there. Positions in the path are not
/// followed when lists on the way change.
#[derive(Debug)]
pub struct CollectionObserver {
    link: Link,
    field: Name,
    elements: Vec<PathElement>,
    /// From the object on.
    key_paths: KeyPaths,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was looked at.
    New,
    At {
        version: ClientVersion,
        row_id: i64,
        content: Content,
    },
    Deleted,
}

/// What has changed in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionChange {
    /// A list.
    List(ListChanges),
    /// A set: its elements.
    Set {
        /// New ones.
        insertions: Vec<Value>,
        /// Those that are no longer in it.
        deletions: Vec<Value>,
        /// Objects that are still in it and differ.
        modifications: Vec<Value>,
    },
    /// A dictionary: its keys, ascending.
    Dictionary {
        /// New ones.
        insertions: Vec<Name>,
        /// Those that are gone.
        deletions: Vec<Name>,
        /// Those with another value, or with an object that differs.
        modifications: Vec<Name>,
    },
    /// It does not exist, nor does what it was in. Nothing follows.
    Deleted,
}

impl CollectionChange {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::List(changes) => changes.is_empty(),
            Self::Set { insertions, deletions, modifications } => {
                insertions.is_empty() && deletions.is_empty() && modifications.is_empty()
            }
            Self::Dictionary { insertions, deletions, modifications } => {
                insertions.is_empty() && deletions.is_empty() && modifications.is_empty()
            }
            Self::Deleted => false,
        }
    }
}

impl CollectionObserver {
    /// An observer of the collection at a path in the object with this key, with the key paths of
    /// what is watched of the objects in it; `None` watches everything up to [`super::DEPTH_MAX`] links away.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyPath`] for a key path, or for a field that cannot hold a collection there;
    /// [`StoreError::BadInstruction`] for a class or key that is wrong at the version of the snapshot.
    pub fn new(
        snapshot: &Snapshot,
        class: &Name,
        key: &ObjectKey,
        (field, elements): (&Name, &[PathElement]),
        key_paths: Option<Vec<String>>,
    ) -> Result<Self> {
        let table = snapshot.tables().checked("read", class, key)?;
        let schema = snapshot.tables().catalogue().schema();
        let names = names_on(schema, table, field, elements)?;
        let prefix = names.join(".");
        let prefixed =
            key_paths.map(|paths| paths.iter().map(|path| format!("{prefix}.{path}")).collect());
        let key_paths = KeyPaths(prefixed);
        Watch::compile(snapshot.tables(), table, &key_paths)?;
        let link = Link { class: class.clone(), key: key.clone() };
        let (field, elements) = (field.clone(), elements.to_vec());
        Ok(Self { link, field, elements, key_paths, state: State::New })
    }

    /// What has changed since the version that was looked at last, all commits together; `None` when
    /// nothing has, when the snapshot is not newer, and the first time if the collection exists. After
    /// an error the observer is where it was.
    pub fn advance(&mut self, snapshot: &Snapshot) -> Result<Option<CollectionChange>> {
        let (version, before) = match &self.state {
            State::Deleted => return Ok(None),
            State::At { version, .. } if snapshot.version() <= *version => return Ok(None),
            State::At { version, row_id, content } => (*version, Some((*row_id, content))),
            State::New => (snapshot.version(), None),
        };
        let table = snapshot.tables().checked("read", &self.link.class, &self.link.key)?;
        let changes = snapshot.changes_since(version)?;
        let now = self.now(snapshot, table, changes.as_ref(), before)?;
        let Some((row_id, content)) = now else {
            self.state = State::Deleted;
            return Ok(Some(CollectionChange::Deleted));
        };
        let change = match before {
            None => None,
            Some((_, old)) if old.collection() != content.collection() => {
                self.state = State::Deleted;
                return Ok(Some(CollectionChange::Deleted));
            }
            Some((_, old)) => {
                let mut dirty = DirtyLinks::new(
                    snapshot,
                    changes.as_ref(),
                    (table, &self.field),
                    &self.key_paths,
                )?;
                Some(compared(old, &content, &mut dirty)?)
            }
        };
        self.state = State::At { version: snapshot.version(), row_id, content };
        Ok(change.filter(|change| !change.is_empty()))
    }

    /// The row of the object and the collection, if it exists; `before` is what they were.
    fn now(
        &self,
        snapshot: &Snapshot,
        table: &ClassTable,
        changes: Option<&Changes>,
        before: Option<(i64, &Content)>,
    ) -> Result<Option<(i64, Content)>> {
        let Some(position) = table.schema.position(&self.field) else { return Ok(None) };
        let number = table.columns[position].number;
        let is_touched = |row_id: i64| {
            let Some(changes) = changes else { return true };
            let Some(changes) = changes.class(table.id) else { return false };
            let rows = [&changes.any, &changes.created].into_iter();
            rows.chain(changes.properties.get(&number)).any(|rows| contains(rows, row_id))
        };
        if let Some((row_id, content)) = before
            && !is_touched(row_id)
            && self.is_there(snapshot, row_id)?
        {
            return Ok(Some((row_id, content.clone())));
        }
        self.read(snapshot, table, position)
    }

    fn is_there(&self, snapshot: &Snapshot, row_id: i64) -> Result<bool> {
        let tables = snapshot.tables();
        let found = snapshot.read(|connection| tables.position(connection, &self.link))?;
        Ok(found == Some(row_id))
    }

    /// The row of the object and the collection as an application sees it, if it exists.
    fn read(
        &self,
        snapshot: &Snapshot,
        table: &ClassTable,
        position: usize,
    ) -> Result<Option<(i64, Content)>> {
        let tables = snapshot.tables();
        let property = &table.columns[position].property;
        snapshot.read(|connection| {
            let read = tables.read_content(connection, table, position, &self.link.key)?;
            let Some((content, row_id)) = read else { return Ok(None) };
            let mut failure = None;
            let mut exists = |link: &Link| {
                tables.has_target(connection, link).unwrap_or_else(|error| {
                    failure = Some(error);
                    false
                })
            };
            let seen = content.seen(tables.catalogue().schema(), property, &mut exists);
            failure.map_or(Ok(()), Err)?;
            Ok(within(seen, &self.elements).map(|content| (row_id, content)))
        })
    }
}

/// What is at a path in a content, if it is a collection.
fn within(mut content: Content, elements: &[PathElement]) -> Option<Content> {
    for element in elements {
        content = match (content, element) {
            (Content::List(mut list), PathElement::Index(index)) => {
                let index = usize::try_from(*index).ok().filter(|&index| index < list.len())?;
                list.swap_remove(index)
            }
            (
                Content::Dictionary(mut fields) | Content::Object(mut fields),
                PathElement::Key(key),
            ) => fields.remove(key)?,
            _ => return None,
        };
    }
    (content.collection() != CollectionType::Single).then_some(content)
}

/// The names of the properties on the way to a collection.
fn names_on(
    schema: &Schema,
    table: &ClassTable,
    field: &Name,
    elements: &[PathElement],
) -> Result<Vec<String>> {
    let refuse = |name: &str, reason: String| StoreError::KeyPath {
        class: table.schema.name.clone(),
        path: name.to_owned(),
        reason,
    };
    let mut property: &Property = table
        .schema
        .property(field)
        .ok_or_else(|| refuse(field, "there is no such property".to_owned()))?;
    let mut names = vec![field.to_string()];
    let mut is_single = property.collection == CollectionType::Single;
    for element in elements {
        if property.ty == PropertyType::Mixed && is_single {
            break;
        }
        if !is_single {
            is_single = true;
            continue;
        }
        let target = property.target.as_ref().and_then(|target| schema.class(target));
        let (Some(class), PathElement::Key(name)) =
            (target.filter(|class| class.embedded), element)
        else {
            let reason = "the path leads on from what is no embedded object".to_owned();
            return Err(refuse(&property.name, reason));
        };
        property = class.property(name).ok_or_else(|| {
            refuse(name, format!("class \"{}\" has no such property", class.name))
        })?;
        is_single = property.collection == CollectionType::Single;
        names.push(name.to_string());
    }
    if is_single && property.ty != PropertyType::Mixed {
        return Err(refuse(&property.name, "it holds no collection".to_owned()));
    }
    Ok(names)
}

/// What has changed between two collections of one kind.
fn compared(old: &Content, new: &Content, dirty: &mut DirtyLinks<'_>) -> Result<CollectionChange> {
    match (old, new) {
        (Content::List(old), Content::List(new)) => {
            Ok(CollectionChange::List(compared_lists(old, new, dirty)?))
        }
        (Content::Set(old), Content::Set(new)) => {
            let only = |a: &ValueSet, b: &ValueSet| {
                a.iter().filter(|value| !b.contains(value)).cloned().collect::<Vec<_>>()
            };
            let (insertions, deletions) = (only(new, old), only(old, new));
            let mut modifications = Vec::new();
            for value in new.iter().filter(|value| old.contains(value)) {
                if let Value::Link(link) = value
                    && dirty.is_dirty(link)?
                {
                    modifications.push(value.clone());
                }
            }
            Ok(CollectionChange::Set { insertions, deletions, modifications })
        }
        (Content::Dictionary(old), Content::Dictionary(new)) => {
            let only = |a: &BTreeMap<Name, Content>, b: &BTreeMap<Name, Content>| {
                a.keys().filter(|key| !b.contains_key(*key)).cloned().collect::<Vec<_>>()
            };
            let (insertions, deletions) = (only(new, old), only(old, new));
            let mut modifications = Vec::new();
            for (key, value) in new {
                if let Some(before) = old.get(key)
                    && (before != value || dirty.is_in(value)?)
                {
                    modifications.push(key.clone());
                }
            }
            Ok(CollectionChange::Dictionary { insertions, deletions, modifications })
        }
        _ => Ok(CollectionChange::Deleted),
    }
}

fn compared_lists(
    old: &[Content],
    new: &[Content],
    dirty: &mut DirtyLinks<'_>,
) -> Result<ListChanges> {
    let mut diff = if old == new { all_kept(new.len()) } else { difference(old, new) };
    let replaced = pair_replaced(&mut diff, (old.len(), new.len()));
    let mut modified: BTreeSet<(usize, usize)> = replaced.into_iter().collect();
    for &(before, after) in &diff.kept {
        if dirty.is_in(&new[after])? {
            modified.insert((before, after));
        }
    }
    Ok(ListChanges {
        deletions: ranges_of(diff.deleted),
        insertions: ranges_of(diff.inserted),
        modifications: ranges_of(modified.iter().map(|pair| pair.1)),
        old_modifications: ranges_of(modified.iter().map(|pair| pair.0)),
    })
}

fn all_kept(length: usize) -> Diff {
    Diff { kept: (0..length).map(|index| (index, index)).collect(), ..Diff::default() }
}

fn difference(old: &[Content], new: &[Content]) -> Diff {
    let mut numbers: FxHashMap<Vec<u8>, u32> = FxHashMap::default();
    let mut number = |element: &Content| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(element.encode()).or_insert(next)
    };
    let old: Vec<u32> = old.iter().map(&mut number).collect();
    let new: Vec<u32> = new.iter().map(&mut number).collect();
    diff(&numbered(&old), &numbered(&new), |_element| false)
}
