//! Changesets as the protocol carries them: encoded, and packed when large.

use std::sync::Arc;

use skerry_model::limits::CHANGESET_MAX_BYTES;
use skerry_model::{
    Changeset, DecodeError, Instruction, decode_changeset, encode_changeset, pack, unpack,
};
use skerry_store::StoreError;

/// Encodes and packs instructions.
pub(super) fn pack_instructions(instructions: Vec<Instruction>) -> Result<Arc<[u8]>, StoreError> {
    Ok(pack(&encode_changeset(&Changeset::from(instructions))?).into())
}

/// Unpacks and decodes an uploaded changeset, in bounded memory. `room_bytes` is what the upload may still
/// unpack to; it shrinks by what this changeset takes.
pub(super) fn unpack_changeset(
    bytes: &[u8],
    room_bytes: &mut usize,
) -> Result<Changeset, DecodeError> {
    let unpacked = unpack(bytes, CHANGESET_MAX_BYTES.min(*room_bytes))?;
    *room_bytes -= unpacked.len();
    decode_changeset(&unpacked)
}
