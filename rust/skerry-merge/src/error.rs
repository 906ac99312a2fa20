//! Why a merge fails. Every failure leaves both sides as they were.

use skerry_model::{ClientVersion, Name};

use crate::Author;

/// Why two concurrent changes cannot be merged.
///
/// All are fatal for the changeset that brought the conflict; repeating the merge gives the same
/// error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The two instructions meet, and the rule for them is not written yet.
    #[error(
        "merging {outer} with {inner} in class \"{class}\" is not implemented (sync-engine {section})"
    )]
    RuleNotImplemented {
        /// Name of our instruction.
        outer: &'static str,
        /// Name of their instruction.
        inner: &'static str,
        /// Class of their instruction.
        class: Name,
        /// Section of the sync-engine specification that has the rule.
        section: &'static str,
    },
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
