//! `SQLite` files that are encrypted at rest.
//!
//! A *sealed* file is a `SQLite` database whose pages are encrypted, each with its own nonce and
//! authentication tag, when they go to the file or to its write-ahead log, and are plain in memory only. Before
//! them stands a page that says that the file is sealed, and by which a wrong key is told from damage. The
//! format is in `docs/realm-file-format.md`.
//!
//! It is done by a file layer ([`SQLite` calls it a VFS](https://sqlite.org/vfs.html)) over that of the
//! operating system, so that locks, shared memory and everything above are `SQLite`'s own. Invariants:
//!
//! - No page reaches the disk in plain text. A rollback journal is held in memory, so that only a file in WAL mode
//!   survives a crash in a commit; files for temporary tables and the like are refused, and [`open`] sets
//!   connections so that they are not needed.
//! - Plain are: the numbers of pages, how many there are, when they are written; and in `-shm`, while the file is open,
//!   the checksum of the newest frame of the log.
//! - A page that was changed, moved to another place or written under another key is reported, never read.
//!   An older state of a page, or of the file, in its right place is not found out.
//! - A connection's key is that of its file: it is looked at once, when the connection is opened.

mod admission;
mod database;
mod header;
mod key;
mod log;
mod page;
mod raw;
mod vfs;

pub use admission::{Admission, OpenError, SealFault, admit, is_sealed, open, system_vfs};
pub use header::HEADER_BYTES;
pub use key::{EncryptionKey, KEY_BYTES, KeyLengthError};
pub use page::{PAGE_BYTES, RESERVED_BYTES};

/// `SQLite`'s extended code for a page that is not as it was sealed.
pub const DAMAGED_PAGE_CODE: std::ffi::c_int = rusqlite::ffi::SQLITE_IOERR_DATA;
