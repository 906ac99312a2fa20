//! Looking into a file that may be in use: what it is, what it holds, its history, and whether it is
//! sound. For the command line and for support, not for applications.
//!
//! Invariant: no byte of the file or of its log changes, whoever else reads or writes it meanwhile
//! ([`access`] says how), and nothing is created, upgraded or repaired. Every answer is of one version
//! and comes from a connection of its own, so that nothing is held back between two questions.
//!
//! The state of the log and of its readers is read beside `SQLite`, from files that it has documented
//! ([`log`], [`locks`]); it is a glance, not part of the version.

mod access;
mod check;
mod classes;
mod describe;
mod history;
mod locks;
mod log;
mod pinned;
mod report;
mod rows;

use std::path::{Path, PathBuf};

use skerry_model::{ClientVersion, Name, Schema};
use skerry_vault::EncryptionKey;

use crate::connection::FileKind;
use crate::error::{Result, StoreError};
use crate::location::Location;

pub use access::Access;
pub use check::Finding;
pub use classes::{ClassFacts, TableSize};
pub use describe::describe;
pub use history::{HistoryEntry, HistoryPage, Instructions};
pub use log::{LogState, Reader, WalIndex};
pub use report::{
    AgentState, BootstrapFacts, FileFacts, HistoryFacts, Kind, OriginFacts, RealmFacts, Report,
    ServerFacts,
};
pub use rows::Rows;

/// How much is looked at for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What is found without reading every object, but for counting them.
    Overview,
    /// Also the links that dangle and the bytes of every table, which takes reading the whole file.
    Everything,
}

/// A file to be looked into. Holds nothing open. All calls may be made from any thread and block.
///
/// To be used in a process that does not have the same file open otherwise: a process that closes a
/// file loses every POSIX lock that it has on it. Where that is seen to be so, the log's index is left
/// alone and [`LogState::index`] is `None`.
#[derive(Clone, Debug)]
pub struct Inspector {
    location: Location,
}

impl Inspector {
    /// Looks whether the file can be looked into. `key` is the one that it is encrypted with, if it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when it cannot be reached, [`StoreError::Corrupted`] for damaged files and
    /// those of others, [`StoreError::VersionUnsupported`] and [`StoreError::UpgradeNeeded`] for other
    /// formats. The other calls have the same errors, for the file may change.
    pub fn open(path: impl Into<PathBuf>, key: Option<EncryptionKey>) -> Result<Self> {
        let path = path.into();
        // SQLite's other files lie beside the file itself, not beside a link to it. What is not there
        // keeps its name, and is reported by it.
        let path = path.canonicalize().unwrap_or(path);
        let inspector = Self { location: Location::new(path, key) };
        access::read(&inspector.location, |_opened| Ok(()))?;
        Ok(inspector)
    }

    /// The file; where a link to it was opened, what the link leads to.
    pub fn path(&self) -> &Path {
        self.location.path()
    }

    /// What the file is and holds.
    pub fn report(&self, depth: Depth) -> Result<Report> {
        // Before SQLite has the log's index open in this process, see `log`.
        let log = LogState::of(self.path())?;
        let agent = AgentState::of(self.path());
        access::read(&self.location, |opened| Report::of(opened, depth, &log, &agent))
    }

    /// The classes.
    pub fn schema(&self) -> Result<Schema> {
        access::read(&self.location, |opened| Ok(Schema::clone(opened.tables.catalogue().schema())))
    }

    /// The first `limit` objects that a query gives, as an application sees them, and how many there
    /// are.
    pub fn query(&self, class: &Name, text: &str, limit: u64) -> Result<Rows> {
        access::read(&self.location, |opened| rows::query(opened, class, text, limit))
    }

    /// The newest `limit` entries of the history; a local file has none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] when the file is a server's, whose history is another.
    pub fn history(&self, limit: usize) -> Result<HistoryPage> {
        access::read(&self.location, |opened| {
            must_be_realm(opened.kind)?;
            history::page(opened.connection, limit)
        })
    }

    /// An entry of the history with the first `limit` instructions of each of its forms; `None` when
    /// there is no such entry.
    ///
    /// # Errors
    ///
    /// As [`Inspector::history`].
    pub fn instructions(
        &self,
        version: ClientVersion,
        limit: usize,
    ) -> Result<Option<Instructions>> {
        access::read(&self.location, |opened| {
            must_be_realm(opened.kind)?;
            history::instructions(opened.connection, version, limit)
        })
    }

    /// What is wrong with the file: nothing, if it is sound. At most `limit` findings.
    pub fn check(&self, limit: usize) -> Result<Vec<Finding>> {
        access::read(&self.location, |opened| Ok(check::check(opened, limit)))
    }
}

fn must_be_realm(kind: FileKind) -> Result<()> {
    match kind {
        FileKind::Realm => Ok(()),
        FileKind::Server => Err(StoreError::Misuse(
            "the file is a server's store, whose history is not shown; look into a realm file",
        )),
    }
}
