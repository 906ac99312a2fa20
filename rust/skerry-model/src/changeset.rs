//! A changeset: the instructions of one commit, in order.

use crate::Instruction;

/// The instructions of one transaction.
///
/// Version numbers, origin and stamp belong to the history entry or message that carries it, as
/// in Realm's protocol (sync-engine 3.2, 4.3), and are not part of its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changeset {
    /// The instructions, in the order in which they were made.
    pub instructions: Vec<Instruction>,
}

impl Changeset {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }
}

impl From<Vec<Instruction>> for Changeset {
    fn from(instructions: Vec<Instruction>) -> Self {
        Self { instructions }
    }
}
