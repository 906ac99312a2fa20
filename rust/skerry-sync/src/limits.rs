//! Every bound of the protocol, with its unit, in one place (docs/protocol.md 6).
//!
//! A decoder checks them before it takes memory; a sender never makes what its peer would refuse.

/// Largest message that a server accepts.
pub const CLIENT_MESSAGE_MAX_BYTES: usize = 20 * 1024 * 1024;
/// Largest message that a client accepts: 16 MiB of changesets and room for their headers.
pub const SERVER_MESSAGE_MAX_BYTES: usize = 17 * 1024 * 1024;
/// Largest sum of packed changesets in one message (sync-engine 3.4).
pub const CHANGESETS_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Largest single packed changeset (sync-engine 5.2).
pub const CHANGESET_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Size at which a sender closes an UPLOAD or DOWNLOAD (sync-engine 3.4).
pub const MESSAGE_SOFT_BYTES: usize = 128 * 1024;
/// Most that the changesets of one UPLOAD may be together when unpacked.
pub const UPLOAD_UNPACKED_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Most entries in one UPLOAD or DOWNLOAD.
pub const ENTRIES_MAX: usize = 65_536;
/// Most classes in a query.
pub const QUERY_CLASSES_MAX: usize = 1_000;
/// Longest RQL text of one class: its subscriptions joined. One of them is shorter (server 3).
pub const QUERY_TEXT_MAX_BYTES: usize = skerry_query::limits::COMBINED_QUERY_MAX_BYTES;
/// Longest RQL texts of all classes together, so that a message holds them.
pub const QUERY_TEXTS_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Longest class name (server 9.1).
pub const CLASS_NAME_MAX_BYTES: usize = skerry_model::ClassSchema::NAME_MAX_BYTES;
/// Longest message text, reason or URL.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;
/// Longest text of a primary key in an ERROR.
pub const KEY_TEXT_MAX_BYTES: usize = CHANGESET_MAX_BYTES;
/// Most rejected updates in one ERROR.
pub const REJECTED_UPDATES_MAX: usize = 65_536;
/// Most sessions on one connection; the next BIND is answered with 224.
pub const SESSIONS_MAX: usize = 128;
/// Most MARK requests of a session that wait for their replies.
pub const MARKS_WAITING_MAX: usize = 1_000;

/// Period of PING (sync-engine 4.11).
pub const PING_PERIOD_MS: i64 = 60_000;
/// Longest wait for a PONG.
pub const PONG_TIMEOUT_MS: i64 = 120_000;
/// Longest silence that a server bears without a PING (server 7.4).
pub const IDLE_TIMEOUT_MS: i64 = 600_000;
