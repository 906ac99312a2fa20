//! One instruction while it is being merged.
//!
//! A slot borrows the instruction and copies it only when a rule rewrites it. Nothing outside the
//! slot changes until the whole merge has succeeded, which is what makes a failed merge harmless.

use skerry_model::Instruction;

use crate::{Author, MergeError};

/// What merging has done to an instruction.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Nothing.
    Kept,
    /// It was rewritten. Boxed because rewriting is rare and slots are copied into lists.
    Changed(Box<Instruction>),
    /// It was discarded.
    Discarded,
}

/// An instruction under merge, with the author of its changeset.
#[derive(Debug)]
pub struct Slot<'a> {
    author: Author,
    original: &'a Instruction,
    fate: Fate,
}

impl<'a> Slot<'a> {
    /// A slot for an instruction that nothing has touched yet.
    pub fn new(author: Author, original: &'a Instruction) -> Self {
        Self { author, original, fate: Fate::Kept }
    }

    /// The instruction as it stands: rewritten, or the original.
    pub fn instruction(&self) -> &Instruction {
        match &self.fate {
            Fate::Changed(instruction) => instruction,
            Fate::Kept | Fate::Discarded => self.original,
        }
    }

    /// The instruction, to be rewritten; copied at the first call.
    pub fn change(&mut self) -> &mut Instruction {
        if !matches!(self.fate, Fate::Changed(_)) {
            self.fate = Fate::Changed(Box::new(self.original.clone()));
        }
        match &mut self.fate {
            Fate::Changed(instruction) => instruction,
            Fate::Kept | Fate::Discarded => unreachable!("made Changed above"),
        }
    }

    /// Discards the instruction.
    pub fn discard(&mut self) {
        self.fate = Fate::Discarded;
    }

    /// Whether the instruction was discarded.
    pub fn is_discarded(&self) -> bool {
        matches!(self.fate, Fate::Discarded)
    }

    /// Who made the changeset that holds the instruction.
    pub fn author(&self) -> Author {
        self.author
    }

    /// Whether this instruction loses against `other` by time (sync-engine 2.1).
    ///
    /// # Errors
    ///
    /// [`MergeError::SameAuthor`] when nothing orders the two: a guess would be made the other way
    /// round by the other end.
    pub fn is_older_than(&self, other: &Slot<'_>) -> Result<bool, MergeError> {
        if self.author == other.author {
            return Err(MergeError::SameAuthor { author: self.author });
        }
        Ok(self.author < other.author)
    }

    pub(crate) fn into_fate(self) -> Fate {
        self.fate
    }
}

/// Discards the older of the two.
pub(crate) fn discard_older(a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<(), MergeError> {
    if a.is_older_than(b)? {
        a.discard();
    } else {
        b.discard();
    }
    Ok(())
}
