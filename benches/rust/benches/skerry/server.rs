//! The engine and agents in one process: uploads integrated, bootstraps served and applied.
//!
//! Each side has its own clock: what is measured for the server is the time inside the engine, with its
//! commits synced to the disk, and for the device the time inside its agent. No socket takes part.

use std::path::Path;
use std::time::Duration;

use skerry_benches::items::{insert, item, owner, rows, subscribe};
use skerry_benches::peer::Peer;
use skerry_benches::report::{Table, per_second, timed};
use skerry_benches::rig::{Device, Server, settle};
use skerry_model::Name;
use skerry_store::connection::Synchronous;

const SMALL_BOOTSTRAP: u32 = 20_000;
const SMALL_UPLOADS: u32 = 1_000;
const GROUP: u32 = 10;
const READERS: u32 = 10;
const FANNED_OUT: u32 = 10_000;

/// Uploads rows in transactions of 1,000 and returns the time inside the engine.
fn fill(server: &mut Server, folder: &Path, rows: u32) -> Duration {
    let mut devices = [Device::new(folder, "writer", "u", Synchronous::Normal)];
    subscribe(&devices[0].realm, "TRUEPREDICATE");
    devices[0].connect(server);
    settle(server, &mut devices);
    let [mut device] = devices;
    insert(&device.realm, 0..rows, 1_000, Some("u"));
    let mut total = Duration::ZERO;
    loop {
        server.now_ms += 1;
        let (took, moved) = upload(server, &mut device);
        total += took;
        if !moved {
            return total;
        }
    }
}

/// What the device has goes to the server; the time inside the engine, and whether anything went.
fn upload(server: &mut Server, device: &mut Device) -> (Duration, bool) {
    let connection = device.connection.expect("it is connected");
    let frames: Vec<_> =
        device.poll(server.now_ms).into_iter().map(|frame| (connection, frame)).collect();
    let (took, output) = timed(|| server.process(&frames, &[connection]));
    for frame in output.frames.into_iter().flat_map(|(_, frames)| frames) {
        device.receive(&frame, server.now_ms);
    }
    (took, !frames.is_empty())
}

struct Bootstrap {
    serving: Duration,
    applying: Duration,
    bytes: usize,
}

/// A new device asks for everything.
fn bootstrap(server: &mut Server, folder: &Path, rows: u32) -> Bootstrap {
    let mut devices = [Device::new(folder, "reader", "u", Synchronous::Full)];
    devices[0].connect(server);
    settle(server, &mut devices);
    let [mut device] = devices;
    subscribe(&device.realm, "complexity >= 0");
    let connection = device.connection.expect("it is connected");
    let mut done = Bootstrap { serving: Duration::ZERO, applying: Duration::ZERO, bytes: 0 };
    let mut quiet = 0;
    while quiet < 2 {
        server.now_ms += 1;
        let frames: Vec<_> =
            device.poll(server.now_ms).into_iter().map(|frame| (connection, frame)).collect();
        let (took, output) = timed(|| server.process(&frames, &[connection]));
        done.serving += took;
        quiet = if frames.is_empty() && output.frames.is_empty() { quiet + 1 } else { 0 };
        for frame in output.frames.into_iter().flat_map(|(_, frames)| frames) {
            done.bytes += frame.len();
            done.applying += timed(|| device.receive(&frame, server.now_ms)).0;
        }
    }
    let snapshot = device.realm.snapshot().expect("a snapshot can be had");
    let found =
        snapshot.count(&Name::from("Item"), "TRUEPREDICATE", &[]).expect("it can be counted");
    assert_eq!(found, u64::from(rows), "the device has everything");
    done
}

fn bootstraps(table: &mut Table) {
    for rows in [SMALL_BOOTSTRAP, rows()] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut server = Server::open(folder.path(), false);
        let filling = fill(&mut server, folder.path(), rows);
        let done = bootstrap(&mut server, folder.path(), rows);
        let bytes = u32::try_from(done.bytes).map_or(f64::NAN, f64::from);
        table.row([
            rows.to_string(),
            per_second(rows, filling),
            per_second(rows, done.serving),
            per_second(rows, done.applying),
            format!("{:.1}", bytes / f64::from(rows)),
        ]);
    }
}

/// Time inside the engine for single-object uploads of `writers` devices, one batch for all.
fn small_uploads(writers: u32, rounds: u32) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::open(folder.path(), true);
    let mut devices: Vec<Device> = (0..writers)
        .map(|number| {
            let user = format!("u{number}");
            let mut device = Device::new(folder.path(), &user, &user, Synchronous::Normal);
            subscribe(&device.realm, "TRUEPREDICATE");
            device.connect(&mut server);
            device
        })
        .collect();
    settle(&mut server, &mut devices);
    let mut total = Duration::ZERO;
    for round in 0..rounds {
        server.now_ms += 10;
        let mut frames = Vec::new();
        for (number, device) in (0..).zip(&mut devices) {
            let (row, owner) = (round * writers + number, device.user.clone());
            insert(&device.realm, row..row + 1, 1, Some(&owner));
            let connection = device.connection.expect("it is connected");
            frames.extend(device.poll(server.now_ms).into_iter().map(|frame| (connection, frame)));
        }
        let (took, output) = timed(|| server.process(&frames, &[]));
        total += took;
        for (connection, frames) in output.frames {
            let device = devices.iter_mut().find(|device| device.connection == Some(connection));
            let device = device.expect("only devices are connected");
            for frame in &frames {
                device.receive(frame, server.now_ms);
            }
        }
    }
    total
}

