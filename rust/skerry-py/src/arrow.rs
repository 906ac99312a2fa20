//! Record batches for other libraries, through Arrow's `PyCapsule` interface.
//!
//! Invariant: a stream keeps its snapshot and asks nothing of the interpreter, so that whoever takes it may
//! pull batches from any thread, attached or not: the snapshot's lock is never held by a thread that waits
//! for the interpreter, hence waiting for it attached blocks nobody for ever (see `gate`). What goes wrong
//! while a batch is read is told by the library that pulled it, with our text.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::RecordBatchReader;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use skerry_store::arrow::{Export, ExportError, TimeUnit};
use skerry_store::realm;

use crate::errors::CoreError;
use crate::snapshot::{NAME, Shared};

/// The batches of some objects, one after the other.
#[derive(Debug)]
struct Batches {
    snapshot: Shared,
    found: Arc<realm::Matches>,
    export: Export,
    next_row: usize,
    max_rows: usize,
    is_over: bool,
}

impl Batches {
    fn read(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let state = self.snapshot.lock();
        let state = state.map_err(|_poisoned| external(CoreError::Poisoned(NAME)))?;
        let snapshot = state.as_ref().ok_or_else(|| external(CoreError::Over(NAME)))?;
        let rows = self.found.rows(snapshot).map_err(external)?;
        if self.next_row >= rows.len() {
            return Ok(None);
        }
        let batch = self.export.batch(snapshot, rows, self.next_row, self.max_rows);
        let batch = batch.map_err(|error: ExportError| external(error))?;
        self.next_row += batch.num_rows();
        Ok(Some(batch))
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read().transpose();
        self.is_over = !matches!(read, Some(Ok(_)));
        read
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        self.export.schema()
    }
}

/// The unit of that name.
pub(crate) fn unit_of(name: &str) -> Result<TimeUnit, CoreError> {
    TimeUnit::from_name(name).ok_or_else(|| CoreError::BadArgument {
        argument: "timestamp_unit",
        reason: format!("\"ns\", \"us\", \"ms\" or \"s\", not {name:?}"),
    })
}

/// A capsule with the schema of an export.
pub(crate) fn schema_capsule<'py>(
    py: Python<'py>,
    export: &Export,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(&*export.schema())
        .map_err(|error| CoreError::BadValue(error.to_string()).to_py(py))?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

/// A capsule with a stream of batches.
pub(crate) fn stream_capsule(
    py: Python<'_>,
    snapshot: Shared,
    found: Arc<realm::Matches>,
    export: Export,
    max_rows: usize,
) -> PyResult<Bound<'_, PyCapsule>> {
    let batches = Batches { snapshot, found, export, next_row: 0, max_rows, is_over: false };
    let stream = FFI_ArrowArrayStream::new(Box::new(batches));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}
