//! Peak resident memory of inserting, serving and applying, each in a process of its own.
//!
//! The process starts itself again for each part: `insert` alone; `serve`, whose child `apply` is the device at
//! the other end of two pipes.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use skerry_benches::items::{insert, rows, subscribe};
use skerry_benches::report::Table;
use skerry_benches::rig::{Device, Server, settle};
use skerry_model::Name;
use skerry_store::connection::Synchronous;

const PART: &str = "SKERRY_BENCH_PART";
const FOLDER: &str = "SKERRY_BENCH_FOLDER";
const ROUND_END: u32 = u32::MAX;

/// Peak of this process's resident memory, in MB.
pub(crate) fn peak_mb() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kb.map_or("unknown".to_owned(), |kb| format!("{:.0}", kb / 1e3))
}

fn send(to: &mut impl Write, frames: &[Vec<u8>]) {
    for frame in frames {
        let size = u32::try_from(frame.len()).expect("frames are small");
        to.write_all(&size.to_le_bytes())
            .and_then(|()| to.write_all(frame))
            .expect("the pipe holds");
    }
    to.write_all(&ROUND_END.to_le_bytes()).and_then(|()| to.flush()).expect("the pipe holds");
}

/// The frames of a round; `None` when the other end is gone.
fn receive(from: &mut impl Read) -> Option<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    loop {
        let mut size = [0; 4];
        from.read_exact(&mut size).ok()?;
        let size = u32::from_le_bytes(size);
        if size == ROUND_END {
            return Some(frames);
        }
        let mut frame = vec![0; usize::try_from(size).expect("a usize has 32 bits at least")];
        from.read_exact(&mut frame).ok()?;
        frames.push(frame);
    }
}

fn start(part: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("it is running"));
    command.env(PART, part).env(FOLDER, folder);
    command
}

/// Runs a part and returns what it printed.
fn run_part(part: &str, folder: &Path) -> String {
    let output = start(part, folder).stderr(Stdio::inherit()).output().expect("it can be started");
    assert!(output.status.success(), "{part} failed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn insert_part(folder: &Path) -> String {
    let device = Device::new(folder, "insert", "u", Synchronous::Full);
    subscribe(&device.realm, "TRUEPREDICATE");
    insert(&device.realm, 0..rows(), 1_000, Some("u"));
    peak_mb()
}

/// Fills a store, for `serve`.
fn fill_part(folder: &Path) -> String {
    let mut server = Server::open(folder, false);
    let mut devices = [Device::new(folder, "writer", "u", Synchronous::Normal)];
    subscribe(&devices[0].realm, "TRUEPREDICATE");
    insert(&devices[0].realm, 0..rows(), 1_000, Some("u"));
    devices[0].connect(&mut server);
    settle(&mut server, &mut devices);
    peak_mb()
}

/// Serves the child until it has everything; prints the server's peak and the child's.
fn serve_part(folder: &Path) -> String {
    let mut server = Server::open(folder, false);
    let connection = server.connect("u");
    let mut child = start("apply", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it can be started");
    let (mut to, mut from) =
        (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut last = Vec::new();
    while let Some(frames) = receive(&mut from) {
        if let [line] = frames.as_slice()
            && let Some(text) = line.strip_prefix(b"peak ")
        {
            last = text.to_vec();
            break;
        }
        server.now_ms += 1_000;
        let frames: Vec<_> = frames.into_iter().map(|frame| (connection, frame)).collect();
        let output = server.process(&frames, &[connection]);
        let frames: Vec<Vec<u8>> =
            output.frames.into_iter().flat_map(|(_, frames)| frames).collect();
        send(&mut to, &frames);
    }
    assert!(child.wait().expect("it can be waited for").success(), "apply failed");
    format!("{} {}", peak_mb(), String::from_utf8_lossy(&last))
}

fn apply_part(folder: &Path) {
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut device = Device::new(folder, "reader", "u", Synchronous::Full);
    subscribe(&device.realm, "TRUEPREDICATE");
    let mut now_ms = 1_700_000_000_000;
    device.agent.connected(now_ms);
    let (mut quiet, mut seen) = (0, 0);
    while quiet < 4 {
        now_ms += 1_000;
        let frames = device.poll(now_ms);
        send(&mut to, &frames);
        let received = receive(&mut from).expect("the server is there");
        let events = device.events.len();
        quiet =
            if frames.is_empty() && received.is_empty() && events == seen { quiet + 1 } else { 0 };
        seen = events;
        for frame in &received {
            device.receive(frame, now_ms);
        }
    }
    let snapshot = device.realm.snapshot().expect("a snapshot can be had");
    let found =
        snapshot.count(&Name::from("Item"), "TRUEPREDICATE", &[]).expect("it can be counted");
    assert_eq!(found, u64::from(rows()), "the device has everything");
    send(&mut to, &[format!("peak {}", peak_mb()).into_bytes()]);
}

/// Does the part that this process was started for, if it was.
#[allow(clippy::print_stdout, reason = "how a part tells its result")]
pub(crate) fn is_part() -> bool {
    let (Ok(part), Some(folder)) = (std::env::var(PART), std::env::var_os(FOLDER)) else {
        return false;
    };
    let folder = Path::new(&folder);
    match part.as_str() {
        "insert" => println!("{}", insert_part(folder)),
        "fill" => println!("{}", fill_part(folder)),
        "serve" => println!("{}", serve_part(folder)),
        "apply" => apply_part(folder),
        other => panic!("unknown part {other}"),
    }
    true
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let title = format!("peak resident memory, {} objects, MB", rows());
    let mut table = Table::new(&title, &["process", "peak MB"]);
    table.row(["insert, transactions of 1,000".to_owned(), run_part("insert", folder.path())]);
    run_part("fill", folder.path());
    let served = run_part("serve", folder.path());
    let (server, device) = served.split_once(' ').expect("two numbers");
    table.row(["server of a bootstrap".to_owned(), server.to_owned()]);
    table.row(["device of a bootstrap".to_owned(), device.to_owned()]);
    table.print();
}
