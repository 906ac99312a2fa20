//! `Matches`: the objects of a query on one snapshot, found in Rust and made for Python when they are
//! looked at.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList, PySequence, PyTuple};
use skerry_query::ast::Aggregate;
use skerry_store::arrow::Export;
use skerry_store::{StoreError, realm};

use crate::errors::CoreError;
use crate::snapshot::{NAME, Shared};
use crate::{arrow, convert, gate};

/// Objects of one class on one snapshot.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct Matches {
    snapshot: Shared,
    found: Arc<realm::Matches>,
}

impl Matches {
    pub(crate) fn new(snapshot: Shared, found: realm::Matches) -> Self {
        Self { snapshot, found: Arc::new(found) }
    }

    /// Asks, without holding up other threads.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Arc<realm::Matches>, &realm::Snapshot) -> Result<T, StoreError> + Send,
    ) -> PyResult<T> {
        gate::run_open(py, &self.snapshot, NAME, |snapshot| {
            question(&self.found, snapshot).map_err(|error| CoreError::in_query(error, ""))
        })
    }

    fn export(&self, py: Python<'_>, properties: Vec<String>, unit: &str) -> PyResult<Export> {
        let unit = arrow::unit_of(unit).map_err(|error| error.to_py(py))?;
        self.ask(py, move |found, snapshot| Export::new(snapshot, found.class(), &properties, unit))
    }

    fn row<'py>(
        &self,
        py: Python<'py>,
        find: impl FnOnce(&realm::Matches, &realm::Snapshot) -> Result<Option<i64>, StoreError> + Send,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let row = self.ask(py, |found, snapshot| {
            let Some(row) = find(found, snapshot)? else { return Ok(None) };
            Ok(snapshot.read_rows(found.class(), &[row])?.pop())
        })?;
        row.map(|row| convert::from_row(py, &row)).transpose()
    }
}

fn aggregate_of(name: &str) -> Result<Aggregate, CoreError> {
    match name {
        "min" => Ok(Aggregate::Min),
        "max" => Ok(Aggregate::Max),
        "sum" => Ok(Aggregate::Sum),
        "average" => Ok(Aggregate::Average),
        _ => Err(CoreError::BadArgument {
            argument: "kind",
            reason: format!("\"min\", \"max\", \"sum\" or \"average\", not {name:?}"),
        }),
    }
}

#[pymethods]
impl Matches {
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let count = self.ask(py, |found, snapshot| found.count(snapshot))?;
        usize::try_from(count).map_err(|error| CoreError::BadValue(error.to_string()).to_py(py))
    }

    #[getter]
    fn is_found(&self) -> bool {
        self.found.is_found()
    }

    #[getter]
    fn is_one_query(&self) -> bool {
        self.found.is_one_query()
    }

    fn find(&self, py: Python<'_>) -> PyResult<usize> {
        self.ask(py, |found, snapshot| Ok(found.rows(snapshot)?.len()))
    }

    fn refined(&self, py: Python<'_>, rql: &str, args: &Bound<'_, PySequence>) -> PyResult<Self> {
        let arguments = convert::to_arguments(args)?;
        let found = gate::run_open(py, &self.snapshot, NAME, |snapshot| {
            let refined = self.found.refined(snapshot, rql, arguments);
            refined.map_err(|error| CoreError::in_query(error, rql))
        })?;
        Ok(Self::new(Arc::clone(&self.snapshot), found))
    }

    fn sliced(&self, py: Python<'_>, start: usize, step: isize, length: usize) -> PyResult<Self> {
        let found =
            self.ask(py, |found, snapshot| found.sliced(snapshot, (start, step, length)))?;
        Ok(Self::new(Arc::clone(&self.snapshot), found))
    }

    fn rows<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        length: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let rows = self.ask(py, |found, snapshot| {
            let ids: Vec<i64> = found.rows(snapshot)?.slice(start, 1, length).iter().collect();
            snapshot.read_rows(found.class(), &ids)
        })?;
        convert::from_rows(py, &rows)
    }

    fn first<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.row(py, realm::Matches::first)
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let asked = convert::to_key(key)?;
        let row = self.ask(py, |found, snapshot| found.get(snapshot, &asked))?;
        row.map(|row| convert::from_row_of(py, &row, &asked, key)).transpose()
    }

    fn has(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let key = convert::to_key(key)?;
        self.ask(py, |found, snapshot| Ok(found.row_of(snapshot, &key)?.is_some()))
    }

    fn position(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let key = convert::to_key(key)?;
        self.ask(py, |found, snapshot| found.position_of(snapshot, &key))
    }

    fn aggregate<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        property: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kind = aggregate_of(kind).map_err(|error| error.to_py(py))?;
        let value = self.ask(py, |found, snapshot| {
            snapshot.aggregate(kind, found.class(), property, found.rows(snapshot)?)
        })?;
        convert::from_value(py, &value)
    }

    fn arrow_schema<'py>(
        &self,
        py: Python<'py>,
        properties: Vec<String>,
        timestamp_unit: &str,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::schema_capsule(py, &self.export(py, properties, timestamp_unit)?)
    }

    fn arrow_stream<'py>(
        &self,
        py: Python<'py>,
        properties: Vec<String>,
        timestamp_unit: &str,
        batch_rows: usize,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let export = self.export(py, properties, timestamp_unit)?;
        let (snapshot, found) = (Arc::clone(&self.snapshot), Arc::clone(&self.found));
        arrow::stream_capsule(py, snapshot, found, export, batch_rows)
    }

    fn describe(&self, py: Python<'_>) -> PyResult<String> {
        self.ask(py, |found, snapshot| found.describe(snapshot))
    }

    fn explain(&self, py: Python<'_>) -> PyResult<String> {
        self.ask(py, |found, snapshot| found.explain(snapshot))
    }
}
