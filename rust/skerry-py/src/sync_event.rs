//! `SyncEvent`: one thing that happened in a session, flat: what a kind does not have is None.

use pyo3::prelude::*;
use skerry_model::{ClientVersion, ObjectKey, QueryVersion};
use skerry_sync::client::{self, Report, SyncEventKind};
use skerry_sync::protocol::{ErrorMessage, LogMessage, ProtocolErrorCode};

use crate::convert;

/// Class, primary key and reason of a write that the server undid.
#[derive(Debug)]
struct Write {
    class: String,
    key: ObjectKey,
    reason: String,
}

/// The same, for Python.
type UndoneWrite<'a, 'py> = (&'a str, Bound<'py, PyAny>, &'a str);

/// What happened. See the stub for which kind has what.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug, Default)]
pub(crate) struct SyncEvent {
    #[pyo3(get)]
    kind: &'static str,
    #[pyo3(get)]
    session: i64,
    #[pyo3(get)]
    request: Option<u64>,
    #[pyo3(get)]
    version: Option<i64>,
    #[pyo3(get)]
    state: Option<&'static str>,
    #[pyo3(get)]
    code: Option<u16>,
    #[pyo3(get)]
    name: Option<&'static str>,
    #[pyo3(get)]
    message: Option<String>,
    #[pyo3(get)]
    action: Option<&'static str>,
    #[pyo3(get)]
    is_fatal: Option<bool>,
    #[pyo3(get)]
    try_again: Option<bool>,
    #[pyo3(get)]
    log_url: Option<String>,
    #[pyo3(get)]
    direction: Option<&'static str>,
    #[pyo3(get)]
    estimate: Option<f64>,
    #[pyo3(get)]
    level: Option<String>,
    undone: Option<Vec<Write>>,
}

#[pymethods]
impl SyncEvent {
    #[getter]
    fn writes<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<UndoneWrite<'_, 'py>>>> {
        let Some(undone) = &self.undone else { return Ok(None) };
        let writes = undone.iter().map(|write| {
            Ok((write.class.as_str(), convert::from_key(py, &write.key)?, write.reason.as_str()))
        });
        writes.collect::<PyResult<_>>().map(Some)
    }
}

impl From<client::SyncEvent> for SyncEvent {
    fn from(event: client::SyncEvent) -> Self {
        let kind = event.kind.name();
        let session = event.session.0;
        Self { kind, session, ..Self::of_kind(event.kind) }
    }
}

impl SyncEvent {
    fn of_kind(kind: SyncEventKind) -> Self {
        let empty = Self::default();
        match kind {
            SyncEventKind::Integrated { version: ClientVersion(version) } => {
                Self { version: Some(version), ..empty }
            }
            SyncEventKind::Subscription { version: QueryVersion(version), state, message } => {
                Self {
                    version: Some(version),
                    state: Some(state.map_or("superseded", |state| state.name())),
                    message,
                    ..empty
                }
            }
            SyncEventKind::DownloadComplete { request }
            | SyncEventKind::UploadComplete { request } => Self { request: Some(request), ..empty },
            SyncEventKind::Progress { direction, estimate } => {
                Self { direction: Some(direction.name()), estimate: Some(estimate), ..empty }
            }
            SyncEventKind::Error(report) => Self::of_report(report),
            SyncEventKind::CompensatingWrite(error) => Self::of_compensation(error),
            SyncEventKind::Session(state) => Self { state: Some(state.name()), ..empty },
            SyncEventKind::Log(LogMessage { level, message, .. }) => {
                Self { level: Some(level), message: Some(message), ..empty }
            }
            SyncEventKind::RefreshUser | SyncEventKind::RefreshLocation | SyncEventKind::LogOut => {
                empty
            }
        }
    }

    fn of_report(report: Report) -> Self {
        Self {
            code: Some(report.code),
            name: ProtocolErrorCode::from_number(report.code).map(ProtocolErrorCode::title),
            message: Some(report.message),
            action: Some(report.action.name()),
            is_fatal: Some(!report.try_again),
            try_again: Some(report.try_again),
            log_url: Some(report.log_url),
            ..Self::default()
        }
    }

    fn of_compensation(error: ErrorMessage) -> Self {
        let undone = error.rejected_updates.unwrap_or_default().into_iter();
        let undone = undone.map(|it| Write { class: it.table, key: it.pk, reason: it.reason });
        Self {
            version: error.compensating_write_server_version.map(|version| version.0),
            code: Some(error.code),
            message: Some(error.message),
            log_url: Some(error.log_url),
            undone: Some(undone.collect()),
            ..Self::default()
        }
    }
}
