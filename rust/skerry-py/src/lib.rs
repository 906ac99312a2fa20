//! `skerry._core`: the binding of the Rust crates to Python, and nothing else.
//!
//! The boundary is small and coarse: realm files with their transactions and queries, the client's
//! sync agent, the server's engine. Values cross as Python's own types (see `convert`); rows,
//! frames and events cross in batches.
//!
//! Invariants, each kept by one file: nothing runs in the engine while this thread is attached to
//! the interpreter, and no lock is waited for or held while it is (`gate`); every error of every
//! crate becomes one class of `skerry.errors` (`errors`); classes are frozen, and what changes sits
//! behind a mutex whose content says in which state it is. All of it may be called from any thread,
//! with or without the interpreter's lock, so the module does without it.

mod agent_lock;
mod arrow;
mod bulk;
mod convert;
mod errors;
mod files;
mod gate;
mod inspect;
mod matches;
mod observer;
mod query;
mod realm;
mod schema;
mod schema_change;
mod slots;
mod snapshot;
mod subscriptions;
mod sync_connection;
mod sync_event;
mod sync_server;
mod write_transaction;

use pyo3::pymodule;

/// The Rust core of Skerry; private, see the stub.
#[pymodule(name = "_core", gil_used = false)]
mod core {
    #[pymodule_export]
    use crate::agent_lock::SyncAgentLock;
    #[pymodule_export]
    use crate::files::{ScratchPlace, compact_file, delete_file, file_size, install_file};
    #[pymodule_export]
    use crate::inspect::Inspector;
    #[pymodule_export]
    use crate::matches::Matches;
    #[pymodule_export]
    use crate::observer::{
        CollectionChangeSet, CollectionObserver, ListChangeSet, ObjectChangeSet, ObjectObserver,
        ResultsObserver,
    };
    #[pymodule_export]
    use crate::query::{check_query, check_subscription};
    #[pymodule_export]
    use crate::realm::RealmFile;
    #[pymodule_export]
    use crate::schema_change::{SchemaChange, SchemaMoves};
    #[pymodule_export]
    use crate::snapshot::Snapshot;
    #[pymodule_export]
    use crate::subscriptions::SubscriptionSetData;
    #[pymodule_export]
    use crate::sync_connection::{PollResult, SyncConnection};
    #[pymodule_export]
    use crate::sync_event::SyncEvent;
    #[pymodule_export]
    use crate::sync_server::{ProcessResult, SyncServer};
    #[pymodule_export]
    use crate::write_transaction::WriteTransaction;
}
