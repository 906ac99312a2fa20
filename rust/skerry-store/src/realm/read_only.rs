//! Opening a file for reading only: nothing is written, neither to the file nor beside it.
//!
//! Invariant: a file that could not be read as the schema says is refused, since nothing can be added
//! to it. What indexes it has does not matter.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, RwLock};

use rusqlite::Connection;

use super::write::SubscribedAt;
use super::{Access, Inner, Options, Realm, WriterSlot, layout, versioned};
use crate::columns::ColumnCache;
use crate::connection::{self, FileKind};
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::objects::{ObjectTables, Touched};

impl Realm {
    /// Opens a file that exists, without writing. Where not even the files can be made that readers
    /// share with writers, the file is taken as one that nobody changes.
    ///
    /// `version` is the schema version to check, of a local file.
    ///
    /// # Errors
    ///
    /// [`FileFault::Absent`], [`FileFault::Migration`] when the file lacks something of the schema, and
    /// what [`Realm::open_versioned`] has.
    pub fn open_read_only(
        path: impl AsRef<Path>,
        options: &Options,
        version: Option<u64>,
    ) -> Result<Self> {
        let path = path.as_ref();
        Self::open_read_only_inner(path, options, version).map_err(|error| error.in_file(path))
    }

    fn open_read_only_inner(path: &Path, options: &Options, version: Option<u64>) -> Result<Self> {
        let location = options.location(path);
        let access = connection::read_access(&location, FileKind::Realm)?;
        let watch = connection::open_read_only(&location, FileKind::Realm, access)?;
        if layout::is_synced(&watch)? != options.synced {
            let (file, synced) = (path.to_path_buf(), !options.synced);
            return Err(StoreError::SyncedMismatch { file, synced });
        }
        let mut tables = ObjectTables::open(&watch)?;
        check(&watch, &tables, options, version)?;
        tables.declare(&options.schema);
        let inner = Inner {
            location,
            synced: options.synced,
            writer: Mutex::new(WriterSlot::ReadOnly),
            writer_free: Condvar::new(),
            readers: Mutex::new(Vec::new()),
            watch: Mutex::new(Some(watch)),
            tables: RwLock::new(tables),
            commits: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            columns: ColumnCache::new(options.query_cache_bytes),
            touched: Touched::unwatched(),
            is_declared: AtomicBool::new(true),
            subscribed: SubscribedAt::default(),
            pinned: Mutex::new(BTreeMap::new()),
            access: Access::Read(access),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

fn check(
    connection: &Connection,
    tables: &ObjectTables,
    options: &Options,
    version: Option<u64>,
) -> Result<()> {
    let schema = &options.schema;
    if let Some(version) = version {
        let found = super::schema_version::load(connection)?;
        if found == version {
            versioned::assess(connection, tables, schema, version)?;
        } else if found > version {
            let fault = FileFault::SchemaVersionTooLow { found, wanted: version };
            return Err(StoreError::of_file(fault));
        }
    }
    let missing = schema.classes().find_map(|class| {
        let known = tables.catalogue().schema().class(&class.name);
        let Some(known) = known else { return Some((class.name.clone(), None)) };
        let mut properties = class.properties.iter();
        let missing = properties.find(|property| known.property(&property.name) != Some(property));
        missing.map(|property| (class.name.clone(), Some(property.name.clone())))
    });
    let Some((class, property)) = missing else { return Ok(()) };
    let reason =
        "the file does not have it so, and is opened for reading only; open it for writing once";
    let fault = FileFault::Migration { class, property, reason: reason.to_owned() };
    Err(StoreError::of_file(fault))
}
