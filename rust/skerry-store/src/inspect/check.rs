//! Whether a file is sound: `SQLite`'s own check, and what this project keeps true beyond it.
//!
//! Invariant: damage is a finding, and the check goes on with what can still be read. It stops with an
//! error only where nothing can be read at all.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};
use skerry_model::{ClientVersion, Link, Schema};

use super::access::Opened;
use super::history::newest;
use crate::connection::FileKind;
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, Column, key_to_sql, read_row};
use crate::realm::{self, Progress};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a class, a table, or `SQLite`.
    pub place: String,
    /// What.
    pub what: String,
}

/// What was found, up to a limit.
struct Findings {
    found: Vec<Finding>,
    limit: usize,
}

impl Findings {
    fn add(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if !self.is_full() {
            self.found.push(Finding { place: place.into(), what: what.into() });
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    /// Takes what kept a part of the check from being made.
    fn note(&mut self, place: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.add(place, error.to_string());
        }
    }
}

pub(super) fn check(opened: &Opened<'_>, limit: usize) -> Vec<Finding> {
    let connection = opened.connection;
    let mut findings = Findings { found: Vec::new(), limit };
    let outcome = sqlite(connection, &mut findings);
    findings.note("SQLite", outcome);
    for table in opened.tables.catalogue().classes() {
        let outcome = objects(opened, table, &mut findings);
        findings.note(&table.schema.name, outcome);
    }
    if opened.kind == FileKind::Realm {
        let outcome = history(connection, &mut findings);
        findings.note("history", outcome);
        let outcome = bootstrap(connection, &mut findings);
        findings.note("bootstrap", outcome);
        let outcome = counters(connection, &mut findings);
        findings.note("progress", outcome);
        let outcome = realm::newest_sets(connection, usize::MAX).map(|_sets| ());
        findings.note("subscription_set", outcome);
    }
    findings.found
}

fn sqlite(connection: &Connection, findings: &mut Findings) -> Result<()> {
    let mut statement =
        connection.prepare(&format!("PRAGMA integrity_check({})", findings.limit.max(1)))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.add("SQLite", line);
        }
    }
    Ok(())
}

/// Each object decodes, and the side table says which links its contents hold.
fn objects(opened: &Opened<'_>, table: &ClassTable, findings: &mut Findings) -> Result<()> {
    let (connection, schema) = (opened.connection, opened.tables.catalogue().schema());
    let mut columns: Vec<String> = table.columns.iter().map(Column::sql_name).collect();
    columns.push("row_id".to_owned());
    let sql = format!("SELECT {} FROM {} ORDER BY row_id", columns.join(", "), table.table());
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut links, mut is_whole) = (0, true);
    while let Some(row) = rows.next()? {
        if findings.is_full() {
            return Ok(());
        }
        match object(connection, schema, table, row) {
            Ok(held) => links += held,
            Err(error) => {
                is_whole = false;
                let row_id: i64 = row.get(columns.len() - 1)?;
                findings.add(&*table.schema.name, format!("row {row_id}: {}", detail(&error)));
            }
        }
    }
    let sql = "SELECT count(*) FROM content_link WHERE class_id = ?1";
    let noted: i64 = connection.query_row(sql, [table.id], |row| row.get(0))?;
    if is_whole && noted != links {
        let what = format!("the table content_link has {noted} rows of it, not {links}");
        findings.add(&*table.schema.name, what);
    }
    Ok(())
}

/// Checks an object and counts its links that stand in the side table.
fn object(
    connection: &Connection,
    schema: &Schema,
    table: &ClassTable,
    row: &Row<'_>,
) -> Result<i64> {
    let contents = read_row(schema, table, row)?;
    let row_id: i64 = row.get(table.columns.len())?;
    let mut held = 0;
    for (column, content) in table.columns.iter().zip(&contents) {
        if !column.is_content {
            continue;
        }
        let mut links: BTreeSet<Link> = BTreeSet::new();
        content.for_each_link(&mut |link| {
            links.insert(link.clone());
        });
        let mut statement = connection.prepare_cached(
            "SELECT 1 FROM content_link WHERE target_class = ?1 AND target_key = ?2
                 AND class_id = ?3 AND number = ?4 AND row_id = ?5",
        )?;
        for link in &links {
            let key = key_to_sql(&link.key);
            let place = rusqlite::params![&*link.class, key, table.id, column.number, row_id];
            if !statement.exists(place)? {
                let name = &column.property.name;
                return Err(StoreError::corrupted(format!(
                    "property \"{name}\" holds a link to \"{}\" that the table content_link lacks",
                    link.class
                )));
            }
            held += 1;
        }
    }
    Ok(held)
}

/// What is wrong, without the file that the caller names.
fn detail(error: &StoreError) -> String {
    match error {
        StoreError::Corrupted { detail, .. } => detail.clone(),
        other => other.to_string(),
    }
}

fn history(connection: &Connection, findings: &mut Findings) -> Result<()> {
    let mut statement = connection
        .prepare("SELECT version, changeset, reciprocal FROM history ORDER BY version")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let version = ClientVersion(row.get(0)?);
        let whole = realm::unpack_changeset(version, row.get_ref(1)?);
        if let Err(error) = whole {
            findings.add("history", detail(&error));
        }
        if row.get_ref(2)? != rusqlite::types::ValueRef::Null
            && let Err(error) = realm::unpack_changeset(version, row.get_ref(2)?)
        {
            findings.add("history", format!("reciprocal form: {}", detail(&error)));
        }
    }
    Ok(())
}

fn bootstrap(connection: &Connection, findings: &mut Findings) -> Result<()> {
    realm::pending(connection)?;
    let mut statement = connection.prepare(
        "SELECT client_version, changeset, sequence FROM bootstrap_entry ORDER BY sequence",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(2)?;
        if let Err(error) = realm::unpack_changeset(ClientVersion(row.get(0)?), row.get_ref(1)?) {
            findings.add("bootstrap_entry", format!("entry {sequence}: {}", detail(&error)));
        }
    }
    Ok(())
}

/// There is one row of counters, and none of them is ahead of the newest commit.
fn counters(connection: &Connection, findings: &mut Findings) -> Result<()> {
    let progress = Progress::load(connection)?;
    let version = progress.version;
    let ahead = [
        ("the newest history entry", newest(connection)?.unwrap_or_default()),
        ("the upload cursor", progress.sync.upload_client_version),
        ("the download cursor", progress.sync.download_client_version),
    ];
    for (what, at) in ahead {
        if at > version {
            findings.add("progress", format!("{what} is at {at}, ahead of version {version}"));
        }
    }
    Ok(())
}
