//! The write-ahead log, and who keeps it from being moved into the file.
//!
//! The log's index (`-shm`) begins with how many frames the log has, how many are in the file already,
//! and up to which frame each of five readers may need it; a byte of the same file is locked for each of
//! them that is in use (sqlite.org/walformat.html, 2.1 and 2.2). Both are read here, in one read of 136
//! bytes and from the system's list of locks. Invariant: no lock is taken, and none of this process is
//! lost: the index is left alone when this process has locks on it, which closing it would drop.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use skerry_model::ClientVersion;

use super::access::{beside, metadata};
use super::locks::{self, HeldLock};
use super::pinned::Frames;
use crate::error::Result;

/// Length of the header of the index.
const HEADER_BYTES: usize = 136;
/// Length of each of the two copies that the header begins with.
const COPY_BYTES: usize = 48;
/// Version of the format of the index.
const INDEX_VERSION: u32 = 3_007_000;
/// What each frame of the log has before its page.
const FRAME_HEADER_BYTES: u64 = 24;
/// What stands for a reader that is not there.
const NO_READER: u32 = u32::MAX;
/// The byte that a writer locks, and the first of those that readers lock.
const WRITER_BYTE: u64 = 120;
const FIRST_READER_BYTE: u64 = 123;

/// A time of a file in ms since 1970.
pub(super) fn unix_ms(time: std::io::Result<SystemTime>) -> Option<i64> {
    let since = time.ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// The state of a file's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// Bytes of `-wal`; `None` when there is none. The file keeps its size when its frames have been
    /// moved and it is written from the start again.
    pub size_bytes: Option<u64>,
    /// When it was last written, in ms since 1970.
    pub modified_ms: Option<i64>,
    /// What its index says; `None` when there is none, it is being made, or it was left alone.
    pub index: Option<WalIndex>,
}

/// What the index of a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalIndex {
    /// Bytes of a frame with its page.
    pub frame_size_bytes: u64,
    /// What marks the frames of this round of the log.
    salt: [u8; 8],
    /// Frames of the log.
    pub frames: u32,
    /// How many of them are in the file already.
    pub moved_frames: u32,
    /// How many of them cannot be moved before readers end; `None` when the system does not tell who
    /// reads.
    pub pinned_frames: Option<u32>,
    /// Readers that hold a version, the one that needs most of the log first; `None` as above.
    pub readers: Option<Vec<Reader>>,
    /// Processes that hold the writer lock; `None` as above.
    pub writers: Option<Vec<i64>>,
}

/// Readers that share the place up to which they need the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Frames of the log that their version has; 0 when it has none of them.
    pub frames: u32,
    /// The oldest version that they may be reading; `None` when it cannot be told.
    pub version: Option<ClientVersion>,
    /// The processes; 0 or less where the system does not say.
    pub pids: Vec<i64>,
}

/// The numbers in the header of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    page_size_bytes: u64,
    salt: [u8; 8],
    frames: u32,
    moved_frames: u32,
    marks: [u32; 5],
}

impl LogState {
    /// Looks at what lies beside the file.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let Some(log) = metadata(&beside(path, "-wal"))? else { return Ok(Self::default()) };
        let index_path = beside(path, "-shm");
        let held = locks::on(&index_path);
        let own = i64::from(std::process::id());
        let is_own = held.iter().flatten().any(|lock| !lock.is_whole && lock.pid == own);
        let header = if is_own { None } else { read_header(&index_path) };
        Ok(Self {
            size_bytes: Some(log.len()),
            modified_ms: unix_ms(log.modified()),
            index: header.map(|header| WalIndex::new(&header, held.as_deref())),
        })
    }

    /// Finds the versions of the readers. `root` is the page of table `progress`.
    pub(super) fn find_versions(&mut self, path: &Path, root: u32) {
        let Some(index) = &mut self.index else { return };
        let frames = Frames { frame_size_bytes: index.frame_size_bytes, salt: index.salt };
        let Ok(mut log) = File::open(beside(path, "-wal")) else { return };
        for reader in index.readers.iter_mut().flatten() {
            let version = frames.version_at(&mut log, reader.frames, root);
            reader.version = version.map(ClientVersion);
        }
    }
}

/// The header of the index; `None` when there is none, or none that is whole just now.
fn read_header(path: &Path) -> Option<Header> {
    let mut bytes = [0; HEADER_BYTES];
    File::open(path).ok()?.read_exact(&mut bytes).ok()?;
    parse(&bytes)
}

fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_ne_bytes)
    };
    // While a writer changes the header its copies differ.
    let is_whole = bytes[..COPY_BYTES] == bytes[COPY_BYTES..2 * COPY_BYTES];
    let is_made = bytes[12] == 1 && number(0)? == INDEX_VERSION;
    if !is_whole || !is_made {
        return None;
    }
    let page_size = u16::from_ne_bytes([bytes[14], bytes[15]]);
    let mut marks = [0; 5];
    for (i, mark) in marks.iter_mut().enumerate() {
        *mark = number(2 * COPY_BYTES + 4 + 4 * i)?;
    }
    Some(Header {
        // 65536 does not fit; it is written as 1.
        page_size_bytes: if page_size == 1 { 65_536 } else { page_size.into() },
        salt: bytes[32..40].try_into().ok()?,
        frames: number(16)?,
        moved_frames: number(2 * COPY_BYTES)?,
        marks,
    })
}

