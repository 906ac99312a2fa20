//! `SyncServer`: the server's engine on its embedded store, and what its batches give.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use skerry_model::Salt;
use skerry_store::connection::Synchronous;
use skerry_store::server::SqliteStore;
use skerry_sync::server::{Engine, Output};

use crate::gate;

const NAME: &str = "server engine";

/// The store's file in the folder of the data.
const FILE: &str = "skerry.db";

/// The sync engine; `None` once it is closed.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct SyncServer {
    state: Mutex<Option<Engine>>,
}

/// Unpredictable numbers, for salts: a keyed hash of a counter.
///
/// The engine draws them in the middle of a batch, detached and with its lock held, where Python
/// must not be asked. So Python's `secrets` are asked once, for a seed that makes the numbers differ
/// from those of every other process; the key of the hash is the standard library's own, which also
/// comes from the operating system. Salts tell files and histories apart; what grants access are
/// tokens.
fn entropy(seed: [u8; 32]) -> impl FnMut() -> u64 + Send {
    let (keyed, mut counter) = (RandomState::new(), 0_u64);
    move || {
        counter = counter.wrapping_add(1);
        keyed.hash_one((seed, counter))
    }
}

/// A salt has 63 bits and is not zero.
fn salt(number: u64) -> Salt {
    Salt((number >> 1).cast_signed().max(1))
}

#[pymethods]
impl SyncServer {
    #[staticmethod]
    fn open(py: Python<'_>, path: &str, config_json: &str) -> PyResult<Self> {
        let seed: [u8; 32] =
            py.import("secrets")?.getattr("token_bytes")?.call1((32,))?.extract()?;
        gate::run(py, || {
            let mut entropy = entropy(seed);
            let file = Path::new(path).join(FILE);
            let store = SqliteStore::open(&file, Synchronous::Full, salt(entropy()))?;
            let engine = Engine::open(Box::new(store), config_json, Box::new(entropy))?;
            Ok(Self { state: Mutex::new(Some(engine)) })
        })
    }

    fn connect(&self, py: Python<'_>, user_json: &str, now_ms: i64) -> PyResult<u64> {
        gate::run_open(py, &self.state, NAME, |engine| Ok(engine.connect(user_json, now_ms)?))
    }

    #[allow(clippy::needless_pass_by_value, reason = "extracted from Python")]
    fn process(
        &self,
        py: Python<'_>,
        frames: Vec<(u64, PyBackedBytes)>,
        writable: Vec<u64>,
        now_ms: i64,
    ) -> PyResult<ProcessResult> {
        let output = gate::run_open(py, &self.state, NAME, |engine| {
            let frames: Vec<(u64, &[u8])> =
                frames.iter().map(|(connection, frame)| (*connection, &**frame)).collect();
            Ok(engine.process(&frames, &writable, now_ms)?)
        })?;
        Ok(ProcessResult::new(py, output))
    }

    fn disconnect(&self, py: Python<'_>, connection: u64) -> PyResult<()> {
        gate::run_open(py, &self.state, NAME, |engine| {
            engine.disconnect(connection);
            Ok(())
        })
    }

    fn meta_get<'py>(
        &self,
        py: Python<'py>,
        namespace: &str,
        key: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let value =
            gate::run_open(py, &self.state, NAME, |engine| Ok(engine.meta_get(namespace, key)?))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }

    fn meta_put(&self, py: Python<'_>, namespace: &str, key: &str, value: &[u8]) -> PyResult<()> {
        gate::run_open(py, &self.state, NAME, |engine| Ok(engine.meta_put(namespace, key, value)?))
    }

    fn meta_insert(
        &self,
        py: Python<'_>,
        namespace: &str,
        key: &str,
        value: &[u8],
    ) -> PyResult<bool> {
        gate::run_open(py, &self.state, NAME, |engine| {
            Ok(engine.meta_insert(namespace, key, value)?)
        })
    }

    fn meta_delete(&self, py: Python<'_>, namespace: &str, key: &str) -> PyResult<bool> {
        gate::run_open(py, &self.state, NAME, |engine| Ok(engine.meta_delete(namespace, key)?))
    }

    fn meta_scan<'py>(
        &self,
        py: Python<'py>,
        namespace: &str,
    ) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let pairs =
            gate::run_open(py, &self.state, NAME, |engine| Ok(engine.meta_scan(namespace)?))?;
        Ok(pairs.into_iter().map(|(key, value)| (key, PyBytes::new(py, &value))).collect())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, NAME, |engine| {
            drop(engine);
            Ok(())
        })
    }
}

/// What one batch decided, already as Python objects.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct ProcessResult {
    outputs: Vec<(u64, Vec<Py<PyBytes>>)>,
    closes: Vec<(u64, u16, String)>,
    more: Vec<u64>,
    log: Vec<String>,
    deadline_ms: Option<i64>,
}

impl ProcessResult {
    fn new(py: Python<'_>, output: Output) -> Self {
        let Output { frames, closes, more, log, deadline_ms } = output;
        let outputs = frames.into_iter().map(|(connection, frames)| {
            let frames = frames.iter().map(|frame| PyBytes::new(py, frame).unbind());
            (connection, frames.collect())
        });
        Self { outputs: outputs.collect(), closes, more, log, deadline_ms }
    }
}

#[pymethods]
impl ProcessResult {
    #[getter]
    fn outputs(&self, py: Python<'_>) -> Vec<(u64, Vec<Py<PyBytes>>)> {
        let outputs = self.outputs.iter().map(|(connection, frames)| {
            (*connection, frames.iter().map(|frame| frame.clone_ref(py)).collect())
        });
        outputs.collect()
    }

    #[getter]
    fn closes(&self) -> Vec<(u64, u16, &str)> {
        let closes = self.closes.iter();
        closes.map(|(connection, code, reason)| (*connection, *code, reason.as_str())).collect()
    }

    #[getter]
    fn more(&self) -> Vec<u64> {
        self.more.clone()
    }

    #[getter]
    fn log(&self) -> Vec<&str> {
        self.log.iter().map(String::as_str).collect()
    }

    #[getter]
    fn deadline_ms(&self) -> Option<i64> {
        self.deadline_ms
    }
}
