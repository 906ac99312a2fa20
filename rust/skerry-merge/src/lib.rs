//! Operational transformation: merges concurrent instructions so that every replica that has seen
//! the same changes holds the same state (sync-engine 2).
//!
//! The invariant is one law. For a state and two concurrent sequences of changesets `ours` and
//! `theirs` made on it, merging rewrites both so that applying `ours` then the rewritten `theirs`
//! gives the same state as applying `theirs` then the rewritten `ours`. `docs/merge.md` states the
//! algebra. Both ends run the same function in opposite roles:
//!
//! * a server merges one uploaded changeset object by object with [`merge_object`];
//! * a client keeps its unacknowledged changes decoded in [`LocalChanges`] and integrates whole
//!   downloads with [`LocalChanges::integrate`].
//!
//! No rule crosses objects (sync-engine 2.5), so work is proportional to the instructions on the
//! objects that both sides touched. A merge that fails has changed nothing, and one that succeeds
//! has copied only the instructions that it rewrote.
//!
//! Few instructions are merged pair by pair, which is the definition; many are sorted by place, to
//! the same result in less time (`tree`). The crate does not apply instructions, encode them or
//! store them, and reads no clock.

mod concurrent;
mod error;
mod frame;
mod index;
mod lists;
mod local;
mod object;
mod objects;
mod order;
mod pair;
mod place;
mod rules;
mod schema;
mod slot;
mod tree;
mod values;

pub use concurrent::Concurrent;
pub use error::MergeError;
pub use local::{Incoming, LocalChanges};
pub use object::{Entry, Outcome, merge_by_place, merge_object, merge_sequences};
pub use order::Author;
pub use pair::{PairMerge, merge_pair};
pub use place::is_schema_erase;
pub use rules::RULES;
pub use slot::Slot;
