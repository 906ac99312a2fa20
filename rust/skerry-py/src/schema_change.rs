//! `SchemaChange`: a file on its way to another schema.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyAny;
use skerry_model::{Name, ObjectKey};
use skerry_store::objects::{Nulls, Plan};
use skerry_store::realm::{self, ChangeKind, Changed, Moves};

use crate::errors::CoreError;
use crate::realm::RealmFile;
use crate::snapshot::Snapshot;
use crate::write_transaction::WriteTransaction;
use crate::{convert, gate};

const NAME: &str = "schema change";

/// A schema change with the file's writer lock; `None` once it is finished or given up.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct SchemaChange {
    state: Mutex<Option<Box<realm::SchemaChange>>>,
    path: String,
    kind: ChangeKind,
    from: u64,
    to: u64,
}

impl SchemaChange {
    pub(crate) fn new(path: String, change: Box<realm::SchemaChange>) -> Self {
        let (kind, from, to) = (change.kind(), change.from(), change.to());
        Self { state: Mutex::new(Some(change)), path, kind, from, to }
    }
}

/// What became of the classes and objects of before.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct SchemaMoves {
    moves: Moves,
}

type Pairs<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

fn to_keys(pairs: &Pairs<'_>) -> PyResult<std::collections::BTreeMap<ObjectKey, ObjectKey>> {
    pairs.iter().map(|(old, new)| Ok((convert::to_key(old)?, convert::to_key(new)?))).collect()
}

#[pymethods]
impl SchemaChange {
    #[getter]
    fn kind(&self) -> &'static str {
        match self.kind {
            ChangeKind::New => "new",
            ChangeKind::Addition => "addition",
            ChangeKind::Migration => "migration",
        }
    }

    #[getter]
    fn old_version(&self) -> u64 {
        self.from
    }

    #[getter]
    fn new_version(&self) -> u64 {
        self.to
    }

    fn before(&self, py: Python<'_>) -> PyResult<Option<Snapshot>> {
        gate::run_open(py, &self.state, NAME, |change| Ok(change.take_before().map(Snapshot::from)))
    }

    #[pyo3(signature = (*, classes, properties, dropped, keys, fills_nulls))]
    fn apply(
        &self,
        py: Python<'_>,
        classes: Vec<(String, String)>,
        properties: Vec<(String, String, String)>,
        dropped: Vec<String>,
        keys: Vec<(String, Pairs<'_>)>,
        fills_nulls: bool,
    ) -> PyResult<()> {
        let properties = properties.into_iter();
        let keys = keys.into_iter().map(|(class, pairs)| Ok((class.into(), to_keys(&pairs)?)));
        let plan = Plan {
            classes: classes.into_iter().map(|(old, new)| (old.into(), new.into())).collect(),
            properties: properties
                .map(|(class, old, new)| ((class.into(), old.into()), new.into()))
                .collect(),
            dropped: dropped.into_iter().map(Name::from).collect(),
            keys: keys.collect::<PyResult<_>>()?,
            nulls: if fills_nulls { Nulls::Zero } else { Nulls::Refuse },
        };
        gate::run_open(py, &self.state, NAME, |change| Ok(change.apply(plan)?))
    }

    fn step(&self, py: Python<'_>, rows_max: u32) -> PyResult<bool> {
        gate::run_open(py, &self.state, NAME, |change| Ok(change.step(rows_max)?))
    }

    fn progress(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        gate::run_open(py, &self.state, NAME, |change| Ok(change.progress()))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<(RealmFile, WriteTransaction, SchemaMoves)> {
        gate::take(py, &self.state, NAME, |change| {
            let Changed { realm, write, moves } = change.ok_or(CoreError::Over(NAME))?.finish()?;
            let file = RealmFile::new(self.path.clone(), realm);
            Ok((file, write.into(), SchemaMoves { moves }))
        })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, NAME, |change| {
            drop(change);
            Ok(())
        })
    }
}

#[pymethods]
impl SchemaMoves {
    #[getter]
    fn added(&self) -> Vec<(String, String)> {
        let added = self.moves.added().iter();
        added.map(|(class, property)| (class.to_string(), property.to_string())).collect()
    }

    fn successor(&self, class_name: &str) -> Option<String> {
        self.moves.successor(&class_name.into()).map(ToString::to_string)
    }

    fn key_of<'py>(
        &self,
        class_name: &str,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let moved = self.moves.key_of(&class_name.into(), &convert::to_key(key)?);
        convert::from_key(key.py(), &moved)
    }
}
