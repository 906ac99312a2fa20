//! Changesets as they stand in columns: encoded and packed; the empty one is an empty blob.

use rusqlite::types::ValueRef;
use skerry_model::limits::CHANGESET_MAX_BYTES;
use skerry_model::{Changeset, ClientVersion, decode_changeset, encode_changeset, pack, unpack};

use crate::error::{Result, StoreError};

pub(super) fn pack_changeset(changeset: &Changeset) -> Result<Vec<u8>> {
    if changeset.is_empty() {
        return Ok(Vec::new());
    }
    Ok(pack(&encode_changeset(changeset)?))
}

/// Reads a stored changeset; `version` is for the error.
pub(crate) fn unpack_changeset(version: ClientVersion, stored: ValueRef<'_>) -> Result<Changeset> {
    let bytes = stored.as_blob().map_err(StoreError::corrupted)?;
    if bytes.is_empty() {
        return Ok(Changeset::default());
    }
    let decoded = unpack(bytes, CHANGESET_MAX_BYTES).and_then(|bytes| decode_changeset(&bytes));
    decoded.map_err(|source| StoreError::BadStoredChangeset { version, source })
}
