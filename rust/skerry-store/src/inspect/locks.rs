//! Who holds locks on a file, as the operating system tells without being asked for one.
//!
//! Trying a lock would be seen by those who want it: a sync agent that starts at that moment would
//! take another for running. `/proc/locks` changes nothing. Invariant: "unknown" is never told as
//! "free"; locks of processes that this one cannot see (outside of its container) are not listed and
//! therefore missing.

use std::path::Path;

/// A lock that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldLock {
    /// Whether it belongs to an open file as a whole (`flock`), not to bytes of it.
    pub(super) is_whole: bool,
    /// The process; 0 or less when the system does not say.
    pub(super) pid: i64,
    /// The first byte and the last.
    pub(super) bytes: (u64, u64),
}

impl HeldLock {
    /// Whether it is one on that byte.
    pub(super) fn covers(&self, byte: u64) -> bool {
        !self.is_whole && (self.bytes.0..=self.bytes.1).contains(&byte)
    }
}

/// The locks on a file; none when it is absent; `None` when the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn on(path: &Path) -> Option<Vec<HeldLock>> {
    use std::io::Read as _;
    use std::os::unix::fs::MetadataExt as _;

    /// What is read of the system's list. A line has less than 100 bytes.
    const LIST_MAX_BYTES: u64 = 16 << 20;

    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(_) => return None,
    };
    let mut list = String::new();
    let file = std::fs::File::open("/proc/locks").ok()?;
    file.take(LIST_MAX_BYTES).read_to_string(&mut list).ok()?;
    Some(held_in(&list, &place(metadata.dev(), metadata.ino())))
}

/// The locks on a file; the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn on(_path: &Path) -> Option<Vec<HeldLock>> {
    None
}

/// Device and number of a file as `/proc/locks` writes them.
#[cfg(target_os = "linux")]
fn place(device: u64, inode: u64) -> String {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    format!("{major:02x}:{minor:02x}:{inode}")
}

#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for Linux only"))]
fn held_in(list: &str, place: &str) -> Vec<HeldLock> {
    list.lines().filter_map(|line| held(line, place)).collect()
}

/// A line such as `3: POSIX  ADVISORY  READ 20302 fe:00:10125491 123 EOF`. Those of who waits have an
/// arrow behind the number.
fn held(line: &str, place: &str) -> Option<HeldLock> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let is_whole = match words.next()? {
        "POSIX" | "OFDLCK" => false,
        "FLOCK" => true,
        _ => return None,
    };
    let pid = words.nth(2)?.parse().ok()?;
    if words.next()? != place {
        return None;
    }
    let first = words.next()?.parse().ok()?;
    let last = match words.next()? {
        "EOF" => u64::MAX,
        last => last.parse().ok()?,
    };
    Some(HeldLock { is_whole, pid, bytes: (first, last) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
1: POSIX  ADVISORY  READ 20302 fe:00:77 128 128
1: -> POSIX  ADVISORY  WRITE 20303 fe:00:77 128 128
2: FLOCK  ADVISORY  WRITE 20304 fe:00:77 0 EOF
3: POSIX  ADVISORY  READ 20305 fe:00:7 123 123
4: LEASE  ACTIVE    READ 20306 fe:00:77 0 EOF
5: OFDLCK ADVISORY  WRITE -1 fe:00:77 120 121
broken
";

    #[test]
    fn held_locks_of_one_file_are_found_in_the_list() {
        let found = held_in(LIST, "fe:00:77");
        let of = |is_whole, pid, first, last| HeldLock { is_whole, pid, bytes: (first, last) };
        assert_eq!(
            found,
            [of(false, 20302, 128, 128), of(true, 20304, 0, u64::MAX), of(false, -1, 120, 121)]
        );
        assert!(found[2].covers(121) && !found[2].covers(122) && !found[1].covers(121));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_of_this_process_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(on(&path), Some(Vec::new()));
        let file = std::fs::File::create(&path).unwrap();
        assert_eq!(on(&path), Some(Vec::new()));
        file.lock().unwrap();
        let found = on(&path).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].pid, i64::from(std::process::id()));
    }
}
