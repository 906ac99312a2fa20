//! What a file is and holds, in numbers.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use skerry_model::{ClientVersion, FileIdent, QueryVersion, ServerVersion};

use super::access::{Access, Opened, metadata};
use super::classes::{self, ClassFacts, TableSize};
use super::log::{LogState, unix_ms};
use super::{Depth, locks};
use crate::connection::FileKind;
use crate::error::{Result, StoreError};
use crate::realm::{self, PendingBootstrap, Progress, SubscriptionSet};

/// Subscription sets that are told at most, the newest. Older ones are kept only until a newer one is
/// in force.
const SETS_MAX: usize = 100;

/// Everything about a file but its objects.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file itself.
    pub file: FileFacts,
    /// Whether a sync agent is at work.
    pub agent: AgentState,
    /// The log, as it was just before.
    pub log: LogState,
    /// What it holds beside objects.
    pub kind: Kind,
    /// The classes by name.
    pub classes: Vec<ClassFacts>,
    /// The sizes of the tables, the largest first; `None` unless everything was asked for.
    pub tables: Option<Vec<TableSize>>,
}

/// The file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Where it is.
    pub path: PathBuf,
    /// Number of its format.
    pub format: i32,
    /// Bytes of the file, without its log.
    pub size_bytes: u64,
    /// When it was last written, in ms since 1970; what is in the log only is newer.
    pub modified_ms: Option<i64>,
    /// Bytes of a page.
    pub page_size_bytes: u64,
    /// Pages of this version.
    pub pages: u64,
    /// Pages that hold nothing and will be used again.
    pub free_pages: u64,
    /// How it was read.
    pub access: Access,
}

/// Whether a process syncs the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// One of these processes does.
    Running(Vec<i64>),
    /// None that this one can see.
    None,
    /// The system does not tell.
    Unknown,
}

/// What a file holds beside objects.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A device's file.
    Realm(Box<RealmFacts>),
    /// A server's store.
    Server(ServerFacts),
}

/// What a device's file holds beside objects.
#[derive(Clone, Debug)]
pub struct RealmFacts {
    /// Whether it is kept in step with a server.
    pub is_synced: bool,
    /// Counters and cursors.
    pub progress: Progress,
    /// The history.
    pub history: HistoryFacts,
    /// The stored subscription sets, the newest first.
    pub subscriptions: Vec<SubscriptionSet>,
    /// Which of them is in force, as far as the file knows; 0 for none.
    pub active: QueryVersion,
    /// What is staged.
    pub bootstrap: Option<BootstrapFacts>,
}

/// The history of a device's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFacts {
    /// By origin, ascending.
    pub origins: Vec<OriginFacts>,
    /// The oldest version kept and the newest.
    pub versions: Option<(ClientVersion, ClientVersion)>,
    /// Own changesets that the server has not accepted.
    pub pending_uploads: u64,
    /// Their packed bytes.
    pub pending_upload_bytes: u64,
}

/// The entries of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginFacts {
    /// Who made them; [`FileIdent::LOCAL`] for this file.
    pub origin: FileIdent,
    /// How many.
    pub entries: u64,
    /// Packed bytes of their changesets.
    pub bytes: u64,
    /// Packed bytes of what merging has made of them.
    pub reciprocal_bytes: u64,
}

/// A bootstrap that waits to be integrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootstrapFacts {
    /// What it is.
    pub staged: PendingBootstrap,
    /// Packed bytes of its entries.
    pub bytes: u64,
}

/// What a server's store holds beside objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// The newest version.
    pub head: ServerVersion,
    /// Entries of the history.
    pub entries: u64,
    /// Objects touched by them, each once per entry.
    pub touches: u64,
    /// Bytes of the instructions on these.
    pub bytes: u64,
    /// Client files.
    pub clients: u64,
}

/// A number that cannot be negative.
pub(super) fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, Option<i64>>(column)?.unwrap_or(0).unsigned_abs())
}

fn pragma(connection: &Connection, name: &str) -> Result<u64> {
    Ok(connection.query_row(&format!("PRAGMA {name}"), [], |row| number(row, 0))?)
}

impl Report {
    pub(super) fn of(
        opened: &Opened<'_>,
        depth: Depth,
        log: &LogState,
        agent: &AgentState,
    ) -> Result<Self> {
        let connection = opened.connection;
        let mut log = log.clone();
        if opened.kind == FileKind::Realm {
            let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'progress'";
            log.find_versions(opened.path, connection.query_row(sql, [], |row| row.get(0))?);
        }
        Ok(Self {
            file: FileFacts::of(opened)?,
            agent: agent.clone(),
            log,
            kind: match opened.kind {
                FileKind::Realm => Kind::Realm(Box::new(RealmFacts::of(connection)?)),
                FileKind::Server => Kind::Server(ServerFacts::of(connection)?),
            },
            classes: classes::facts(opened, depth)?,
            tables: match depth {
                Depth::Overview => None,
                Depth::Everything => Some(classes::table_sizes(opened)?),
            },
        })
    }
}

