//! `SyncAgentLock`: the right to sync a realm file.

use std::path::Path;
use std::sync::Mutex;

use pyo3::prelude::*;
use skerry_store::realm;

use crate::gate;

/// The right to sync a file; `None` once it is given up.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct SyncAgentLock {
    state: Mutex<Option<realm::SyncAgentLock>>,
}

#[pymethods]
impl SyncAgentLock {
    #[staticmethod]
    fn try_acquire(py: Python<'_>, path: &str) -> PyResult<Option<Self>> {
        gate::run(py, || {
            let lock = realm::SyncAgentLock::try_acquire(Path::new(path))?;
            Ok(lock.map(|lock| Self { state: Mutex::new(Some(lock)) }))
        })
    }

    fn release(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, "lock", |lock| {
            drop(lock);
            Ok(())
        })
    }
}
