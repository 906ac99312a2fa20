//! The tie-break: which of two concurrent changesets is the later one.

use skerry_model::{FileIdent, Stamp};

/// Who made a changeset and when. Its order is the tie-break of sync-engine 2.1: by stamp, then by
/// file ident, so that on equal stamps the server (ident 1) is the oldest.
///
/// It orders changesets, not causes: only concurrent ones are ever compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author {
    // The derived order compares the fields in this sequence.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_decides_before_ident() {
        let early = Author::new(Stamp(-5), FileIdent(9));
        let late = Author::new(Stamp(3), FileIdent(2));
        assert!(early < late);
    }

    #[test]
    fn the_server_is_oldest_on_a_tie() {
        let server = Author::new(Stamp(7), FileIdent::SERVER);
        let client = Author::new(Stamp(7), FileIdent::FIRST_CLIENT);
        assert!(server < client);
        assert!(client < Author::new(Stamp(7), FileIdent(3)));
    }
}
