//! From the crates' errors to the classes of `skerry.errors`, which are written in Python.
//!
//! The mapping is total: a new variant of one of our enums does not compile until it is placed. Not
//! decided here: texts, which are those of the Rust errors.

use pyo3::prelude::*;
use pyo3::{PyErr, Python, intern};
use skerry_model::edit::EditError;
use skerry_model::{Misfit, SchemaError};
use skerry_query::{QueryError, SubscriptionError};
use skerry_store::{Fault, FileFault, StoreError};
use skerry_sync::server::EngineError;

/// The classes, imported when first raised.
mod python {
    #![allow(missing_docs, missing_debug_implementations, reason = "documented in errors.py")]
    #![allow(unreachable_pub, reason = "made by the macro")]
    use pyo3::import_exception;

    import_exception!(skerry.errors, ClosedRealmError);
    import_exception!(skerry.errors, ConfigurationError);
    import_exception!(skerry.errors, CorruptedError);
    import_exception!(skerry.errors, DiskFullError);
    import_exception!(skerry.errors, EncryptionKeyError);
    import_exception!(skerry.errors, FileAccessError);
    import_exception!(skerry.errors, IllegalStateError);
    import_exception!(skerry.errors, LockTimeoutError);
    import_exception!(skerry.errors, MigrationError);
    import_exception!(skerry.errors, MigrationNeededError);
    import_exception!(skerry.errors, NoSubscriptionForWriteError);
    import_exception!(skerry.errors, NoSuchObjectError);
    import_exception!(skerry.errors, PrimaryKeyExistsError);
    import_exception!(skerry.errors, PropertyTypeError);
    import_exception!(skerry.errors, QueryError);
    import_exception!(skerry.errors, RealmInUseError);
    import_exception!(skerry.errors, SchemaError);
    import_exception!(skerry.errors, StaleSubscriptionSetError);
    import_exception!(skerry.errors, StoreError);
    import_exception!(skerry.errors, VersionUnsupportedError);
}

