//! The benchmarks in Rust. `SKERRY_BENCH` chooses one of them by its name; `SKERRY_BENCH_ROWS` sets the number
//! of rows of the larger workloads (100,000 if it is not set).

mod codec;
mod costs;
mod encryption;
mod history;
mod insert;
mod lists;
mod memory;
mod merge;
mod million;
mod observe;
mod query;
mod server;
mod views;

const ALL: [(&str, fn()); 13] = [
    ("codec", codec::run),
    ("merge", merge::run),
    ("lists", lists::run),
    ("history", history::run),
    ("costs", costs::run),
    ("insert", insert::run),
    ("encryption", encryption::run),
    ("query", query::run),
    ("million", million::run),
    ("observe", observe::run),
    ("views", views::run),
    ("server", server::run),
    ("memory", memory::run),
];

fn main() {
    if memory::is_part() || costs::is_part() {
        return;
    }
    let only = std::env::var("SKERRY_BENCH").ok();
    let chosen = ALL.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    for (_, run) in chosen {
        run();
    }
}
