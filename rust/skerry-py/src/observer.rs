//! Observers of results, objects and collections, and what they tell.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyList, PySequence, PyString};
use skerry_model::{Name, ObjectRef, Value};
use skerry_store::observe::{self, CollectionChange, IndexRange, ListChanges, ObjectChange};
use skerry_store::realm::Realm;

use crate::errors::CoreError;
use crate::snapshot::Snapshot;
use crate::{convert, gate};

const NAME: &str = "observer";

/// Follows the results of a query.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct ResultsObserver(Mutex<observe::ResultsObserver>);

/// Follows an object.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct ObjectObserver(Mutex<observe::ObjectObserver>);

/// Follows a collection.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct CollectionObserver(Mutex<observe::CollectionObserver>);

/// What has changed in a list.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct ListChangeSet(ListChanges);

/// What has happened to an object.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct ObjectChangeSet(ObjectChange);

/// What has changed in a collection.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct CollectionChangeSet(CollectionChange);

impl ResultsObserver {
    pub(crate) fn of(
        py: Python<'_>,
        realm: &Realm,
        (class_name, rql): (&str, &str),
        args: &Bound<'_, PySequence>,
        key_paths: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        gate::run(py, || {
            let snapshot = realm.snapshot()?;
            observe::ResultsObserver::new(&snapshot, &class, rql, &arguments, key_paths)
                .map(|observer| Self(Mutex::new(observer)))
                .map_err(|error| CoreError::in_query(error, rql))
        })
    }
}

impl ObjectObserver {
    pub(crate) fn of(
        py: Python<'_>,
        realm: &Realm,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        key_paths: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let (class, key) = (Name::from(class_name), convert::to_key(key)?);
        gate::run(py, || {
            let snapshot = realm.snapshot()?;
            let observer = observe::ObjectObserver::new(&snapshot, &class, &key, key_paths)?;
            Ok(Self(Mutex::new(observer)))
        })
    }
}

impl CollectionObserver {
    pub(crate) fn of(
        py: Python<'_>,
        realm: &Realm,
        (class_name, key): (&str, &Bound<'_, PyAny>),
        path: &Bound<'_, PyAny>,
        key_paths: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let object = ObjectRef::new(class_name, convert::to_key(key)?);
        let path = convert::to_path(object, path)?;
        gate::run(py, || {
            let snapshot = realm.snapshot()?;
            let (object, place) = (&path.object, (&path.field, &*path.elements));
            let (class, key) = (&object.class, &object.key);
            let observer =
                observe::CollectionObserver::new(&snapshot, class, key, place, key_paths)?;
            Ok(Self(Mutex::new(observer)))
        })
    }
}

#[pymethods]
impl ResultsObserver {
    fn advance(
        &self,
        py: Python<'_>,
        snapshot: &Bound<'_, Snapshot>,
    ) -> PyResult<Option<ListChangeSet>> {
        let snapshot = snapshot.get();
        gate::run_locked(py, &self.0, NAME, |observer| {
            snapshot.with(|snapshot| Ok(observer.advance(snapshot)?.map(ListChangeSet)))
        })
    }
}

#[pymethods]
impl ObjectObserver {
    fn advance(
        &self,
        py: Python<'_>,
        snapshot: &Bound<'_, Snapshot>,
    ) -> PyResult<Option<ObjectChangeSet>> {
        let snapshot = snapshot.get();
        gate::run_locked(py, &self.0, NAME, |observer| {
            snapshot.with(|snapshot| Ok(observer.advance(snapshot)?.map(ObjectChangeSet)))
        })
    }
}

#[pymethods]
impl CollectionObserver {
    fn advance(
        &self,
        py: Python<'_>,
        snapshot: &Bound<'_, Snapshot>,
    ) -> PyResult<Option<CollectionChangeSet>> {
        let snapshot = snapshot.get();
        gate::run_locked(py, &self.0, NAME, |observer| {
            snapshot.with(|snapshot| Ok(observer.advance(snapshot)?.map(CollectionChangeSet)))
        })
    }
}

type Ranges = Vec<(usize, usize)>;

fn ranges(ranges: &[IndexRange]) -> Ranges {
    ranges.iter().map(|range| (range.start, range.length)).collect()
}

#[pymethods]
impl ListChangeSet {
    #[getter]
    fn deletions(&self) -> Ranges {
        ranges(&self.0.deletions)
    }

    #[getter]
    fn insertions(&self) -> Ranges {
        ranges(&self.0.insertions)
    }

    #[getter]
    fn modifications(&self) -> Ranges {
        ranges(&self.0.modifications)
    }

    #[getter]
    fn old_modifications(&self) -> Ranges {
        ranges(&self.0.old_modifications)
    }
}

#[pymethods]
impl ObjectChangeSet {
    #[getter]
    fn is_deleted(&self) -> bool {
        self.0 == ObjectChange::Deleted
    }

    #[getter]
    fn properties(&self) -> Vec<String> {
        match &self.0 {
            ObjectChange::Updated(names) => names.iter().map(ToString::to_string).collect(),
            ObjectChange::Deleted => Vec::new(),
        }
    }
}

/// Which of a change set's parts.
#[derive(Clone, Copy)]
enum Part {
    Insertions,
    Deletions,
    Modifications,
}

fn pick<'p, T>(part: Part, (insertions, deletions, modifications): (&'p T, &'p T, &'p T)) -> &'p T {
    match part {
        Part::Insertions => insertions,
        Part::Deletions => deletions,
        Part::Modifications => modifications,
    }
}

impl CollectionChangeSet {
    fn elements<'py>(&self, py: Python<'py>, part: Part) -> PyResult<Bound<'py, PyList>> {
        match &self.0 {
            CollectionChange::List(_) | CollectionChange::Deleted => Ok(PyList::empty(py)),
            CollectionChange::Set { insertions, deletions, modifications } => {
                let values: &Vec<Value> = pick(part, (insertions, deletions, modifications));
                let values = values.iter().map(|value| convert::from_value(py, value));
                PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)
            }
            CollectionChange::Dictionary { insertions, deletions, modifications } => {
                let keys: &Vec<Name> = pick(part, (insertions, deletions, modifications));
                PyList::new(py, keys.iter().map(|key| PyString::new(py, key)))
            }
        }
    }
}

#[pymethods]
impl CollectionChangeSet {
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.0 {
            CollectionChange::List(_) => "list",
            CollectionChange::Set { .. } => "set",
            CollectionChange::Dictionary { .. } => "dictionary",
            CollectionChange::Deleted => "deleted",
        }
    }

    #[getter]
    fn list_changes(&self) -> Option<ListChangeSet> {
        match &self.0 {
            CollectionChange::List(changes) => Some(ListChangeSet(changes.clone())),
            CollectionChange::Set { .. }
            | CollectionChange::Dictionary { .. }
            | CollectionChange::Deleted => None,
        }
    }

    #[getter]
    fn insertions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.elements(py, Part::Insertions)
    }

    #[getter]
    fn deletions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.elements(py, Part::Deletions)
    }

    #[getter]
    fn modifications<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.elements(py, Part::Modifications)
    }
}
