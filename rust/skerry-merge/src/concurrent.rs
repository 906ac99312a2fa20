//! What others did to one object, kept while a client's changesets are merged into it one by one.
//!
//! Sorting the others' instructions by place is done once, and their new forms are written out once,
//! so that a long upload against a long history costs what its changesets bring and not their number
//! times the history.

use skerry_model::Schema;

use crate::frame::{self, PAIRS_VISITED_MAX, Slots};
use crate::object::{self, Outcome};
use crate::tree::Side;
use crate::{Entry, MergeError, Slot};

/// Entries of others on one object, in a client's reciprocal form, past the base of what comes in.
///
/// After an error the object is to be thrown away: it is then somewhere in between. What was read
/// out of it before stays true.
#[derive(Debug)]
pub struct Concurrent {
    entries: Vec<Entry>,
    /// All instructions of the entries, in order. Positions in lists of those sorted by place are
    /// not up to date.
    slots: Vec<Slot<'static>>,
    /// Set when many pairs were to be visited.
    side: Option<Side>,
    /// Pairs visited so far.
    visited: usize,
}

impl Concurrent {
    /// Starts with these entries.
    pub fn new(entries: Vec<Entry>) -> Self {
        let slots = entries
            .iter()
            .flat_map(|entry| {
                let author = entry.author;
                entry.instructions.iter().map(move |one| Slot::owned(author, one.clone()))
            })
            .collect();
        Self { entries, slots, side: None, visited: 0 }
    }

    /// Merges one incoming entry, whose instructions are all on the object. Entries of one client
    /// come in the order of its versions.
    ///
    /// # Errors
    ///
    /// Any [`MergeError`]; then `theirs` has not changed, and this is of no more use.
    pub fn merge(&mut self, schema: &Schema, theirs: &mut Entry) -> Result<Outcome, MergeError> {
        let fates = {
            let mut incoming: Slots<'_> = object::slots(std::slice::from_ref(theirs));
            self.run(schema, &mut incoming)?;
            object::fates(incoming)
        };
        let mut outcomes = object::settle(std::slice::from_mut(theirs), fates);
        Ok(outcomes.pop().expect("one outcome for the one entry"))
    }

    fn run(&mut self, schema: &Schema, incoming: &mut [Slot<'_>]) -> Result<(), MergeError> {
        self.visited += self.slots.len().saturating_mul(incoming.len());
        if self.side.is_none() && self.visited > 4 * PAIRS_VISITED_MAX {
            self.side = Some(Side::new(&self.slots)?);
        }
        match &mut self.side {
            Some(side) => {
                for slot in incoming {
                    side.pass(schema, &mut self.slots, slot)?;
                }
                Ok(())
            }
            None => frame::run_all(schema, &mut self.slots, incoming, crate::merge_pair),
        }
    }

    /// The entries as merging has left them; those that it has changed are marked dirty.
    pub fn into_entries(mut self) -> Vec<Entry> {
        if let Some(side) = &mut self.side {
            side.settle(&mut self.slots);
        }
        let fates = self.slots.into_iter().map(Slot::into_fate).collect();
        object::settle(&mut self.entries, fates);
        self.entries
    }
}
