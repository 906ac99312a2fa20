//! Why a merge fails. Every failure leaves both sides as they were.

use skerry_model::{ClientVersion, Name};

use crate::Author;

/// Why two concurrent changes cannot be merged.
///
/// All are fatal for the changeset that brought the conflict; repeating the merge gives the same
/// error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Both sides added the class, differently (sync-engine 2.4, schema).
    #[error("class \"{class}\" was added with two different kinds or primary keys")]
    TableMismatch {
        /// The class.
        class: Name,
    },
    /// Both sides added the property, differently (sync-engine 2.4, schema).
    #[error("property \"{class}.{field}\" was added with two different types")]
    ColumnMismatch {
        /// The class.
        class: Name,
        /// The property.
        field: Name,
    },
    /// Two edits of one list were made on lists of different sizes: one of them is wrong about the
    /// list (sync-engine 2.4, lists).
    #[error(
        "a list in \"{class}.{field}\" has {one} elements by one side and {other} by the other"
    )]
    ListSizeMismatch {
        /// The class.
        class: Name,
        /// The property.
        field: Name,
        /// The size that one instruction states.
        one: u32,
        /// The size that the other states.
        other: u32,
    },
    /// An edit of a list has a position beyond the size that it states itself.
    #[error("position {index} in a list of {size} elements in \"{class}.{field}\"")]
    IndexOutOfRange {
        /// The class.
        class: Name,
        /// The property.
        field: Name,
        /// The position.
        index: u32,
        /// The size that the instruction states.
        size: u32,
    },
    /// Two concurrent changesets with one stamp and one origin: nothing can order them
    /// (sync-engine 2.1, "equality cannot occur"), so one of them was forged or sent twice.
    #[error(
        "two concurrent changesets have the same stamp {stamp} and origin {ident}",
        stamp = author.stamp,
        ident = author.ident
    )]
    SameAuthor {
        /// The author of both.
        author: Author,
    },
    /// A local change was pushed with a version that is not above the last one.
    #[error("client version {pushed} was pushed after {last}; versions must increase")]
    VersionOrder {
        /// The last version.
        last: ClientVersion,
        /// The version that was pushed.
        pushed: ClientVersion,
    },
}
