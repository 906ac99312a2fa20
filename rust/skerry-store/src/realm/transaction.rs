//! One write transaction on the realm file: lock, version, commit.
//!
//! Invariant: between its beginning and its end nobody else writes, in this process (the slot of
//! the writer connection) or another (`SQLite`'s lock). A transaction that is dropped leaves no
//! trace, neither in the file nor in the cached catalogue.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use skerry_model::ClientVersion;

use super::layout::Progress;
use super::{Inner, WriterSlot, changed};
use crate::connection::BUSY_TIMEOUT;
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::objects::{ObjectTables, OpenContents};

/// Longest wait for the writer lock, however much longer is asked for. `SQLite` counts the
/// milliseconds in 32 bits.
const LOCK_WAIT_MAX: Duration = Duration::from_hours(24);

/// A write transaction. Owned, so that it can be handed between threads; dropping rolls back.
#[derive(Debug)]
pub(super) struct Transaction {
    inner: Arc<Inner>,
    /// `None` only while it is being given back.
    connection: Option<Connection>,
    pub(super) tables: ObjectTables,
    /// Written back before objects are read, and at the end.
    pub(super) open: OpenContents,
    pub(super) progress: Progress,
}

impl Transaction {
    /// Waits for the writer lock, at most `timeout` and at most [`LOCK_WAIT_MAX`].
    pub(super) fn begin(inner: &Arc<Inner>, timeout: Duration) -> Result<Self> {
        let timeout = timeout.min(LOCK_WAIT_MAX);
        let deadline = Instant::now() + timeout;
        let connection = inner.take_writer(deadline, timeout)?;
        let began = begin_immediate(&connection, deadline).map_err(|error| match error {
            StoreError::LockTimeout { file, .. } => {
                StoreError::LockTimeout { file, waited: timeout }
            }
            other => other,
        });
        let loaded = began.and_then(|()| {
            let mut tables = inner.newest_tables();
            inner.refresh(&mut tables, &connection)?;
            inner.touched.clear();
            Ok((tables, Progress::load(&connection)?))
        });
        match loaded {
            Ok((tables, progress)) => {
                let (inner, connection) = (Arc::clone(inner), Some(connection));
                let open = OpenContents::noted_in(inner.touched.clone());
                Ok(Self { inner, connection, tables, open, progress })
            }
            Err(error) => {
                inner.give_writer_back(connection);
                Err(error.in_file(inner.path()))
            }
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("taken only at the end")
    }

    /// The connection, to write.
    ///
    /// `SQLite` rolls back by itself on some errors, such as a full disk. What is written after
    /// that would be committed piece by piece, so nothing is.
    pub(super) fn writable(&self) -> Result<&Connection> {
        let connection = self.connection();
        if connection.is_autocommit() { Err(StoreError::RolledBack) } else { Ok(connection) }
    }

    /// The connection, the tables and the open contents, for calls that change objects or schema.
    pub(super) fn parts(&mut self) -> Result<(&Connection, &mut ObjectTables, &mut OpenContents)> {
        self.writable()?;
        let connection = self.connection.as_ref().expect("taken only at the end");
        Ok((connection, &mut self.tables, &mut self.open))
    }

    /// Writes back what is open, for those that read objects.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.open.is_written() {
            return Ok(());
        }
        self.writable()?;
        let connection = self.connection.as_ref().expect("taken only at the end");
        self.open.flush(&self.tables, connection).map_err(|error| error.in_file(self.inner.path()))
    }

    /// Ends the transaction here and now, so that nothing more of it can be written.
    pub(super) fn spoil(&self) {
        if !self.connection().is_autocommit() {
            // What cannot be rolled back here is when the connection is given back or closed.
            drop(self.connection().execute_batch("ROLLBACK"));
        }
    }

    /// Limits the size of the file, for this connection; one page has 4096 bytes.
    pub(super) fn limit_pages(&self, pages: u32) -> Result<()> {
        let limit = format!("PRAGMA max_page_count = {pages}");
        self.connection().query_row(&limit, [], |row| row.get::<_, i64>(0))?;
        Ok(())
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The version that this transaction will have when it is committed.
    pub(super) fn next_version(&self) -> ClientVersion {
        ClientVersion(self.progress.version.0 + 1)
    }

    /// Commits under the next version. Every commit takes one (sync-engine 3.1).
    pub(super) fn commit(mut self) -> Result<ClientVersion> {
        self.writable()?;
        self.flush()?;
        self.progress.version = self.next_version();
        let committed = self
            .tables
            .index_words(self.connection())
            .and_then(|()| self.progress.save(self.connection()))
            .and_then(|()| self.inner.touched.take(&self.tables, self.connection()))
            .and_then(|rows| changed::save(self.connection(), self.progress.version, rows.as_ref()))
            .and_then(|()| run(self.connection(), "COMMIT"));
        committed.map_err(|error| error.in_file(self.inner.path()))?;
        self.inner.publish(self.tables.clone());
        self.inner.is_declared.store(self.tables.has_declared(), Ordering::Release);
        Ok(self.progress.version)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.inner.give_writer_back(connection);
        }
    }
}

fn begin_immediate(connection: &Connection, deadline: Instant) -> Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    connection.busy_timeout(left)?;
    let began = run(connection, "BEGIN IMMEDIATE");
    connection.busy_timeout(BUSY_TIMEOUT)?;
    began
}

/// Runs a statement that every transaction has, parsed once.
fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

impl Inner {
    fn take_writer(&self, deadline: Instant, timeout: Duration) -> Result<Connection> {
        let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match std::mem::replace(&mut *slot, WriterSlot::Taken) {
                WriterSlot::Free(connection) => return Ok(connection),
                WriterSlot::Closed => {
                    *slot = WriterSlot::Closed;
                    return Err(StoreError::Closed);
                }
                WriterSlot::ClosedWhileTaken => {
                    *slot = WriterSlot::ClosedWhileTaken;
                    return Err(StoreError::Closed);
                }
                WriterSlot::ReadOnly => {
                    *slot = WriterSlot::ReadOnly;
                    let (file, fault) = (self.path().to_path_buf(), FileFault::ReadOnly);
                    return Err(StoreError::File { file, fault });
                }
                WriterSlot::Taken => {}
            }
            let now = Instant::now();
            if now >= deadline {
                let file = self.path().to_path_buf();
                return Err(StoreError::LockTimeout { file, waited: timeout });
            }
            let waited = self.writer_free.wait_timeout(slot, deadline - now);
            slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_writer_back(&self, connection: Connection) {
        let is_clean = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = match &*slot {
            WriterSlot::ClosedWhileTaken | WriterSlot::Closed => WriterSlot::Closed,
            // A connection that cannot even roll back is beyond use; `SQLite` rolls its file back
            // when it is closed.
            WriterSlot::Taken | WriterSlot::Free(_) if !is_clean => WriterSlot::Closed,
            WriterSlot::Taken | WriterSlot::Free(_) | WriterSlot::ReadOnly => {
                WriterSlot::Free(connection)
            }
        };
        drop(slot);
        self.writer_free.notify_one();
    }
}
