//! Every limit of the crate, with its unit. What reads untrusted bytes checks these, and the bytes
//! that remain, before it takes memory.

/// Largest encoded changeset, in bytes and before compression. Realm bounds its blobs so
/// (sync-engine 4.9).
pub const CHANGESET_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Most instructions of one changeset. A decoded instruction takes up to 24 times the memory of its shortest
/// encoding, so bytes alone do not bound it well.
pub const INSTRUCTIONS_MAX: usize = 2_000_000;

/// Most elements of one path below its property.
pub const PATH_ELEMENTS_MAX: usize = 100;

/// Contents of more bytes than this are compressed when packed.
pub const PACK_COMPRESS_ABOVE_BYTES: usize = 1024;

/// Binary logarithm of the largest window that a packed frame may ask of its reader, in bytes.
pub const PACK_WINDOW_LOG_MAX: u32 = 24;

/// Longest string or binary value, in bytes (sync-engine 4.9).
pub const VALUE_MAX_BYTES: usize = 16 * 1024 * 1024;