/// What the readers see of what one device writes.
struct Readers {
    case: &'static str,
    count: u32,
    /// Rows, a changeset each.
    rows: u32,
    /// Of which so many are written before the server is called again.
    at_once: u32,
    query: fn(u32) -> String,
    /// The owner of the rows, if it is always the same.
    owner: Option<&'static str>,
}

const FAN_OUTS: [Readers; 2] = [
    Readers {
        case: "one view",
        count: READERS,
        rows: FANNED_OUT,
        at_once: FANNED_OUT,
        query: |_| "complexity >= 0".to_owned(),
        owner: Some("u"),
    },
    Readers {
        case: "a view each, one by one",
        count: 10 * READERS,
        rows: FANNED_OUT / 10,
        at_once: 1,
        query: |number| format!("ownerId == '{}'", owner(number)),
        owner: None,
    },
];

/// One device's single-object uploads, and everything that the engine has to do to hand them to the others.
fn fan_out(table: &mut Table, readers: &Readers) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::open(folder.path(), false);
    let mut devices: Vec<Device> = (0..=readers.count)
        .map(|number| {
            let mut device =
                Device::new(folder.path(), &format!("d{number}"), "u", Synchronous::Normal);
            let all = "complexity >= 0".to_owned();
            subscribe(&device.realm, &number.checked_sub(1).map_or(all, readers.query));
            device.connect(&mut server);
            device
        })
        .collect();
    settle(&mut server, &mut devices);
    let (mut total, mut bytes, mut quiet, mut written) = (Duration::ZERO, 0, 0, 0);
    while written < readers.rows || quiet < 2 {
        server.now_ms += 1;
        let until = readers.rows.min(written + readers.at_once);
        insert(&devices[0].realm, written..until, 1, readers.owner);
        written = until;
        let (mut frames, mut writable) = (Vec::new(), Vec::new());
        for device in &mut devices {
            let connection = device.connection.expect("it is connected");
            writable.push(connection);
            frames.extend(device.poll(server.now_ms).into_iter().map(|frame| (connection, frame)));
        }
        let (took, output) = timed(|| server.process(&frames, &writable));
        total += took;
        quiet = if frames.is_empty() && output.frames.is_empty() { quiet + 1 } else { 0 };
        for (connection, frames) in output.frames {
            let device = devices.iter_mut().find(|device| device.connection == Some(connection));
            let device = device.expect("only devices are connected");
            bytes += frames.iter().map(Vec::len).sum::<usize>();
            for frame in &frames {
                device.receive(frame, server.now_ms);
            }
        }
    }
    let count = |device: &Device, query: &str| {
        let snapshot = device.realm.snapshot().expect("a snapshot can be had");
        let found = snapshot.count(&Name::from("Item"), query, &[]).expect("it can be counted");
        u32::try_from(found).expect("not more than was written")
    };
    let mut delivered = 0;
    for (number, device) in (0..).zip(&devices[1..]) {
        let found = count(device, "TRUEPREDICATE");
        assert_eq!(found, count(&devices[0], &(readers.query)(number)));
        delivered += found;
    }
    let bytes = u32::try_from(bytes).map_or(f64::NAN, f64::from);
    table.row([
        readers.case.to_owned(),
        readers.rows.to_string(),
        readers.count.to_string(),
        per_second(delivered, total),
        format!("{:.1}", total.as_secs_f64() * 1e6 / f64::from(readers.rows)),
        format!("{:.1}", bytes / f64::from(delivered)),
    ]);
}

/// As many commits of as many rows in bare `SQLite`.
fn bare(group: u32, rounds: u32) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let peer = Peer::new(&folder.path().join("bare.db"));
    let round = |round: u32| peer.insert((round * group..(round + 1) * group).map(item));
    timed(|| (0..rounds).for_each(round)).0
}

fn uploads(table: &mut Table) {
    for (name, group, rounds) in [
        ("one connection", 1, SMALL_UPLOADS),
        ("ten connections, one batch", GROUP, SMALL_UPLOADS / 2),
    ] {
        let (theirs, ours) = (bare(group, rounds), small_uploads(group, rounds));
        table.row([
            name.to_owned(),
            per_second(group * rounds, ours),
            format!("{:.2}", ours.as_secs_f64() * 1e3 / f64::from(rounds)),
            per_second(group * rounds, theirs),
            format!("{:.2}", theirs.as_secs_f64() * 1e3 / f64::from(rounds)),
            format!("{:.1}", ours.as_secs_f64() / theirs.as_secs_f64()),
        ]);
    }
}

pub(crate) fn run() {
    let mut table = Table::new(
        "server, rows per second (engine and agent in process; commits synced)",
        &[
            "objects",
            "uploads of 1,000 integrated",
            "bootstrap served",
            "bootstrap applied",
            "wire bytes/obj",
        ],
    );
    bootstraps(&mut table);
    table.print();
    let mut table = Table::new(
        "uploads of one object each (time inside the engine; bare SQLite commits the same rows)",
        &["case", "uploads/s", "ms/batch", "bare SQLite rows/s", "ms/commit", "ratio"],
    );
    uploads(&mut table);
    table.print();
    let mut table = Table::new(
        "single-object changesets of one device handed to others (time inside the engine, integration included)",
        &["views", "changesets", "devices", "delivered/s", "µs/changeset", "wire bytes each"],
    );
    for readers in &FAN_OUTS {
        fan_out(&mut table, readers);
    }
    table.print();
}
