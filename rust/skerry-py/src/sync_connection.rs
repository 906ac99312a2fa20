//! `SyncConnection`: the client's sync agent, and what its polls give.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use skerry_model::SessionIdent;
use skerry_sync::client::{self, Agent};

use crate::gate;
use crate::realm::RealmFile;
use crate::sync_event::SyncEvent;

/// The client end of one websocket with its sessions. The agent keeps its own locks.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct SyncConnection {
    agent: Agent,
}

#[pymethods]
impl SyncConnection {
    #[new]
    fn new(seed: u64) -> Self {
        Self { agent: Agent::new(seed) }
    }

    fn attach(&self, py: Python<'_>, realm: &RealmFile) -> PyResult<i64> {
        let realm = realm.realm();
        gate::run(py, || Ok(self.agent.attach(realm)?.0))
    }

    fn detach(&self, py: Python<'_>, session: i64) -> PyResult<()> {
        gate::run(py, || {
            self.agent.detach(SessionIdent(session));
            Ok(())
        })
    }

    fn connected(&self, py: Python<'_>, now_ms: i64) -> PyResult<()> {
        gate::run(py, || {
            self.agent.connected(now_ms);
            Ok(())
        })
    }

    fn disconnected(&self, py: Python<'_>) -> PyResult<()> {
        gate::run(py, || {
            self.agent.disconnected();
            Ok(())
        })
    }

    fn wait_download(&self, py: Python<'_>, session: i64) -> PyResult<u64> {
        gate::run(py, || Ok(self.agent.wait_download(SessionIdent(session))))
    }

    fn wait_upload(&self, py: Python<'_>, session: i64) -> PyResult<u64> {
        gate::run(py, || Ok(self.agent.wait_upload(SessionIdent(session))?))
    }

    fn pause(&self, py: Python<'_>, session: i64) -> PyResult<()> {
        gate::run(py, || {
            self.agent.pause(SessionIdent(session));
            Ok(())
        })
    }

    fn resume(&self, py: Python<'_>, session: i64) -> PyResult<()> {
        gate::run(py, || {
            self.agent.resume(SessionIdent(session));
            Ok(())
        })
    }

    fn receive(&self, py: Python<'_>, frame: &[u8], now_ms: i64) -> PyResult<()> {
        gate::run(py, || {
            self.agent.receive(frame, now_ms);
            Ok(())
        })
    }

    fn poll(&self, py: Python<'_>, now_ms: i64, max_bytes: usize) -> PyResult<PollResult> {
        let result = gate::run(py, || Ok(self.agent.poll(now_ms, max_bytes)))?;
        PollResult::new(py, result)
    }
}

/// What one poll found, already as Python objects: each list is read once, by whoever polled.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct PollResult {
    frames: Vec<Py<PyBytes>>,
    events: Vec<Py<SyncEvent>>,
    deadline_ms: Option<i64>,
    close: Option<(u16, String)>,
}

impl PollResult {
    fn new(py: Python<'_>, result: client::PollResult) -> PyResult<Self> {
        let events = result.events.into_iter().map(|event| Py::new(py, SyncEvent::from(event)));
        Ok(Self {
            frames: result.frames.iter().map(|frame| PyBytes::new(py, frame).unbind()).collect(),
            events: events.collect::<PyResult<_>>()?,
            deadline_ms: result.deadline_ms,
            close: result.close,
        })
    }
}

#[pymethods]
impl PollResult {
    #[getter]
    fn frames(&self, py: Python<'_>) -> Vec<Py<PyBytes>> {
        self.frames.iter().map(|frame| frame.clone_ref(py)).collect()
    }

    #[getter]
    fn events(&self, py: Python<'_>) -> Vec<Py<SyncEvent>> {
        self.events.iter().map(|event| event.clone_ref(py)).collect()
    }

    #[getter]
    fn deadline_ms(&self) -> Option<i64> {
        self.deadline_ms
    }

    #[getter]
    fn close(&self) -> Option<(u16, &str)> {
        self.close.as_ref().map(|(code, reason)| (*code, reason.as_str()))
    }
}
