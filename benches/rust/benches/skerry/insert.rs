//! Inserting the reference rows into a synced file, history included, beside bare `SQLite` in the same run.
//!
//! Both sync every commit to the disk and make the rows inside the measured time. Each case gets a new file.

use std::time::Duration;

use skerry_benches::items::{insert, item, rows, subscribe};
use skerry_benches::peer::Peer;
use skerry_benches::report::{Table, per_second, timed};
use skerry_benches::rig::Device;
use skerry_store::connection::Synchronous;

const SINGLE: u32 = 2_000;
/// Each case is run so often, in turns with its peer; the median counts.
const TIMES: usize = 3;

fn skerry(count: u32, size: usize) -> (Duration, u64) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let device = Device::new(folder.path(), "insert", "u", Synchronous::Full);
    subscribe(&device.realm, "TRUEPREDICATE");
    let (took, ()) = timed(|| insert(&device.realm, 0..count, size, None));
    (took, device.size_bytes())
}

fn bare(count: u32, size: usize) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let peer = Peer::new(&folder.path().join("bare.db"));
    let numbers: Vec<u32> = (0..count).collect();
    let (took, ()) = timed(|| {
        for chunk in numbers.chunks(size) {
            peer.insert(chunk.iter().copied().map(item));
        }
    });
    took
}

pub(crate) fn run() {
    let mut table = Table::new(
        &format!("insert with history, synchronous = FULL (median of {TIMES})"),
        &[
            "case",
            "skerry obj/s",
            "µs/obj",
            "ms/commit",
            "bare SQLite obj/s",
            "ms/commit",
            "ratio",
            "bytes/obj",
        ],
    );
    let rows = rows();
    for (name, count, size) in
        [("transactions of 1,000", rows, 1_000), ("single-object transactions", SINGLE, 1)]
    {
        let (mut ours, mut theirs, mut bytes) = (Vec::new(), Vec::new(), 0);
        for _ in 0..TIMES {
            theirs.push(bare(count, size));
            let (took, size_bytes) = skerry(count, size);
            ours.push(took);
            bytes = size_bytes;
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        let (ours, theirs) = (ours[TIMES / 2], theirs[TIMES / 2]);
        let commits = f64::from(count.div_ceil(u32::try_from(size).expect("a small number")));
        table.row([
            format!("{count} objects, {name}"),
            per_second(count, ours),
            format!("{:.1}", ours.as_secs_f64() * 1e6 / f64::from(count)),
            format!("{:.2}", ours.as_secs_f64() * 1e3 / commits),
            per_second(count, theirs),
            format!("{:.2}", theirs.as_secs_f64() * 1e3 / commits),
            format!("{:.1}", ours.as_secs_f64() / theirs.as_secs_f64()),
            (bytes / u64::from(count)).to_string(),
        ]);
    }
    table.print();
}
