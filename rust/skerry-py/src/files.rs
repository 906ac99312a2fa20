//! What is done to whole realm files, and places for those that live no longer than they are open.

use std::path::Path;
use std::sync::Mutex;

use pyo3::prelude::*;
use skerry_store::scratch::Scratch;
use skerry_store::{Location, StoreError, files};

use crate::errors::CoreError;
use crate::gate;
use crate::realm::key_of;

/// Deletes a realm file; whether there was one.
#[pyfunction]
#[pyo3(signature = (path, *, encryption_key = None))]
pub(crate) fn delete_file(
    py: Python<'_>,
    path: &str,
    encryption_key: Option<&[u8]>,
) -> PyResult<bool> {
    gate::run(py, || Ok(files::delete(&Location::new(path, key_of(encryption_key)?))?))
}

/// Compacts a realm file; whether it was.
#[pyfunction]
#[pyo3(signature = (path, *, encryption_key = None))]
pub(crate) fn compact_file(
    py: Python<'_>,
    path: &str,
    encryption_key: Option<&[u8]>,
) -> PyResult<bool> {
    gate::run(py, || Ok(files::compact(&Location::new(path, key_of(encryption_key)?))?))
}

/// All bytes and used bytes of a realm file.
#[pyfunction]
#[pyo3(signature = (path, *, encryption_key = None))]
pub(crate) fn file_size(
    py: Python<'_>,
    path: &str,
    encryption_key: Option<&[u8]>,
) -> PyResult<Option<(u64, u64)>> {
    gate::run(py, || {
        let size = files::size(&Location::new(path, key_of(encryption_key)?))?;
        Ok(size.map(|size| (size.total_bytes, size.used_bytes)))
    })
}

/// Copies a file to a name that is free; whether it was.
#[pyfunction]
pub(crate) fn install_file(
    py: Python<'_>,
    source: &str,
    destination: &str,
    check: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let check = check.clone().unbind();
    let mut raised = None;
    let installed = gate::run(py, || {
        let (source, destination) = (Path::new(source), Path::new(destination));
        let installed = files::install(source, destination, |draft| {
            // No lock is held here, so the interpreter may be waited for.
            Python::attach(|py| check.call1(py, (draft.display().to_string(),))).map_err(
                |error| {
                    raised = Some(error);
                    CoreError::from(StoreError::Misuse("the check of the file has failed"))
                },
            )?;
            Ok(())
        });
        match installed {
            Err(CoreError::Store(StoreError::Misuse(_))) if raised.is_some() => Ok(false),
            other => other,
        }
    })?;
    raised.map_or(Ok(installed), Err)
}

/// A place for a file of this process; `None` once it is closed.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct ScratchPlace {
    state: Mutex<Option<Scratch>>,
    path: String,
}

#[pymethods]
impl ScratchPlace {
    #[staticmethod]
    fn acquire(py: Python<'_>, name: &str) -> PyResult<Self> {
        gate::run(py, || {
            let scratch = Scratch::acquire(name)?;
            let path = scratch.path().display().to_string();
            Ok(Self { state: Mutex::new(Some(scratch)), path })
        })
    }

    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, "place", |scratch| {
            drop(scratch);
            Ok(())
        })
    }
}
