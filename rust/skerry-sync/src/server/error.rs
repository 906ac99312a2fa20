//! Why an upload or a session is refused, as the protocol's codes.

use skerry_merge::MergeError;
use skerry_model::DecodeError;
use skerry_store::{Fault, StoreError};

use crate::protocol::{Action, ProtocolErrorCode};

/// A failed upload.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The client's fault: its session ends with this error, the rest of the server goes on.
    #[error("{message}")]
    Session {
        /// The code.
        code: ProtocolErrorCode,
        /// What the client is told.
        message: String,
        /// Another action than the code's own.
        action: Option<Action>,
    },
    /// The store failed: nothing of the transaction is kept.
    #[error(transparent)]
    Store(StoreError),
}

impl UploadError {
    /// A session error with the code's own action.
    pub fn session(code: ProtocolErrorCode, message: impl Into<String>) -> Self {
        Self::Session { code, message: message.into(), action: None }
    }

    /// 225.
    pub fn invalid_schema_change(detail: impl std::fmt::Display) -> Self {
        Self::session(
            ProtocolErrorCode::InvalidSchemaChange,
            format!("Invalid schema change (UPLOAD): {detail}"),
        )
    }

    /// 212.
    pub fn bad_changeset(detail: impl std::fmt::Display) -> Self {
        Self::session(ProtocolErrorCode::BadChangeset, format!("Bad changeset (UPLOAD): {detail}"))
    }
}

/// Whether it is a class or property that does not fit, not an object or value.
fn is_of_schema(fault: &Fault) -> bool {
    match fault {
        Fault::TableMismatch { .. }
        | Fault::ColumnMismatch { .. }
        | Fault::NoSuchTarget { .. }
        | Fault::PrimaryKeyErase { .. }
        | Fault::ClassInUse { .. }
        | Fault::BadDefinition { .. } => true,
        Fault::NoSuchClass
        | Fault::EmbeddedClass
        | Fault::NoSuchObject
        | Fault::PrimaryKeyUpdate { .. }
        | Fault::Misfit(_)
        | Fault::Edit(_) => false,
    }
}

impl From<StoreError> for UploadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadInstruction { ref fault, .. } if is_of_schema(fault) => {
                Self::invalid_schema_change(error)
            }
            StoreError::BadInstruction { .. } | StoreError::UnsupportedInstruction(_) => {
                Self::bad_changeset(error)
            }
            StoreError::DestructiveChange { .. } | StoreError::Schema(_) => {
                Self::invalid_schema_change(error)
            }
            other => Self::Store(other),
        }
    }
}

impl From<MergeError> for UploadError {
    fn from(error: MergeError) -> Self {
        Self::bad_changeset(error)
    }
}

impl From<DecodeError> for UploadError {
    fn from(error: DecodeError) -> Self {
        Self::bad_changeset(error)
    }
}
