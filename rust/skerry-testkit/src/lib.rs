//! What tests of several crates share: generators, in-memory peers, faulty storage.
//!
//! Unpublished, and used from tests, fuzz targets and benchmarks only, never from unit tests inside
//! a crate: those would see two copies of the crate's own types.

pub mod cases;
pub mod decoding;
pub mod generate;
pub mod merging;
pub mod peers;
mod places;
pub mod program;
pub mod state;
pub mod world;