impl FileFacts {
    fn of(opened: &Opened<'_>) -> Result<Self> {
        let Opened { connection, path, .. } = opened;
        let metadata = metadata(path)?.ok_or_else(|| StoreError::corrupted("the file is gone"))?;
        let format = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok(Self {
            path: path.to_path_buf(),
            format,
            size_bytes: metadata.len(),
            modified_ms: unix_ms(metadata.modified()),
            page_size_bytes: pragma(connection, "page_size")?,
            pages: pragma(connection, "page_count")?,
            free_pages: pragma(connection, "freelist_count")?,
            access: opened.access,
        })
    }
}

impl AgentState {
    /// Whether somebody holds the lock of the file's sync agent.
    pub(super) fn of(path: &Path) -> Self {
        let Some(held) = locks::on(&realm::lock_path(path)) else { return Self::Unknown };
        let pids: Vec<i64> =
            held.iter().filter(|lock| lock.is_whole).map(|lock| lock.pid).collect();
        if pids.is_empty() { Self::None } else { Self::Running(pids) }
    }
}

impl RealmFacts {
    fn of(connection: &Connection) -> Result<Self> {
        let progress = Progress::load(connection)?;
        let subscriptions = realm::newest_sets(connection, SETS_MAX)?;
        let active = connection
            .query_row(
                "SELECT max(version) FROM subscription_set WHERE state IN (3, 6)",
                [],
                |row| row.get::<_, Option<i64>>(0),
            )?
            .unwrap_or(0);
        Ok(Self {
            is_synced: realm::is_synced(connection)?,
            history: HistoryFacts::of(connection, &progress)?,
            progress,
            subscriptions,
            active: QueryVersion(active),
            bootstrap: BootstrapFacts::of(connection)?,
        })
    }
}

impl HistoryFacts {
    fn of(connection: &Connection, progress: &Progress) -> Result<Self> {
        let mut statement = connection.prepare(
            "SELECT origin, count(*), sum(length(changeset)), sum(length(reciprocal))
             FROM history GROUP BY origin ORDER BY origin",
        )?;
        let origins = statement.query_map([], |row| {
            Ok(OriginFacts {
                origin: FileIdent(row.get(0)?),
                entries: number(row, 1)?,
                bytes: number(row, 2)?,
                reciprocal_bytes: number(row, 3)?,
            })
        })?;
        let origins = origins.collect::<rusqlite::Result<_>>()?;
        let versions: (Option<i64>, Option<i64>) =
            connection.query_row("SELECT min(version), max(version) FROM history", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let (pending_uploads, pending_upload_bytes) = connection.query_row(
            "SELECT count(*), sum(length(changeset)) FROM history
             WHERE origin = 0 AND length(changeset) > 0 AND version > ?1",
            [progress.sync.upload_client_version.0],
            |row| Ok((number(row, 0)?, number(row, 1)?)),
        )?;
        let versions = versions.0.zip(versions.1);
        let versions = versions.map(|(first, last)| (ClientVersion(first), ClientVersion(last)));
        Ok(Self { origins, versions, pending_uploads, pending_upload_bytes })
    }
}

impl BootstrapFacts {
    fn of(connection: &Connection) -> Result<Option<Self>> {
        let Some(staged) = realm::pending(connection)? else { return Ok(None) };
        let sql = "SELECT sum(length(changeset)) FROM bootstrap_entry";
        let bytes = connection.query_row(sql, [], |row| number(row, 0)).optional()?;
        Ok(Some(Self { staged, bytes: bytes.unwrap_or(0) }))
    }
}

impl ServerFacts {
    fn of(connection: &Connection) -> Result<Self> {
        let sql = "SELECT (SELECT max(version) FROM history), (SELECT count(*) FROM history),
                       (SELECT count(*) FROM touch), (SELECT sum(length(instructions)) FROM touch),
                       (SELECT count(*) FROM client)";
        Ok(connection.query_row(sql, [], |row| {
            Ok(Self {
                head: ServerVersion(row.get::<_, Option<i64>>(0)?.unwrap_or(0)),
                entries: number(row, 1)?,
                touches: number(row, 2)?,
                bytes: number(row, 3)?,
                clients: number(row, 4)?,
            })
        })?)
    }
}
