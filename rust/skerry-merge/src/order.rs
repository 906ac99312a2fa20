//! The tie-break: which of two concurrent changesets is the later one.

use std::cmp::Ordering;

use skerry_model::{FileIdent, Stamp};

/// Who made a changeset and when. Its order is the tie-break of sync-engine 2.1: by stamp, then by
/// file ident, so that on equal stamps the server (ident 1) is the oldest.
///
/// Stamps compare as unsigned 64-bit numbers: a negative one, from a clock before 2015, is later
/// than every other, also than [`Stamp::SYNTHETIC`]. That is what the real engine does, as the
/// conformance programs with clocks below zero show. A server of ours therefore refuses negative
/// stamps, and a client of ours makes none.
///
/// It orders changesets, not causes: only concurrent ones are ever compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Author {
    /// Origin timestamp of the changeset.
    pub stamp: Stamp,
    /// File that made it; never [`FileIdent::LOCAL`], for which the own ident is substituted.
    pub ident: FileIdent,
}

impl Author {
    /// The author with that ident at that time.
    pub fn new(stamp: Stamp, ident: FileIdent) -> Self {
        Self { stamp, ident }
    }
}

impl Ord for Author {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |author: &Self| (author.stamp.0.cast_unsigned(), author.ident);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Author {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_decides_before_ident() {
        let early = Author::new(Stamp(2), FileIdent(9));
        let late = Author::new(Stamp(3), FileIdent(2));
        assert!(early < late);
    }

    #[test]
    fn a_negative_stamp_is_later_than_every_other() {
        let negative = Author::new(Stamp(-5), FileIdent(2));
        let synthetic = Author::new(Stamp::SYNTHETIC, FileIdent::SERVER);
        assert!(synthetic < negative);
        assert!(negative < Author::new(Stamp(-4), FileIdent(2)));
    }

    #[test]
    fn the_server_is_oldest_on_a_tie() {
        let server = Author::new(Stamp(7), FileIdent::SERVER);
        let client = Author::new(Stamp(7), FileIdent::FIRST_CLIENT);
        assert!(server < client);
        assert!(client < Author::new(Stamp(7), FileIdent(3)));
    }
}
