//! Observers: what has changed in the results of a query, in an object or in a collection between one
//! version of a file and another.
//!
//! Invariant: what an observer said before, with the changes that it says then, is what there is now;
//! and whatever an application can see to be different is among the changes. More than that may be: a
//! value that was set to what it was, and, where commits have left no word of what they touched
//! (`realm::changed`), everything. An observer keeps rows or contents in memory and no version of the
//! file open, so that the write-ahead log can be cleaned however long nothing happens; it is told of
//! no commit but looks at what lies between its version and the snapshot's, so that changes of any
//! number of commits, whoever made them, come merged into one.
//!
//! Not decided here: when to look.

mod collection;
mod diff;
mod dirty;
mod dirty_links;
mod forward;
#[cfg(test)]
mod laws;
mod merge;
mod moved;
mod object;
mod results;
mod undecided;
mod watch;

pub use collection::{CollectionChange, CollectionObserver};
pub use diff::{IndexRange, ListChanges};
pub use object::{ObjectChange, ObjectObserver};
pub use results::ResultsObserver;
pub use watch::{DEPTH_MAX, KEY_PATH_PARTS_MAX, KEY_PATHS_MAX};
