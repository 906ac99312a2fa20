//! Objects and history on `SQLite`: the device's realm file, and the tables that the server's
//! embedded store shares with it.
//!
//! Invariant: whatever is committed is complete and durable, and whatever is not leaves no trace
//! (design 1, 4). The crate opens no socket, merges nothing and reads the clock only to bound waits
//! for locks: callers hand in stamps and instructions that are already transformed.

pub mod arrow;
mod columns;
pub mod connection;
pub mod error;
mod file_fault;
pub mod files;
pub mod inspect;
mod location;
pub mod objects;
pub mod observe;
mod ranges;
pub mod realm;
mod rows;
pub mod scratch;
pub mod server;
mod sql;

pub use columns::{Access, CacheUse, Plan, PlannedColumn};
pub use error::{Fault, StoreError};
pub use file_fault::FileFault;
pub use location::Location;
pub use objects::ObjectTables;
pub use realm::Realm;
pub use rows::Rows;
pub use skerry_vault::{EncryptionKey, KEY_BYTES, KeyLengthError};
