//! What merging costs apart from time: instructions counted by callgrind, and peak resident memory, each in a
//! process of its own. Instructions do not depend on what else the machine does, so their growth is the growth of
//! the algorithm.
//!
//! The process starts itself again for each size, once alone and once under `valgrind`. Only the merge is counted;
//! the memory includes what is merged.

use std::process::{Command, Stdio};

use skerry_benches::report::{Table, grouped};

use crate::{lists, merge};

const COST: &str = "SKERRY_BENCH_COST";
const SIZES: [u32; 4] = [1_000, 2_000, 4_000, 8_000];

/// A workload: its name, and what makes it ready to be run.
type Workload = (&'static str, fn(u32) -> Box<dyn FnOnce() -> usize>);

const WORKLOADS: [Workload; 3] = [
    ("two peers, server, one at a time", merge::prepared_server),
    ("two peers, device, one call", merge::prepared_device),
    ("one list, both append", lists::prepared_appends),
];

/// The one function whose instructions are counted.
#[inline(never)]
fn counted_work(work: Box<dyn FnOnce() -> usize>) -> usize {
    work()
}

/// Runs the workload that this process was started for, if it was.
#[allow(clippy::print_stdout, reason = "how a part tells its result")]
pub(crate) fn is_part() -> bool {
    let Ok(part) = std::env::var(COST) else { return false };
    let (at, size) = part.split_once(' ').expect("a number and a size");
    let (at, size): (usize, u32) = (at.parse().expect("a number"), size.parse().expect("a size"));
    let work = WORKLOADS[at].1(size);
    std::hint::black_box(counted_work(work));
    println!("{}", crate::memory::peak_mb());
    true
}

fn part(at: usize, size: u32, mut command: Command) -> Command {
    command.env(COST, format!("{at} {size}")).stdin(Stdio::null());
    command
}

fn this_program() -> std::path::PathBuf {
    std::env::current_exe().expect("it is running")
}

fn peak_mb(at: usize, size: u32) -> String {
    let output = part(at, size, Command::new(this_program())).output().expect("it can be started");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Instructions of the merge; `None` without valgrind.
fn instructions(at: usize, size: u32) -> Option<f64> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted_work*"])
        .arg(this_program());
    let output = part(at, size, command).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}

pub(crate) fn run() {
    let title = "merging: instructions (callgrind) and peak resident memory";
    let columns = ["workload", "N each", "instructions", "per edit of both", "N^", "peak MB"];
    let mut table = Table::new(title, &columns);
    for (at, (name, _)) in WORKLOADS.iter().enumerate() {
        let mut before: Option<f64> = None;
        for size in SIZES {
            let counted = instructions(at, size);
            let growth = before.zip(counted).map(|(before, now)| (now / before).log2());
            let missing = || "no valgrind".to_owned();
            table.row([
                (*name).to_owned(),
                size.to_string(),
                counted.map_or_else(missing, grouped),
                counted.map_or_else(String::new, |count| grouped(count / f64::from(2 * size))),
                growth.map_or_else(String::new, |exponent| format!("{exponent:.2}")),
                peak_mb(at, size),
            ]);
            before = counted;
        }
    }
    table.print();
}
