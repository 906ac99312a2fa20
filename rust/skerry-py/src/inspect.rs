//! `Inspector`: looking into a file that may be in use, for `skerry inspect`.
//!
//! What is found crosses as JSON text, whose members are listed in `docs/inspect.md` and stay as they
//! are; objects cross as values, like everywhere.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::{Value as Json, json};
use skerry_model::{ClassSchema, ClientVersion, FileIdent, IndexKind, Name, Property, Stamp};
use skerry_store::inspect;
use skerry_store::inspect::{
    Access, AgentState, ClassFacts, Depth, FileFacts, HistoryEntry, Kind, LogState, RealmFacts,
    Report, ServerFacts, WalIndex,
};
use skerry_store::realm::SubscriptionSet;

use crate::errors::CoreError;
use crate::realm::key_of;
use crate::{convert, gate};

/// A file to be looked into; nothing of it is held open.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct Inspector {
    inspector: inspect::Inspector,
}

/// Names of properties, rows, and how many objects there are.
type Found<'py> = (Vec<String>, Bound<'py, PyList>, u64);

#[pymethods]
impl Inspector {
    #[staticmethod]
    #[pyo3(signature = (path, *, encryption_key = None))]
    fn open(py: Python<'_>, path: PathBuf, encryption_key: Option<&[u8]>) -> PyResult<Self> {
        gate::run(py, || {
            let inspector = inspect::Inspector::open(path, key_of(encryption_key)?)?;
            Ok(Self { inspector })
        })
    }

    #[pyo3(signature = (*, full = false))]
    fn report(&self, py: Python<'_>, full: bool) -> PyResult<String> {
        let depth = if full { Depth::Everything } else { Depth::Overview };
        gate::run(py, || Ok(report(&self.inspector.report(depth)?).to_string()))
    }

    fn query<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        limit: u64,
    ) -> PyResult<Found<'py>> {
        let class = Name::from(class_name);
        let found = gate::run(py, || {
            let found = self.inspector.query(&class, rql, limit);
            found.map_err(|error| CoreError::in_query(error, rql))
        })?;
        let properties = found.properties.iter().map(ToString::to_string).collect();
        Ok((properties, convert::from_rows(py, &found.rows)?, found.total))
    }

    fn history(&self, py: Python<'_>, limit: usize) -> PyResult<String> {
        gate::run(py, || {
            let page = self.inspector.history(limit)?;
            let entries: Vec<Json> = page.entries.iter().map(entry).collect();
            Ok(json!({ "total": page.total, "entries": entries }).to_string())
        })
    }

    fn instructions(&self, py: Python<'_>, version: i64, limit: usize) -> PyResult<Option<String>> {
        gate::run(py, || {
            let found = self.inspector.instructions(ClientVersion(version), limit)?;
            Ok(found.map(|found| {
                let form = |lines: &[String], total: u64| json!({ "total": total, "lines": lines });
                let reciprocal = found.reciprocal.as_ref();
                json!({
                    "entry": entry(&found.entry),
                    "instructions": form(&found.lines, found.total),
                    "reciprocal": reciprocal.map(|(lines, total)| form(lines, *total)),
                })
                .to_string()
            }))
        })
    }

    fn check(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<(String, String)>> {
        gate::run(py, || {
            let found = self.inspector.check(limit)?;
            Ok(found.into_iter().map(|finding| (finding.place, finding.what)).collect())
        })
    }
}

fn report(report: &Report) -> Json {
    let (kind, realm, server) = match &report.kind {
        Kind::Realm(facts) => ("realm", realm(facts), Json::Null),
        Kind::Server(facts) => ("server", Json::Null, server(*facts)),
    };
    let tables = report.tables.as_ref().map(|tables| {
        let tables = tables.iter().map(|table| {
            json!({
                "name": table.name,
                "class_name": table.class.as_ref().map(Name::as_str),
                "pages": table.pages,
                "bytes": table.bytes,
                "unused_bytes": table.unused_bytes,
            })
        });
        tables.collect::<Vec<_>>()
    });
    json!({
        "kind": kind,
        "file": file(&report.file),
        "log": log(&report.log),
        "sync_agent": agent(&report.agent),
        "realm": realm,
        "server": server,
        "classes": report.classes.iter().map(class).collect::<Vec<_>>(),
        "tables": tables,
    })
}

fn file(file: &FileFacts) -> Json {
    json!({
        "path": file.path.to_string_lossy(),
        "format": file.format,
        "size_bytes": file.size_bytes,
        "modified_ms": file.modified_ms,
        "page_size_bytes": file.page_size_bytes,
        "pages": file.pages,
        "free_pages": file.free_pages,
        "access": match file.access {
            Access::AtRest => "at_rest",
            Access::Shared => "shared",
            Access::Recovering => "recovering",
        },
    })
}

fn log(log: &LogState) -> Json {
    json!({
        "size_bytes": log.size_bytes,
        "modified_ms": log.modified_ms,
        "index": log.index.as_ref().map(wal_index),
    })
}

