//! What the tests of the protocol share.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

pub(crate) mod generate;
pub(crate) mod sample;
pub(crate) mod server;