impl WalIndex {
    fn new(header: &Header, held: Option<&[HeldLock]>) -> Self {
        let pids = |byte: u64| -> Option<Vec<i64>> {
            let on_byte = held?.iter().filter(|lock| lock.covers(byte));
            let mut pids: Vec<i64> = on_byte.map(|lock| lock.pid).collect();
            pids.sort_unstable();
            pids.dedup();
            Some(pids)
        };
        let readers = held.map(|_held| {
            let slots = header.marks.iter().zip(FIRST_READER_BYTE..);
            let mut readers: Vec<Reader> = slots
                .filter_map(|(&mark, byte)| {
                    Some((mark, pids(byte).filter(|pids| !pids.is_empty())?))
                })
                .filter(|(mark, _)| *mark != NO_READER)
                .map(|(mark, pids)| Reader { frames: mark.min(header.frames), version: None, pids })
                .collect();
            readers.sort_by_key(|reader| reader.frames);
            readers
        });
        let least = readers.as_ref().map(|readers| readers.first().map(|reader| reader.frames));
        let moved_frames = header.moved_frames.min(header.frames);
        Self {
            frame_size_bytes: header.page_size_bytes + FRAME_HEADER_BYTES,
            salt: header.salt,
            frames: header.frames,
            moved_frames,
            pinned_frames: least.map(|least| {
                least.map_or(0, |least| header.frames - least.max(moved_frames).min(header.frames))
            }),
            readers,
            writers: pids(WRITER_BYTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(frames: u32, moved: u32, marks: [u32; 5]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        for copy in [0, COPY_BYTES] {
            bytes[copy..copy + 4].copy_from_slice(&INDEX_VERSION.to_ne_bytes());
            bytes[copy + 12] = 1;
            bytes[copy + 14..copy + 16].copy_from_slice(&4096_u16.to_ne_bytes());
            bytes[copy + 16..copy + 20].copy_from_slice(&frames.to_ne_bytes());
        }
        bytes[96..100].copy_from_slice(&moved.to_ne_bytes());
        for (i, mark) in marks.iter().enumerate() {
            bytes[100 + 4 * i..104 + 4 * i].copy_from_slice(&mark.to_ne_bytes());
        }
        bytes
    }

    fn lock(byte: u64, pid: i64) -> HeldLock {
        HeldLock { is_whole: false, pid, bytes: (byte, byte) }
    }

    #[test]
    fn what_readers_hold_back_is_what_the_oldest_of_them_has_not() {
        let header = parse(&index(100, 20, [0, 30, 100, NO_READER, 60])).unwrap();
        let held = [lock(124, 7), lock(127, 8), lock(127, 7), lock(120, 9), lock(128, 7)];
        let found = WalIndex::new(&header, Some(&held));
        assert_eq!(found.pinned_frames, Some(70));
        let readers = [
            Reader { frames: 30, version: None, pids: vec![7] },
            Reader { frames: 60, version: None, pids: vec![7, 8] },
        ];
        assert_eq!(found.readers.as_deref(), Some(&readers[..]));
        assert_eq!((found.writers, found.frame_size_bytes), (Some(vec![9]), 4120));
        // Without locks the marks are of readers that have gone.
        assert_eq!(WalIndex::new(&header, Some(&[])).pinned_frames, Some(0));
        assert_eq!(WalIndex::new(&header, None).pinned_frames, None);
        // What is in the file already is not held back.
        assert_eq!(WalIndex::new(&header, Some(&[lock(123, 7)])).pinned_frames, Some(80));
    }

    #[test]
    fn an_index_that_is_being_changed_says_nothing() {
        let whole = index(100, 20, [0; 5]);
        let mut torn = whole;
        torn[16] ^= 1;
        assert_eq!(parse(&torn), None);
        assert!(parse(&whole).is_some());
        assert_eq!(parse(&[0; HEADER_BYTES]), None);
    }

    proptest! {
        #[test]
        fn any_numbers_are_taken(
            frames in any::<u32>(),
            moved in any::<u32>(),
            marks in any::<[u32; 5]>(),
            bytes in prop::collection::vec((118..130_u64, any::<i64>()), 0..8),
        ) {
            let header = parse(&index(frames, moved, marks)).unwrap();
            let held: Vec<HeldLock> = bytes.iter().map(|&(byte, pid)| lock(byte, pid)).collect();
            let found = WalIndex::new(&header, Some(&held));
            prop_assert!(found.pinned_frames.unwrap() <= frames);
            prop_assert!(found.moved_frames <= frames);
        }
    }
}
