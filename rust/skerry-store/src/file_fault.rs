//! What can be wrong with a realm file as a whole: its place, its users, its schema version.
//!
//! Invariant: the text reads on from "file X" and ends with what to do about it. Nothing of the file
//! has been changed when one of these comes out.

use skerry_model::Name;

/// Why a file cannot be used in the way that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are named in the messages")]
pub enum FileFault {
    #[error(
        "cannot be written: it, its folder or its file system is read-only for this process; \
         allow writing there, or open it for reading only"
    )]
    NotWritable,
    #[error(
        "cannot be opened: {detail}; see that its folder exists and that this process may read \
         and write there"
    )]
    Unreachable { detail: String },
    #[error("is encrypted; open it with its encryption key")]
    Encrypted,
    #[error("is encrypted with another key; open it with that one")]
    WrongKey,
    #[error(
        "is not encrypted; open it without an encryption key, or write an encrypted copy of it"
    )]
    NotEncrypted,
    #[error("is open for reading only; open it for writing")]
    ReadOnly,
    #[error("does not exist; open it for writing, which makes it")]
    Absent,
    #[error(
        "is open in this or another process; close it there first, and let go what was read of it \
         and holds links"
    )]
    InUse,
    #[error("exists already; delete it first, or choose another name")]
    Exists,
    #[error("is being deleted; open it again, or delete it again if that was interrupted")]
    Deleted,
    #[error("has changes that are not uploaded; wait until they are, and repeat")]
    UnuploadedChanges,
    #[error("was given another schema since it was opened; close it and open it with that schema")]
    SchemaReplaced,
    #[error(
        "has schema version {found}, the configuration has {wanted}; a newer program wrote the \
         file, so use that one, or delete the file"
    )]
    SchemaVersionTooLow { found: u64, wanted: u64 },
    #[error(
        "has another schema than the configuration under the same schema version {version}: \
         {}: {change}; set schema_version to {} or more",
        named(class, property.as_ref()), version.saturating_add(1)
    )]
    MigrationNeeded { version: u64, class: Name, property: Option<Name>, change: String },
    #[error("cannot be migrated: {}: {reason}", named(class, property.as_ref()))]
    Migration { class: Name, property: Option<Name>, reason: String },
}

fn named(class: &Name, property: Option<&Name>) -> String {
    match property {
        Some(property) => format!("property \"{class}.{property}\""),
        None => format!("class \"{class}\""),
    }
}
