//! Codec.
use crate::Changeset;
/// Error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Truncated.
    #[error("truncated")]
    Truncated,
}
/// Decode.
pub fn decode_changeset(_bytes: &[u8]) -> Result<Changeset, DecodeError> {
    Err(DecodeError::Truncated)
}
/// Encode.
pub fn encode_changeset(_changeset: &Changeset) -> Vec<u8> {
    Vec::new()
}
