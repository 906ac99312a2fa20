//! `RealmFile`: an open realm file.

use std::path::Path;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PySequence;
use skerry_model::{ClientVersion, QueryVersion};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Opened, Options, QUERY_CACHE_DEFAULT_BYTES, Realm};
use skerry_store::{EncryptionKey, Location};

use crate::errors::CoreError;
use crate::observer::{CollectionObserver, ObjectObserver, ResultsObserver};
use crate::schema_change::SchemaChange;
use crate::snapshot::Snapshot;
use crate::subscriptions::{Item, SubscriptionSetData, to_subscriptions};
use crate::write_transaction::WriteTransaction;
use crate::{gate, schema};

/// An open realm file. The store keeps its own locks and its own "closed".
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct RealmFile {
    path: String,
    realm: Realm,
}

impl RealmFile {
    pub(crate) fn new(path: String, realm: Realm) -> Self {
        Self { path, realm }
    }

    /// Another handle of the same open file.
    pub(crate) fn realm(&self) -> Realm {
        self.realm.clone()
    }
}

fn synchronous_of(name: &str) -> Result<Synchronous, CoreError> {
    match name {
        "full" => Ok(Synchronous::Full),
        "normal" => Ok(Synchronous::Normal),
        _ => Err(CoreError::BadArgument {
            argument: "synchronous",
            reason: format!("\"full\" or \"normal\", not {name:?}"),
        }),
    }
}

/// The key of a file, as it comes from Python.
pub(crate) fn key_of(bytes: Option<&[u8]>) -> Result<Option<EncryptionKey>, CoreError> {
    let key = bytes.map(EncryptionKey::new).transpose();
    key.map_err(|error| CoreError::BadArgument {
        argument: "encryption_key",
        reason: error.to_string(),
    })
}

#[pymethods]
impl RealmFile {
    #[staticmethod]
    #[pyo3(signature = (path, schema_json, *, synced, synchronous = "full", query_cache_bytes = QUERY_CACHE_DEFAULT_BYTES, encryption_key = None))]
    fn open(
        py: Python<'_>,
        path: String,
        schema_json: &str,
        synced: bool,
        synchronous: &str,
        query_cache_bytes: usize,
        encryption_key: Option<&[u8]>,
    ) -> PyResult<Self> {
        gate::run(py, || {
            let synchronous = synchronous_of(synchronous)?;
            let options = Options {
                schema: schema::parse(schema_json)?,
                synced,
                synchronous,
                query_cache_bytes,
                encryption_key: key_of(encryption_key)?,
            };
            let realm = Realm::open(Path::new(&path), &options)?;
            Ok(Self { path, realm })
        })
    }