fn wal_index(index: &WalIndex) -> Json {
    let readers = index.readers.as_ref().map(|readers| {
        let readers = readers.iter();
        readers
            .map(|reader| {
                json!({
 "frames": reader.frames, "version": reader.version.map(|version| version.0), "pids": reader.pids })
            })
            .collect::<Vec<_>>()
    });
    json!({
        "frame_size_bytes": index.frame_size_bytes,
        "frames": index.frames,
        "moved_frames": index.moved_frames,
        "pinned_frames": index.pinned_frames,
        "readers": readers,
        "writer_pids": index.writers,
    })
}

fn agent(agent: &AgentState) -> Json {
    let (state, pids): (_, &[i64]) = match agent {
        AgentState::Running(pids) => ("running", pids),
        AgentState::None => ("none", &[]),
        AgentState::Unknown => ("unknown", &[]),
    };
    json!({ "state": state, "pids": pids })
}

/// The salts are left out: with them somebody could pass for the file.
fn realm(facts: &RealmFacts) -> Json {
    let (progress, history) = (&facts.progress, &facts.history);
    let sync = &progress.sync;
    let origins = history.origins.iter().map(|of| {
        json!({
            "origin": origin(of.origin),
            "entries": of.entries,
            "bytes": of.bytes,
            "reciprocal_bytes": of.reciprocal_bytes,
        })
    });
    json!({
        "synced": facts.is_synced,
        "version": progress.version.0,
        "last_stamp_ms": stamp_ms(progress.last_stamp),
        "file_ident": progress.file_ident.0,
        "download_cursor": {
            "server_version": sync.download_server_version.0,
            "client_version": sync.download_client_version.0,
        },
        "upload_cursor": {
            "client_version": sync.upload_client_version.0,
            "server_version": sync.upload_server_version.0,
        },
        "latest_server_version": sync.latest_server_version.0,
        "history": {
            "origins": origins.collect::<Vec<_>>(),
            "first_version": history.versions.map(|(first, _)| first.0),
            "last_version": history.versions.map(|(_, last)| last.0),
            "pending_uploads": history.pending_uploads,
            "pending_upload_bytes": history.pending_upload_bytes,
        },
        "active_subscriptions": facts.active.0,
        "subscription_sets": facts.subscriptions.iter().map(subscription_set).collect::<Vec<_>>(),
        "bootstrap": facts.bootstrap.map(|bootstrap| json!({
            "query_version": bootstrap.staged.query_version.0,
            "complete": bootstrap.staged.progress.is_some(),
            "entries": bootstrap.staged.entry_count,
            "bytes": bootstrap.bytes,
        })),
    })
}

fn subscription_set(set: &SubscriptionSet) -> Json {
    let items = set.items.iter().map(|item| {
        json!({
            "id": item.id.to_string(),
            "name": item.name,
            "class_name": item.class.as_str(),
            "query": item.query,
            "created_ms": item.created_ms,
            "updated_ms": item.updated_ms,
        })
    });
    json!({
        "version": set.version.0,
        "state": set.state.name(),
        "snapshot_version": set.snapshot_version.0,
        "error_message": set.error_message,
        "items": items.collect::<Vec<_>>(),
    })
}

fn server(facts: ServerFacts) -> Json {
    json!({
        "version": facts.head.0,
        "history_entries": facts.entries,
        "touched_objects": facts.touches,
        "instruction_bytes": facts.bytes,
        "clients": facts.clients,
    })
}

fn class(facts: &ClassFacts) -> Json {
    let ClassSchema { name, primary_key, properties, embedded } = &facts.schema;
    let properties = properties.iter().zip(&facts.indexes);
    let properties = properties.map(|(one, index)| property(one, *index, primary_key));
    json!({
        "name": name.as_str(),
        "embedded": embedded,
        "primary_key": (!embedded).then(|| primary_key.as_str()),
        "objects": facts.objects,
        "dangling_links": facts.dangling_links,
        "properties": properties.collect::<Vec<_>>(),
    })
}

fn property(property: &Property, index: Option<IndexKind>, primary_key: &Name) -> Json {
    json!({
        "name": property.name.as_str(),
        "type": property.ty.name(),
        "nullable": property.nullable,
        "collection": property.collection.name(),
        "target": property.target.as_ref().map(Name::as_str),
        "indexed": index.map(|index| match index {
            IndexKind::General => "general",
            IndexKind::FullText => "fulltext",
        }),
        "primary_key": property.name == *primary_key,
    })
}

fn entry(entry: &HistoryEntry) -> Json {
    let classes = entry.classes.iter().map(|(class, count)| (class.to_string(), (*count).into()));
    json!({
        "version": entry.version.0,
        "origin": origin(entry.origin),
        "stamp_ms": stamp_ms(entry.stamp),
        "server_version": entry.server_version.0,
        "bytes": entry.bytes,
        "reciprocal_bytes": entry.reciprocal_bytes,
        "instructions": entry.classes.values().sum::<u64>(),
        "classes": classes.collect::<serde_json::Map<_, _>>(),
    })
}

/// Who made an entry, as a word where there is one.
fn origin(origin: FileIdent) -> Json {
    match origin {
        FileIdent::LOCAL => "own".into(),
        FileIdent::SERVER => "server".into(),
        FileIdent(client) => client.into(),
    }
}

/// Unix time in ms; nothing for the stamp of a file without changes, and for those that are no times.
fn stamp_ms(stamp: Stamp) -> Option<i64> {
    (stamp != Stamp(0) && stamp != Stamp::SYNTHETIC).then(|| stamp.to_unix_ms())
}
