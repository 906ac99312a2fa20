//! `Snapshot`: a reader of one version.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyList, PySequence, PyTuple};
use skerry_model::Name;
use skerry_query::Argument;
use skerry_store::{StoreError, realm};

use crate::errors::CoreError;
use crate::matches::Matches;
use crate::{convert, gate, schema};

pub(crate) const NAME: &str = "snapshot";

/// A snapshot and whatever reads from it.
pub(crate) type Shared = Arc<Mutex<Option<realm::Snapshot>>>;

/// One consistent version of a realm file; `None` once it is closed.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct Snapshot {
    state: Shared,
    version: i64,
}

impl From<realm::Snapshot> for Snapshot {
    fn from(snapshot: realm::Snapshot) -> Self {
        let version = snapshot.version().0;
        Self { state: Arc::new(Mutex::new(Some(snapshot))), version }
    }
}

/// A question about a class, with the text of a query and its arguments.
type Question<T> = fn(&realm::Snapshot, &Name, &str, &[Argument]) -> Result<T, StoreError>;

impl Snapshot {
    /// Reads it. To be called detached: it waits for calls on other threads.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&realm::Snapshot) -> Result<T, CoreError>,
    ) -> Result<T, CoreError> {
        let state = self.state.lock().map_err(|_poisoned| CoreError::Poisoned(NAME))?;
        read(state.as_ref().ok_or(CoreError::Over(NAME))?)
    }

    /// The answer to a question, found without holding up other threads.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
        question: Question<T>,
    ) -> PyResult<T> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        gate::run_open(py, &self.state, NAME, |snapshot| {
            let answer = question(snapshot, &class, rql, &arguments);
            answer.map_err(|error| CoreError::in_query(error, rql))
        })
    }
}

#[pymethods]
impl Snapshot {
    #[getter]
    fn version(&self) -> i64 {
        self.version
    }

    fn classes(&self, py: Python<'_>) -> PyResult<Vec<schema::Described>> {
        gate::run_open(py, &self.state, NAME, |snapshot| {
            Ok(schema::describe(snapshot.tables().catalogue().schema()))
        })
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (class, asked) = (Name::from(class_name), convert::to_key(key)?);
        let row =
            gate::run_open(py, &self.state, NAME, |snapshot| Ok(snapshot.get(&class, &asked)?))?;
        row.map(|row| convert::from_row_of(py, &row, &asked, key)).transpose()
    }

    fn query<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let rows = self.ask(py, class_name, rql, args, realm::Snapshot::query)?;
        convert::from_rows(py, &rows)
    }

    fn matches(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
    ) -> PyResult<Matches> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        let found = gate::run_open(py, &self.state, NAME, |snapshot| {
            let found = realm::Matches::new(snapshot, &class, rql, arguments);
            found.map_err(|error| CoreError::in_query(error, rql))
        })?;
        Ok(Matches::new(Arc::clone(&self.state), found))
    }

    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let rows = self.ask(py, class_name, rql, args, realm::Snapshot::evaluate)?;
        convert::from_rows(py, &rows)
    }

    fn count(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
    ) -> PyResult<u64> {
        self.ask(py, class_name, rql, args, realm::Snapshot::count)
    }

    fn matching_keys<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let keys = self.ask(py, class_name, rql, args, realm::Snapshot::matching_keys)?;
        let keys = keys.into_iter().map(|key| convert::from_value(py, &key.into()));
        PyList::new(py, keys.collect::<PyResult<Vec<_>>>()?)
    }

    fn explain(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
    ) -> PyResult<String> {
        Ok(self.ask(py, class_name, rql, args, realm::Snapshot::explain)?.to_string())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, NAME, |snapshot| {
            drop(snapshot);
            Ok(())
        })
    }
}
