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
    /// These stand in its place: something was put before it.
    Replaced(Vec<Instruction>),
}

#[derive(Debug)]
enum Body<'a> {
    Original(&'a Instruction),
    Own(Box<Instruction>),
    Discarded,
}

/// An instruction under merge, with the author of its changeset.
#[derive(Debug)]
pub struct Slot<'a> {
    author: Author,
    body: Body<'a>,
    /// Whether the instruction is another than before.
    is_dirty: bool,
    /// What a rule has put before the instruction.
    before: Vec<Instruction>,
}

impl<'a> Slot<'a> {
    /// A slot for an instruction that nothing has touched yet.
    pub fn new(author: Author, original: &'a Instruction) -> Self {
        Self { author, body: Body::Original(original), is_dirty: false, before: Vec::new() }
    }

    /// A slot that owns its instruction.
    pub(crate) fn owned(author: Author, instruction: Instruction) -> Self {
        let body = Body::Own(Box::new(instruction));
        Self { author, body, is_dirty: false, before: Vec::new() }
    }

    /// The instruction as it stands: rewritten, or the original.
    ///
    /// # Panics
    ///
    /// When the instruction has been discarded.
    pub fn instruction(&self) -> &Instruction {
        match &self.body {
            Body::Original(instruction) => instruction,
            Body::Own(instruction) => instruction,
            Body::Discarded => unreachable!("nobody asks for an instruction that was discarded"),
        }
    }

    /// The instruction, to be rewritten; copied at the first call.
    ///
    /// # Panics
    ///
    /// When the instruction has been discarded.
    pub fn change(&mut self) -> &mut Instruction {
        self.is_dirty = true;
        if let Body::Original(original) = &self.body {
            self.body = Body::Own(Box::new((*original).clone()));
        }
        match &mut self.body {
            Body::Own(instruction) => instruction,
            Body::Original(_) | Body::Discarded => {
                unreachable!("nobody changes an instruction that was discarded")
            }
        }
    }

    /// Discards the instruction.
    pub fn discard(&mut self) {
        self.body = Body::Discarded;
        self.is_dirty = true;
    }

    /// Whether the instruction was discarded.
    pub fn is_discarded(&self) -> bool {
        matches!(self.body, Body::Discarded)
    }

    /// Puts an instruction of the same changeset before this one.
    pub(crate) fn put_before(&mut self, instruction: Instruction) {
        self.is_dirty = true;
        self.before.push(instruction);
    }

    /// Takes out what has been put before this one.
    pub(crate) fn take_before(&mut self) -> Vec<Instruction> {
        std::mem::take(&mut self.before)
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
        let Self { body, is_dirty, mut before, .. } = self;
        if !before.is_empty() {
            match body {
                Body::Original(instruction) => before.push(instruction.clone()),
                Body::Own(instruction) => before.push(*instruction),
                Body::Discarded => {}
            }
            return Fate::Replaced(before);
        }
        match body {
            Body::Discarded => Fate::Discarded,
            Body::Own(instruction) if is_dirty => Fate::Changed(instruction),
            Body::Own(_) | Body::Original(_) => Fate::Kept,
        }
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
