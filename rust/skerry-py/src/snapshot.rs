//! `Snapshot`: a reader of one version.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyList, PySequence, PyTuple};
use skerry_model::Name;
use skerry_store::realm;

use crate::errors::CoreError;
use crate::{convert, gate};

const NAME: &str = "snapshot";

/// One consistent version of a realm file; `None` once it is closed.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct Snapshot {
    state: Mutex<Option<realm::Snapshot>>,
    version: i64,
}

impl From<realm::Snapshot> for Snapshot {
    fn from(snapshot: realm::Snapshot) -> Self {
        let version = snapshot.version().0;
        Self { state: Mutex::new(Some(snapshot)), version }
    }
}

#[pymethods]
impl Snapshot {
    #[getter]
    fn version(&self) -> i64 {
        self.version
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (class, key) = (Name::from(class_name), convert::to_key(key)?);
        let row =
            gate::run_open(py, &self.state, NAME, |snapshot| Ok(snapshot.get(&class, &key)?))?;
        row.map(|row| convert::from_row(py, &row)).transpose()
    }

    fn query<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        let rows = gate::run_open(py, &self.state, NAME, |snapshot| {
            let rows = snapshot.query(&class, rql, &arguments);
            rows.map_err(|error| CoreError::in_query(error, rql))
        })?;
        convert::from_rows(py, &rows)
    }

    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        let rows = gate::run_open(py, &self.state, NAME, |snapshot| {
            let rows = snapshot.evaluate(&class, rql, &arguments);
            rows.map_err(|error| CoreError::in_query(error, rql))
        })?;
        convert::from_rows(py, &rows)
    }

    fn count(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
    ) -> PyResult<u64> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        gate::run_open(py, &self.state, NAME, |snapshot| {
            let count = snapshot.count(&class, rql, &arguments);
            count.map_err(|error| CoreError::in_query(error, rql))
        })
    }

    fn matching_keys<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        let keys = gate::run_open(py, &self.state, NAME, |snapshot| {
            let keys = snapshot.matching_keys(&class, rql, &arguments);
            keys.map_err(|error| CoreError::in_query(error, rql))
        })?;
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
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        gate::run_open(py, &self.state, NAME, |snapshot| {
            let plan = snapshot.explain(&class, rql, &arguments);
            Ok(plan.map_err(|error| CoreError::in_query(error, rql))?.to_string())
        })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, NAME, |snapshot| {
            drop(snapshot);
            Ok(())
        })
    }
}