/// Why a call failed on the Rust side of the boundary.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoreError {
    /// A store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A query is wrong at `position`, counted in characters.
    #[error("{error}")]
    Query { error: QueryError, position: usize },
    /// A query that no server would take for a subscription; positions would be in its canonical text.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// The schema contradicts itself.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A schema's description is not of the agreed form.
    #[error("schema: {0}")]
    BadSchema(String),
    /// The server's engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A value that no property can hold.
    #[error("{0}")]
    BadValue(String),
    /// An argument outside its range.
    #[error("{argument}: {reason}")]
    BadArgument { argument: &'static str, reason: String },
    /// The object that the call was made on has ended.
    #[error("the {0} is over")]
    Over(&'static str),
    /// A call on the object panicked before, so its state cannot be relied on.
    #[error("an earlier internal error has ended the {0}")]
    Poisoned(&'static str),
}

impl CoreError {
    /// Puts a query error in the terms of the text that the caller gave.
    pub(crate) fn in_query(error: StoreError, text: &str) -> Self {
        match error {
            StoreError::Query(error) => Self::query(error, text),
            other => Self::Store(other),
        }
    }

    /// A query error; its position becomes one in characters.
    pub(crate) fn query(error: QueryError, text: &str) -> Self {
        let position_bytes = error.position();
        let position = text.char_indices().take_while(|&(at, _)| at < position_bytes).count();
        Self::Query { error, position }
    }

    /// The exception to raise.
    pub(crate) fn to_py(&self, py: Python<'_>) -> PyErr {
        let text = self.to_string();
        match self {
            Self::Store(error) => store(error, text),
            Self::Query { error, position } => {
                python::QueryError::new_err((text, *position, error.kind().to_string()))
            }
            Self::Subscription(error) => {
                let position: Option<usize> = None;
                python::QueryError::new_err((text, position, error.kind().to_string()))
            }
            Self::Schema(_) | Self::BadSchema(_) => python::SchemaError::new_err(text),
            Self::Engine(error) => engine(error, text, py),
            Self::BadValue(_) => python::PropertyTypeError::new_err(text),
            Self::BadArgument { .. } => python::ConfigurationError::new_err(text),
            Self::Over(_) | Self::Poisoned(_) => python::IllegalStateError::new_err(text),
        }
    }
}

fn store(error: &StoreError, text: String) -> PyErr {
    match error {
        StoreError::Corrupted { .. } | StoreError::BadStoredChangeset { .. } => {
            python::CorruptedError::new_err(text)
        }
        StoreError::VersionUnsupported { .. } | StoreError::UpgradeNeeded { .. } => {
            python::VersionUnsupportedError::new_err(text)
        }
        StoreError::DiskFull { .. } => python::DiskFullError::new_err(text),
        StoreError::LockTimeout { .. } => python::LockTimeoutError::new_err(text),
        StoreError::SyncedMismatch { .. } | StoreError::KeyPath { .. } => {
            python::ConfigurationError::new_err(text)
        }
        StoreError::File { fault, .. } => file(fault, text),
        StoreError::Closed => python::ClosedRealmError::new_err(text),
        StoreError::Schema(_) | StoreError::DestructiveChange { .. } => {
            python::SchemaError::new_err(text)
        }
        StoreError::BadInstruction { fault, .. } => refused(fault, text),
        StoreError::PrimaryKeyExists { .. } => python::PrimaryKeyExistsError::new_err(text),
        StoreError::NoSubscriptionForWrite { .. } => {
            python::NoSubscriptionForWriteError::new_err(text)
        }
        // Calls that take a query map it with its text; elsewhere there is no position to tell.
        StoreError::Query(error) => {
            python::QueryError::new_err((text, None::<usize>, error.kind().to_string()))
        }
        StoreError::StaleSubscriptionSet { .. } => python::StaleSubscriptionSetError::new_err(text),
        StoreError::DuplicateSubscription { .. } | StoreError::Misuse(_) => {
            python::IllegalStateError::new_err(text)
        }
        StoreError::Io { .. } => python::FileAccessError::new_err(text),
        StoreError::Sqlite { .. }
        | StoreError::UnsupportedInstruction(_)
        | StoreError::BadSubscriptionTransition { .. }
        | StoreError::Encode(_)
        | StoreError::RolledBack => python::StoreError::new_err(text),
    }
}

/// A file that cannot be used in the way that was asked for.
fn file(fault: &FileFault, text: String) -> PyErr {
    match fault {
        FileFault::Encrypted | FileFault::WrongKey | FileFault::NotEncrypted => {
            python::EncryptionKeyError::new_err(text)
        }
        FileFault::NotWritable
        | FileFault::Unreachable { .. }
        | FileFault::Absent
        | FileFault::Deleted => python::FileAccessError::new_err(text),
        FileFault::ReadOnly | FileFault::UnuploadedChanges => {
            python::IllegalStateError::new_err(text)
        }
        FileFault::InUse => python::RealmInUseError::new_err(text),
        FileFault::Exists => python::ConfigurationError::new_err(text),
        FileFault::SchemaReplaced => python::SchemaError::new_err(text),
        FileFault::SchemaVersionTooLow { .. } | FileFault::MigrationNeeded { .. } => {
            python::MigrationNeededError::new_err(text)
        }
        FileFault::Migration { .. } => python::MigrationError::new_err(text),
    }
}

/// A local write that does not fit the file.
fn refused(fault: &Fault, text: String) -> PyErr {
    match fault {
        Fault::NoSuchClass | Fault::EmbeddedClass | Fault::NoSuchObject => {
            python::NoSuchObjectError::new_err(text)
        }
        Fault::PrimaryKeyUpdate { .. } => python::IllegalStateError::new_err(text),
        Fault::PrimaryKeyErase { .. }
        | Fault::TableMismatch { .. }
        | Fault::ColumnMismatch { .. }
        | Fault::NoSuchTarget { .. }
        | Fault::ClassInUse { .. }
        | Fault::BadDefinition { .. } => python::SchemaError::new_err(text),
        Fault::Misfit(misfit) => misfit_of(misfit, text),
        Fault::Edit(error) => edit(error, text),
    }
}

/// A place that is not there, or a value that does not fit the place.
fn misfit_of(misfit: &Misfit, text: String) -> PyErr {
    match misfit {
        Misfit::NoSuchProperty { .. }
        | Misfit::PathTooDeep { .. }
        | Misfit::ThroughLink { .. }
        | Misfit::NoEmbeddedObject { .. }
        | Misfit::NotACollection { .. }
        | Misfit::NoSuchKey { .. }
        | Misfit::IndexOutOfRange { .. } => python::NoSuchObjectError::new_err(text),
        Misfit::TypeMismatch { .. }
        | Misfit::NotNullable { .. }
        | Misfit::WrongLinkTarget { .. }
        | Misfit::NoSuchTarget { .. }
        | Misfit::WrongKeyType { .. }
        | Misfit::TooLarge { .. }
        | Misfit::WrongPayload { .. } => python::PropertyTypeError::new_err(text),
        // Local edits state the size that they have seen and move nothing to where it is.
        Misfit::WrongPriorSize { .. } | Misfit::MoveToSamePlace { .. } => {
            python::StoreError::new_err(text)
        }
    }
}

fn edit(error: &EditError, text: String) -> PyErr {
    match error {
        EditError::NoSuchObject
        | EditError::NoSuchProperty { .. }
        | EditError::WrongPlace { .. }
        | EditError::IndexOutOfRange { .. }
        | EditError::NoSuchKey { .. }
        | EditError::DanglingLink { .. } => python::NoSuchObjectError::new_err(text),
        EditError::ObjectExists => python::PrimaryKeyExistsError::new_err(text),
        EditError::AddToNull { .. } => python::PropertyTypeError::new_err(text),
    }
}

fn engine(error: &EngineError, text: String, py: Python<'_>) -> PyErr {
    match error {
        EngineError::Store(error) => store(error, text),
        EngineError::BadUser(_) => python::ConfigurationError::new_err(text),
        EngineError::Config(config) => {
            let raised = python::ConfigurationError::new_err(text);
            let value = raised.value(py);
            let set = value
                .setattr(intern!(py, "path"), &config.path)
                .and_then(|()| value.setattr(intern!(py, "reason"), &config.reason));
            // What kept the place from being told is told instead.
            set.err().unwrap_or(raised)
        }
    }
}
