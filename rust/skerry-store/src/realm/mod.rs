//! The realm file of a device: objects, history, cursors, subscription sets, staged bootstraps
//! (design 4).
//!
//! One writer at a time across all processes, any number of snapshot readers that never block and
//! never see half a transaction. Every commit takes a version. In a synced file each local commit
//! is also a history entry, written in the same `SQLite` transaction as the objects.
//!
//! What it does not do: merge (the caller does, between [`Realm::begin_integration`] and its
//! commit), read the clock (stamps are handed in; lock waits excepted), or talk to a server.

mod agent_lock;
mod assign;
mod bootstrap;
mod changed;
mod copy;
mod create;
mod edit;
mod found;
mod history;
mod integrate;
mod layout;
mod matches;
mod packed;
mod put;
mod read_only;
mod requests;
mod schema_version;
mod snapshot;
mod subscriptions;
mod transaction;
mod versioned;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::Connection;
use skerry_model::{Changeset, ClientVersion, FileIdent, Salt, Schema, Stamp};
use skerry_vault::EncryptionKey;

use self::write::SubscribedAt;
use crate::columns::{CacheUse, ColumnCache};
use crate::connection::{self, BUSY_TIMEOUT, FileKind, Synchronous};
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::location::Location;
use crate::objects::{ObjectTables, Touched};

use transaction::Transaction;

pub use agent_lock::SyncAgentLock;
pub(crate) use agent_lock::lock_path;
pub(crate) use bootstrap::pending;
pub(crate) use changed::{Changes, ClassChanges, touched_between};
pub(crate) use layout::is_synced;
pub(crate) use packed::unpack_changeset;
pub(crate) use subscriptions::newest_sets;

pub use bootstrap::{DownloadEntry, PendingBootstrap, StagedEntry};
pub use create::RowNames;
pub use history::{LocalChange, UploadBatch, UploadEntry};
pub use integrate::Integration;
pub use layout::{Progress, SyncProgress};
pub use matches::Matches;
pub use requests::DownloadRequests;
pub use snapshot::Snapshot;
pub use subscriptions::{
    Subscription, SubscriptionEvent, SubscriptionSet, SubscriptionState, next_state,
};
pub use versioned::{ChangeKind, Changed, Moves, Opened, SchemaChange};
pub use write::{UpdatePolicy, WriteTxn};

/// Idle read connections that are kept for the next snapshot.
const IDLE_READERS_MAX: usize = 8;

/// What [`Options::query_cache_bytes`] is by default.
pub const QUERY_CACHE_DEFAULT_BYTES: usize = 256 << 20;

/// How a realm file is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The classes that the program knows, with their indexes. Added to the file where it lacks them.
    pub schema: Schema,
    /// Whether the file is kept in step with a server. Decided when the file is made.
    pub synced: bool,
    /// Durability of commits.
    pub synchronous: Synchronous,
    /// Bytes of memory that columns may take so that queries over many objects are fast;
    /// [`QUERY_CACHE_DEFAULT_BYTES`] unless there is a reason. With 0 nothing is kept in memory.
    pub query_cache_bytes: usize,
    /// The key that the file is encrypted with; `None` for a plain file. Decided when the file is made.
    pub encryption_key: Option<EncryptionKey>,
}

impl Options {
    fn location(&self, path: &Path) -> Location {
        Location::new(path, self.encryption_key.clone())
    }
}

/// An open realm file. Cheap to clone; all calls may be made from any thread.
#[derive(Clone, Debug)]
pub struct Realm {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    location: Location,
    synced: bool,
    writer: Mutex<WriterSlot>,
    writer_free: Condvar,
    readers: Mutex<Vec<Connection>>,
    /// Only ever reads, so that its data version moves with every commit of everybody.
    watch: Mutex<Option<Connection>>,
    /// The classes as last committed or seen by this process.
    tables: RwLock<ObjectTables>,
    /// Commits of this process.
    commits: AtomicU64,
    is_closed: AtomicBool,
    columns: ColumnCache,
    /// What the open transaction has touched.
    touched: Touched,
    /// Whether the file has had the declared schema, and is expected to have it still.
    is_declared: AtomicBool,
    /// What the newest local write knew of subscriptions.
    subscribed: SubscribedAt,
    /// How many snapshots are open of which version.
    pinned: Mutex<BTreeMap<ClientVersion, usize>>,
    access: Access,
}

/// What may be done with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Write,
    Read(connection::ReadAccess),
}

/// Where the one connection that writes is.
#[derive(Debug)]
enum WriterSlot {
    Free(Connection),
    Taken,
    ClosedWhileTaken,
    Closed,
    /// The file is open for reading only.
    ReadOnly,
}

