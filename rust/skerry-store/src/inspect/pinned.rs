//! Which version a reader of the log holds.
//!
//! A reader's mark is a number of frames. The version of that state stands in the one row of table
//! `progress`, whose page every commit writes anew; the last of its copies up to the mark is found from
//! there backwards. `SQLite` cannot be asked for an old state, so the frame and the row are read as its
//! file format has them (sqlite.org/fileformat2.html, 1.6, 2.1 and 4.1). Invariant: whatever the bytes
//! are, the answer is a version or nothing, and frames of an earlier round of the log are not taken.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

/// Bytes before the first frame, and before the page of each.
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Frames that are looked at: more than a commit has whose objects fill hundreds of MB.
const FRAMES_MAX: usize = 200_000;
/// What a page of rows begins with.
const LEAF_OF_ROWS: u8 = 13;
/// Position of the version among the columns of `progress`.
const VERSION_COLUMN: usize = 2;

/// The log, as far as finding a frame in it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    /// Bytes of a frame with its page.
    pub(super) frame_size_bytes: u64,
    /// What marks the frames of this round.
    pub(super) salt: [u8; 8],
}

impl Frames {
    /// The version in the state that the first `frames` frames make; `None` when they do not have the
    /// page, or have been overwritten meanwhile.
    pub(super) fn version_at(self, log: &mut File, frames: u32, root: u32) -> Option<i64> {
        for frame in (0..u64::from(frames)).rev().take(FRAMES_MAX) {
            let mut header = [0; FRAME_HEADER_BYTES];
            log.seek(SeekFrom::Start(LOG_HEADER_BYTES + frame * self.frame_size_bytes)).ok()?;
            log.read_exact(&mut header).ok()?;
            if header[8..16] != self.salt {
                return None;
            }
            if header[..4] == root.to_be_bytes() {
                // A page has 64 KiB at most; the size comes from 16 bits.
                let size = usize::try_from(self.frame_size_bytes).ok()?;
                let mut page = vec![0; size.checked_sub(FRAME_HEADER_BYTES)?];
                log.read_exact(&mut page).ok()?;
                return version_in(&page);
            }
        }
        None
    }
}

/// The version in the page of table `progress`.
fn version_in(page: &[u8]) -> Option<i64> {
    let cells = u16::from_be_bytes([*page.get(3)?, *page.get(4)?]);
    if page[0] != LEAF_OF_ROWS || cells != 1 {
        return None;
    }
    let start = u16::from_be_bytes([*page.get(8)?, *page.get(9)?]);
    let mut cell = page.get(usize::from(start)..)?;
    let _payload_bytes = take_varint(&mut cell)?;
    let _row_id = take_varint(&mut cell)?;
    let record = cell;
    let header_bytes = usize::try_from(take_varint(&mut cell)?).ok()?;
    let mut types = record.get(record.len() - cell.len()..header_bytes)?;
    let mut at = header_bytes;
    for _ in 0..VERSION_COLUMN {
        at = at.checked_add(size_of_type(take_varint(&mut types)?)?)?;
    }
    let kind = take_varint(&mut types)?;
    let bytes = record.get(at..at.checked_add(size_of_type(kind)?)?)?;
    match kind {
        1..=6 => {
            let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
            Some(bytes.iter().fold(sign, |number, &byte| (number << 8) | i64::from(byte)))
        }
        8 => Some(0),
        9 => Some(1),
        _ => None,
    }
}

/// Bytes of a value of that serial type.
fn size_of_type(kind: u64) -> Option<usize> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => usize::try_from(kind).ok(),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((kind - 12) / 2).ok(),
    }
}

/// A number of seven bits a byte, the highest first; of the ninth byte all eight.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for i in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if i == 8 {
            return Some(number << 8 | u64::from(byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    proptest! {
        #[test]
        fn the_version_of_a_row_is_found_in_its_page(
            version in prop_oneof![any::<i64>(), -200..200_i64, Just(1 << 40)],
            ident in any::<i64>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.db");
            let connection = Connection::open(&path).unwrap();
            connection
                .execute_batch(
                    "CREATE TABLE progress (id INTEGER PRIMARY KEY, is_synced INTEGER NOT NULL,
                         version INTEGER NOT NULL, file_ident INTEGER NOT NULL) STRICT",
                )
                .unwrap();
            connection
                .execute("INSERT INTO progress VALUES (1, 1, ?1, ?2)", [version, ident])
                .unwrap();
            drop(connection);
            let bytes = std::fs::read(&path).unwrap();
            prop_assert_eq!(version_in(&bytes[4096..8192]), Some(version));
        }

        #[test]
        fn other_bytes_are_a_version_or_none(
            mut page in prop::collection::vec(any::<u8>(), 0..200),
            is_leaf in any::<bool>(),
        ) {
            if is_leaf && page.len() > 10 {
                page[..10].copy_from_slice(&[LEAF_OF_ROWS, 0, 0, 0, 1, 0, 0, 0, 0, 10]);
            }
            version_in(&page);
        }
    }
}
