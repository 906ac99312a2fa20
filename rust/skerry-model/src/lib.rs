//! The data model that every other crate speaks: values, identifiers, schema, the fourteen
//! instructions, changesets and their msgpack encoding.
//!
//! The crate keeps one invariant: whatever it hands out has been checked (a [`Timestamp`] has parts
//! of one sign, a [`Changeset`] decoded from bytes is well-formed). It does no I/O, reads no clock
//! and knows nothing of storage, merging or Python.

pub mod changeset;
pub mod codec;
pub mod content;
pub mod decimal;
pub mod edit;
pub mod ids;
pub mod instruction;
pub mod limits;
pub mod name;
pub mod path;
pub mod schema;
mod schema_instructions;
pub mod value;

pub use changeset::Changeset;
pub use codec::{
    DecodeError, EncodeError, Reader, Writer, decode_changeset, decode_key, decode_value,
    encode_changeset, encode_key, encode_value, pack, unpack,
};
pub use content::{Content, Misfit, SetKey, ValueSet};
pub use decimal::{Decimal128, DecimalError, DecimalParts};
pub use ids::{ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion, SessionIdent, Stamp};
pub use instruction::{CollectionType, Instruction, ListSize, Payload, TableKind, UpdateSide};
pub use name::Name;
pub use path::{ObjectRef, Path, PathElement, Within};
pub use schema::{ClassSchema, IndexKind, KeyKind, Property, PropertyType, Schema, SchemaError};
pub use value::{Link, ObjectId, ObjectKey, Timestamp, Uuid, Value};