impl Realm {
    /// Opens the file, makes it if it is absent, and adds what the schema has beyond it.
    ///
    /// Indexes of the schema's classes are made and removed until they are those of the schema. That
    /// takes a commit, and for an index on many objects time.
    ///
    /// # Errors
    ///
    /// [`StoreError::DestructiveChange`] when the schema contradicts the file,
    /// [`StoreError::SyncedMismatch`] when a local file is opened as synced or the reverse,
    /// [`StoreError::Corrupted`] and [`StoreError::VersionUnsupported`] for files of others.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        Self::open_inner(path, options).map_err(|error| error.in_file(path))
    }

    fn open_inner(path: &Path, options: &Options) -> Result<Self> {
        let (realm, mut tables) = Self::connect(path, options)?;
        tables.declare(&options.schema);
        let is_complete =
            tables.missing(&options.schema)?.is_empty() && tables.has_indexes(&options.schema);
        *realm.inner.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
        if !is_complete {
            realm.add_schema(&options.schema)?;
        }
        realm.inner.is_declared.store(true, Ordering::Release);
        Ok(realm)
    }

    /// Opens or makes the file, and reads which classes it has.
    fn connect(path: &Path, options: &Options) -> Result<(Self, ObjectTables)> {
        let synced = options.synced;
        let layout = connection::Layout {
            create: &|connection| layout::create(connection, synced),
            upgrade: &layout::upgrade,
        };
        let location = options.location(path);
        let mut writer =
            connection::open_writer(&location, FileKind::Realm, options.synchronous, layout)?;
        if layout::is_synced(&writer)? != synced {
            return Err(StoreError::SyncedMismatch { file: path.to_path_buf(), synced: !synced });
        }
        let columns = ColumnCache::new(options.query_cache_bytes);
        let touched = Touched::watch(&mut writer)?;
        let watch = connection::open_reader(&location, FileKind::Realm)?;
        let tables = ObjectTables::open(&writer)?;
        let inner = Inner {
            location,
            synced,
            writer: Mutex::new(WriterSlot::Free(writer)),
            writer_free: Condvar::new(),
            readers: Mutex::new(Vec::new()),
            watch: Mutex::new(Some(watch)),
            tables: RwLock::new(tables.clone()),
            commits: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            columns,
            touched,
            is_declared: AtomicBool::new(false),
            subscribed: SubscribedAt::default(),
            pinned: Mutex::new(BTreeMap::new()),
            access: Access::Write,
        };
        Ok((Self { inner: Arc::new(inner) }, tables))
    }

    /// Adds classes and properties in a commit of its own, recorded like any other, and makes of the
    /// indexes what the schema says.
    fn add_schema(&self, schema: &Schema) -> Result<()> {
        let mut transaction = Transaction::begin(&self.inner, BUSY_TIMEOUT)?;
        let (connection, tables, _) = transaction.parts()?;
        let instructions = tables.ensure_schema(connection, schema)?;
        tables.ensure_indexes(connection, schema)?;
        if self.inner.synced && !instructions.is_empty() {
            // Merging compares no stamps of schema instructions, so the clock is not needed.
            let stamp = transaction.progress.next_stamp(Stamp(0));
            history::append_local(&mut transaction, stamp, &Changeset { instructions })?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.inner.path()
    }

    /// Whether the file is kept in step with a server.
    pub fn is_synced(&self) -> bool {
        self.inner.synced
    }

    /// Closes the file for this handle and its clones. Open snapshots and transactions stay usable
    /// until they are dropped; new ones are refused with [`StoreError::Closed`].
    pub fn close(&self) {
        self.inner.is_closed.store(true, Ordering::Release);
        let mut slot = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = match &*slot {
            WriterSlot::Free(_) | WriterSlot::Closed | WriterSlot::ReadOnly => WriterSlot::Closed,
            WriterSlot::Taken | WriterSlot::ClosedWhileTaken => WriterSlot::ClosedWhileTaken,
        };
        drop(slot);
        self.inner.writer_free.notify_all();
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.inner.watch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.inner.columns.clear();
    }

    /// What is in memory of the file for its queries.
    pub fn query_cache(&self) -> CacheUse {
        self.inner.columns.in_use()
    }

    /// Version of the newest commit of any process.
    pub fn version(&self) -> Result<ClientVersion> {
        self.inner.watch(layout::version)
    }

    /// A number that changes whenever somebody has committed to the file, whoever it was. Cheap
    /// enough to poll; comparable only with earlier values from this same `Realm`.
    pub fn data_version(&self) -> Result<i64> {
        self.inner.watch(|connection| {
            let mut statement = connection.prepare_cached("PRAGMA data_version")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    /// Number of commits made through this handle and its clones.
    pub fn commit_count(&self) -> u64 {
        self.inner.commits.load(Ordering::Acquire)
    }

    /// How many versions of the file are held by this handle and its clones: the newest one, and those
    /// that open snapshots read. Old ones keep the write-ahead log from being emptied.
    pub fn active_versions(&self) -> Result<usize> {
        let newest = self.version()?;
        let pinned = self.inner.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pinned.len() + usize::from(!pinned.contains_key(&newest)))
    }

    /// Opens a snapshot of the newest version.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::begin(&self.inner)
    }

    /// Begins a local write, waiting at most `timeout` for the file's one writer lock.
    pub fn begin_write(&self, timeout: Duration) -> Result<WriteTxn> {
        Ok(WriteTxn::new(Transaction::begin(&self.inner, timeout)?))
    }

    /// Begins the integration of a DOWNLOAD, waiting at most `timeout` for the writer lock.
    pub fn begin_integration(&self, timeout: Duration) -> Result<Integration> {
        self.must_be_synced()?;
        Ok(Integration::new(Transaction::begin(&self.inner, timeout)?))
    }

    /// Counters and cursors.
    pub fn progress(&self) -> Result<Progress> {
        self.inner.watch(Progress::load)
    }

    /// Stores the ident that the server gave this file. Takes a version.
    pub fn set_file_ident(&self, ident: FileIdent, salt: Salt) -> Result<ClientVersion> {
        self.bookkeeping(|transaction| {
            transaction.progress.file_ident = ident;
            transaction.progress.file_salt = salt;
            Ok(())
        })
    }

    /// Limits the size of the file, for commits through this handle and its clones: those that would
    /// grow it further fail with [`StoreError::DiskFull`]. A limit below the present size keeps it
    /// from growing. One page has 4096 bytes.
    pub fn set_size_max_pages(&self, pages: u32) -> Result<()> {
        let transaction = Transaction::begin(&self.inner, BUSY_TIMEOUT)?;
        transaction.limit_pages(pages).map_err(|error| error.in_file(self.path()))
    }

    /// A commit without instructions.
    fn bookkeeping(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<()>,
    ) -> Result<ClientVersion> {
        self.must_be_synced()?;
        let mut transaction = Transaction::begin(&self.inner, BUSY_TIMEOUT)?;
        change(&mut transaction).map_err(|error| error.in_file(self.inner.path()))?;
        transaction.commit()
    }

    fn must_be_synced(&self) -> Result<()> {
        let local = StoreError::Misuse("a local realm file has no sync state");
        if self.inner.synced { Ok(()) } else { Err(local) }
    }
}

impl Inner {
    fn path(&self) -> &Path {
        self.location.path()
    }

    fn must_be_open(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Reads from the newest committed state; each statement sees its own.
    fn watch<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = watch.as_ref().ok_or(StoreError::Closed)?;
        read(connection).map_err(|error| error.in_file(self.path()))
    }

    fn newest_tables(&self) -> ObjectTables {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a committed catalogue the starting point of later transactions.
    fn publish(&self, tables: ObjectTables) {
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
        self.commits.fetch_add(1, Ordering::AcqRel);
    }

    fn take_reader(&self) -> Result<Connection> {
        self.must_be_open()?;
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.open_reader(), Ok)
    }

    fn open_reader(&self) -> Result<Connection> {
        match self.access {
            Access::Write => connection::open_reader(&self.location, FileKind::Realm),
            Access::Read(access) => {
                connection::open_read_only(&self.location, FileKind::Realm, access)
            }
        }
    }

    /// Learns what others did to the classes. A file that has lost what the program declared would
    /// give it values of other properties than it asks for.
    fn refresh(&self, tables: &mut ObjectTables, connection: &Connection) -> Result<()> {
        if tables.catalogue().is_current(connection)? {
            return Ok(());
        }
        tables.refresh(connection)?;
        let is_guarded = !self.synced && self.is_declared.load(Ordering::Acquire);
        if is_guarded && !tables.has_declared() {
            return Err(StoreError::of_file(FileFault::SchemaReplaced));
        }
        Ok(())
    }

    /// Tables that the file is known to hold whole.
    fn publish_declared(&self, tables: ObjectTables) {
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
        self.is_declared.store(true, Ordering::Release);
    }

    fn give_reader_back(&self, connection: Connection) {
        let is_clean = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if is_clean && readers.len() < IDLE_READERS_MAX && self.must_be_open().is_ok() {
            readers.push(connection);
        }
    }
}
