//! What the benchmarks share: the reference workload's rows, bare `SQLite` as the peer that runs beside
//! them, a server and devices in one process, and the table that results are printed in.
//!
//! Invariant: rows and frames depend on their numbers alone, so two runs measure the same work. Nothing
//! here measures; each bench says what its clock covers.

pub mod growth;
pub mod items;
pub mod peer;
pub mod report;
pub mod rig;
