//! The bytes of changesets, values and keys: msgpack, as `docs/changeset-format.md` lays down.
//!
//! The invariant: everything has exactly one encoding. `decode(b) == Ok(x)` implies
//! `encode(x) == b`, and other bytes end in a [`DecodeError`]. Decoding takes memory proportional
//! to the input, whatever its bytes are.

mod decode;
mod encode;
mod error;
mod pack;
pub mod reader;
mod strings;
mod value;
pub mod writer;

pub use decode::decode_changeset;
pub use encode::encode_changeset;
pub use error::{DecodeError, EncodeError};
pub use pack::{pack, unpack};
pub use reader::{Datum, Reader};
pub use value::{decode_key, decode_value, encode_key, encode_value};
pub use writer::Writer;

/// Version of the format.
const VERSION: u64 = 1;

/// Types of msgpack extensions.
mod ext {
    pub(super) const TIMESTAMP: i8 = 1;
    pub(super) const DECIMAL: i8 = 2;
    pub(super) const OBJECT_ID: i8 = 3;
    pub(super) const UUID: i8 = 4;
    pub(super) const LINK: i8 = 5;
    pub(super) const MARK: i8 = 6;
    pub(super) const GLOBAL_KEY: i8 = 7;
}

/// Payloads that are no values: payload type codes of sync-engine 1.2.
mod mark {
    pub(super) const OBJECT_VALUE: i8 = -2;
    pub(super) const DICTIONARY: i8 = -3;
    pub(super) const ERASED: i8 = -4;
    pub(super) const LIST: i8 = -5;
}

/// The parts of an op.
mod op {
    pub(super) const CODE: u8 = 0x0f;
    pub(super) const SAME_OBJECT: u8 = 0x10;
    pub(super) const PATH: u8 = 0x20;
    pub(super) const IS_DEFAULT: u8 = 0x40;
}

/// Codes of table kinds.
mod table {
    pub(super) const TOP_LEVEL: u8 = 0;
    pub(super) const EMBEDDED: u8 = 1;
    pub(super) const ASYMMETRIC: u8 = 2;
}
