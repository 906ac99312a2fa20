//! The objects of a file: one table per class, one row per object, one column per property.
//!
//! [`ObjectTables`] works on a bare connection inside whatever transaction its caller has open, so
//! the realm file and the server's store share it. Invariants: applying the same instructions gives
//! the same objects everywhere (sync-engine 1.3); a link is the key of its target, so erasing an
//! object leaves the links to it dangling and re-creating it brings them back without any
//! bookkeeping. Scalars have columns of their own; what is none (collections, embedded objects,
//! mixed) is a [`Content`](skerry_model::Content) in one blob. It opens no transactions and keeps
//! no history.
//!
//! The class definitions are cached and shared. They are a value: whoever changes the schema inside
//! a transaction drops the changed copy when the transaction is rolled back, and calls
//! [`ObjectTables::refresh`] at the start of a transaction to learn what other connections did.

mod apply;
mod catalogue;
mod class_table;
mod column;
mod content_link;
mod holders;
mod index;
mod migrate;
mod new_row;
mod open_content;
mod put;
mod read;
mod schema_change;
mod touched;

use std::sync::Arc;

use rusqlite::Connection;
use skerry_model::{Name, ObjectKey, Schema};

use crate::error::{Fault, Result, StoreError};
use crate::sql;

pub use catalogue::Catalogue;
pub use class_table::ClassTable;
pub use column::{Column, double_to_sql, key_from_sql, key_to_sql, timestamp_to_bytes};
pub(crate) use holders::{LinkTargets, holders_of_rows, link_targets, may_hold_links};
pub use index::register_functions;
pub use migrate::{Migrator, Nulls, Plan};
pub use open_content::CONTENT_MAX_BYTES;
pub(crate) use open_content::OpenContents;
pub(crate) use read::read_row;
pub use skerry_model::KeyKind;
pub(crate) use touched::{Touch, Touched, TouchedRows};

/// The object tables of one file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ObjectTables {
    catalogue: Arc<Catalogue>,
    /// Order in which callers want the properties, if they said so.
    declared: Option<Arc<Schema>>,
}

impl ObjectTables {
    /// Makes the catalogue tables of a new file; run once, in the transaction that creates it.
    pub fn create(connection: &Connection) -> Result<()> {
        connection.execute_batch(catalogue::CREATE_CATALOGUE)?;
        Ok(connection.execute_batch(content_link::CREATE_CONTENT_LINK)?)
    }

    /// Brings the tables of a file of an older format to what [`ObjectTables::create`] makes; run in
    /// the transaction that upgrades the file.
    pub fn upgrade(connection: &Connection, found: i32) -> Result<()> {
        if found < 2 {
            connection.execute_batch(catalogue::UPGRADE_TO_2)?;
            connection.execute_batch(content_link::CREATE_CONTENT_LINK)?;
        }
        if found < 3 {
            connection.execute_batch(catalogue::UPGRADE_TO_3)?;
        }
        Ok(())
    }

    /// Reads which classes there are, and gives the connection the functions that queries and indexes
    /// call.
    pub fn open(connection: &Connection) -> Result<Self> {
        register_functions(connection)?;
        sql::register_functions(connection)?;
        Ok(Self { catalogue: Arc::new(Catalogue::load(connection)?), declared: None })
    }

    /// From now on values come in the order of `schema`'s properties; what the file has beyond
    /// them comes behind.
    pub fn declare(&mut self, schema: &Schema) {
        self.catalogue = Arc::new(self.catalogue.ordered_as(schema));
        self.declared = Some(Arc::new(schema.clone()));
    }

    /// Reads the catalogue again if another connection changed it. To be called at the start of
    /// each transaction.
    pub fn refresh(&mut self, connection: &Connection) -> Result<()> {
        if self.catalogue.is_current(connection)? { Ok(()) } else { self.reload(connection) }
    }

    /// Whether the file has all that is declared, as it is declared.
    pub(crate) fn has_declared(&self) -> bool {
        let declared = self.declared.as_ref();
        declared
            .is_none_or(|declared| self.missing(declared).is_ok_and(|missing| missing.is_empty()))
    }

    fn reload(&mut self, connection: &Connection) -> Result<()> {
        let loaded = Catalogue::load(connection)?;
        self.catalogue = Arc::new(match &self.declared {
            Some(declared) => loaded.ordered_as(declared),
            None => loaded,
        });
        Ok(())
    }

    /// The classes, to be kept.
    pub(crate) fn shared_catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The classes.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The class of that name, which has objects of its own, or a fault of `instruction`.
    pub fn class(&self, instruction: &'static str, class: &Name) -> Result<&ClassTable> {
        self.catalogue.class(class).ok_or_else(|| {
            let is_embedded = self.catalogue.schema().class(class).is_some();
            let why = if is_embedded { Fault::EmbeddedClass } else { Fault::NoSuchClass };
            fault(instruction, class, None, why)
        })
    }
}

fn fault(
    instruction: &'static str,
    class: &Name,
    key: Option<&ObjectKey>,
    fault: impl Into<Fault>,
) -> StoreError {
    let (class, key) = (class.clone(), key.cloned());
    StoreError::BadInstruction { instruction, class, key, fault: fault.into() }
}