    #[staticmethod]
    #[pyo3(signature = (path, schema_json, *, schema_version, timeout_ms, synchronous = "full", query_cache_bytes = QUERY_CACHE_DEFAULT_BYTES, encryption_key = None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn open_versioned(
        py: Python<'_>,
        path: String,
        schema_json: &str,
        schema_version: u64,
        timeout_ms: u64,
        synchronous: &str,
        query_cache_bytes: usize,
        encryption_key: Option<&[u8]>,
    ) -> PyResult<(Option<Self>, Option<SchemaChange>)> {
        let opened = gate::run(py, || {
            let synchronous = synchronous_of(synchronous)?;
            let schema = schema::parse(schema_json)?;
            let encryption_key = key_of(encryption_key)?;
            let options =
                Options { schema, synced: false, synchronous, query_cache_bytes, encryption_key };
            let timeout = Duration::from_millis(timeout_ms);
            Ok(Realm::open_versioned(Path::new(&path), &options, schema_version, timeout)?)
        })?;
        Ok(match opened {
            Opened::Ready(realm) => (Some(Self::new(path, realm)), None),
            Opened::Change(change) => (None, Some(SchemaChange::new(path, change))),
        })
    }

    #[staticmethod]
    #[pyo3(signature = (path, schema_json, *, synced, schema_version, query_cache_bytes = QUERY_CACHE_DEFAULT_BYTES, encryption_key = None))]
    fn open_read_only(
        py: Python<'_>,
        path: String,
        schema_json: &str,
        synced: bool,
        schema_version: Option<u64>,
        query_cache_bytes: usize,
        encryption_key: Option<&[u8]>,
    ) -> PyResult<Self> {
        gate::run(py, || {
            let (schema, synchronous) = (schema::parse(schema_json)?, Synchronous::Full);
            let encryption_key = key_of(encryption_key)?;
            let options =
                Options { schema, synced, synchronous, query_cache_bytes, encryption_key };
            let realm = Realm::open_read_only(Path::new(&path), &options, schema_version)?;
            Ok(Self::new(path, realm))
        })
    }

    fn active_versions(&self, py: Python<'_>) -> PyResult<usize> {
        gate::run(py, || Ok(self.realm.active_versions()?))
    }

    fn schema_version(&self, py: Python<'_>) -> PyResult<u64> {
        gate::run(py, || Ok(self.realm.schema_version()?))
    }

    #[pyo3(signature = (destination, *, schema_version = None, encryption_key = None))]
    fn write_copy(
        &self,
        py: Python<'_>,
        destination: &str,
        schema_version: Option<u64>,
        encryption_key: Option<&[u8]>,
    ) -> PyResult<()> {
        gate::run(py, || {
            let destination = Location::new(destination, key_of(encryption_key)?);
            Ok(self.realm.write_copy(&destination, schema_version)?)
        })
    }

    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        gate::run(py, || {
            self.realm.close();
            Ok(())
        })
    }

    fn version(&self, py: Python<'_>) -> PyResult<i64> {
        gate::run(py, || Ok(self.realm.version()?.0))
    }

    fn data_version(&self, py: Python<'_>) -> PyResult<i64> {
        gate::run(py, || Ok(self.realm.data_version()?))
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        gate::run(py, || Ok(self.realm.snapshot()?.into()))
    }

    #[pyo3(signature = (class_name, rql, args, key_paths = None))]
    fn observe_results(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
        key_paths: Option<Vec<String>>,
    ) -> PyResult<ResultsObserver> {
        ResultsObserver::of(py, &self.realm, (class_name, rql), args, key_paths)
    }

    #[pyo3(signature = (class_name, key, key_paths = None))]
    fn observe_object(
        &self,
        py: Python<'_>,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        key_paths: Option<Vec<String>>,
    ) -> PyResult<ObjectObserver> {
        ObjectObserver::of(py, &self.realm, class_name, key, key_paths)
    }

    #[pyo3(signature = (class_name, key, path, key_paths = None))]
    fn observe_collection(
        &self,
        py: Python<'_>,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        key_paths: Option<Vec<String>>,
    ) -> PyResult<CollectionObserver> {
        CollectionObserver::of(py, &self.realm, (class_name, key), path, key_paths)
    }

    fn begin_write(&self, py: Python<'_>, timeout_ms: u64) -> PyResult<WriteTransaction> {
        gate::run(py, || Ok(self.realm.begin_write(Duration::from_millis(timeout_ms))?.into()))
    }

    fn pending_upload(&self, py: Python<'_>) -> PyResult<bool> {
        gate::run(py, || Ok(self.realm.has_pending_upload()?))
    }

    fn is_uploaded(&self, py: Python<'_>, version: i64) -> PyResult<bool> {
        gate::run(py, || Ok(self.realm.is_uploaded_through(ClientVersion(version))?))
    }

    fn request_download(&self, py: Python<'_>) -> PyResult<u64> {
        gate::run(py, || Ok(self.realm.request_download()?))
    }

    fn is_download_answered(&self, py: Python<'_>, request: u64) -> PyResult<bool> {
        gate::run(py, || Ok(request <= self.realm.download_requests()?.answered))
    }

    fn subscriptions(&self, py: Python<'_>) -> PyResult<SubscriptionSetData> {
        gate::run(py, || Ok(self.realm.snapshot()?.subscriptions()?.into()))
    }

    fn subscription_set(
        &self,
        py: Python<'_>,
        version: i64,
    ) -> PyResult<Option<SubscriptionSetData>> {
        gate::run(py, || {
            let set = self.realm.snapshot()?.subscription_set(QueryVersion(version))?;
            Ok(set.map(SubscriptionSetData::from))
        })
    }

    fn commit_subscriptions(
        &self,
        py: Python<'_>,
        items: Vec<Item>,
        expected_version: i64,
    ) -> PyResult<SubscriptionSetData> {
        gate::run(py, || {
            let items = to_subscriptions(items)?;
            let expected = QueryVersion(expected_version);
            Ok(self.realm.commit_subscriptions(items, expected)?.into())
        })
    }
}
