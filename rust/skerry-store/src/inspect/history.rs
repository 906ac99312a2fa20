//! The history of a synced file: its entries, and what they say.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};
use skerry_model::{Changeset, ClientVersion, FileIdent, Name, ServerVersion, Stamp};

use super::describe::describe;
use crate::error::{Result, StoreError};
use crate::realm::unpack_changeset;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its version.
    pub version: ClientVersion,
    /// Who made it; [`FileIdent::LOCAL`] for this file.
    pub origin: FileIdent,
    /// When it was made.
    pub stamp: Stamp,
    /// The server version that was integrated when it was made.
    pub server_version: ServerVersion,
    /// Packed bytes of the changeset; 0 for what came from the server, of which only the fact is kept.
    pub bytes: u64,
    /// Packed bytes of what merging has made of it; `None` when it was not changed.
    pub reciprocal_bytes: Option<u64>,
    /// How many instructions it has for each class.
    pub classes: BTreeMap<Name, u64>,
}

/// Some entries, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// The entries.
    pub entries: Vec<HistoryEntry>,
    /// How many the history has.
    pub total: u64,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// The entry.
    pub entry: HistoryEntry,
    /// The first instructions of the changeset, for people to read.
    pub lines: Vec<String>,
    /// How many it has.
    pub total: u64,
    /// The same of what merging has made of it; `None` when it was not changed.
    pub reciprocal: Option<(Vec<String>, u64)>,
}

const COLUMNS: &str =
    "SELECT version, origin, stamp, remote_version, changeset, reciprocal FROM history";

impl HistoryEntry {
    fn from_row(row: &Row<'_>) -> Result<(Self, Changeset)> {
        let version = ClientVersion(row.get(0)?);
        let stored = row.get_ref(4)?;
        let changeset = unpack_changeset(version, stored)?;
        let mut classes = BTreeMap::new();
        for instruction in &changeset.instructions {
            *classes.entry(instruction.class().clone()).or_insert(0) += 1;
        }
        let size = |column| -> Result<Option<u64>> {
            let stored = row.get_ref(column)?.as_blob_or_null().map_err(StoreError::corrupted)?;
            Ok(stored.map(|bytes| bytes.len() as u64))
        };
        let entry = Self {
            version,
            origin: FileIdent(row.get(1)?),
            stamp: Stamp(row.get(2)?),
            server_version: ServerVersion(row.get(3)?),
            bytes: size(4)?.unwrap_or(0),
            reciprocal_bytes: size(5)?,
            classes,
        };
        Ok((entry, changeset))
    }
}

pub(super) fn page(connection: &Connection, limit: usize) -> Result<HistoryPage> {
    let total: i64 = connection.query_row("SELECT count(*) FROM history", [], |row| row.get(0))?;
    let mut statement = connection.prepare(&format!("{COLUMNS} ORDER BY version DESC LIMIT ?1"))?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(HistoryEntry::from_row(row)?.0);
    }
    Ok(HistoryPage { entries, total: total.unsigned_abs() })
}

pub(super) fn instructions(
    connection: &Connection,
    version: ClientVersion,
    limit: usize,
) -> Result<Option<Instructions>> {
    let mut statement = connection.prepare(&format!("{COLUMNS} WHERE version = ?1"))?;
    let mut rows = statement.query([version.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (entry, changeset) = HistoryEntry::from_row(row)?;
    let reciprocal = match entry.reciprocal_bytes {
        Some(_) => Some(lines(&unpack_changeset(version, row.get_ref(5)?)?, limit)),
        None => None,
    };
    let (lines, total) = lines(&changeset, limit);
    Ok(Some(Instructions { entry, lines, total, reciprocal }))
}

fn lines(changeset: &Changeset, limit: usize) -> (Vec<String>, u64) {
    let instructions = &changeset.instructions;
    (instructions.iter().take(limit).map(describe).collect(), instructions.len() as u64)
}

/// The version of the newest entry.
pub(super) fn newest(connection: &Connection) -> Result<Option<ClientVersion>> {
    let sql = "SELECT max(version) FROM history";
    let newest: Option<Option<i64>> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(newest.flatten().map(ClientVersion))
}
