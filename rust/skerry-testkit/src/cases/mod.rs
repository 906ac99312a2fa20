//! Merge conformance programs: their schema, their steps and, where they are recorded, the states that
//! the real engine ended in. The format is described beside the vectors
//! (`tests/vectors/merge/README.md`); a program of our own that fails is written in it too.
#![allow(clippy::unwrap_used, reason = "a file that is no such program ends the test")]

mod json;
mod read;
mod write;

use std::path::Path;

use serde_json::Value as Json;
use skerry_model::Instruction;

use crate::peers::Step;
use crate::state::Visible;

pub use write::program_to_json;

/// A program.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Instructions that make the classes.
    pub schema: Vec<Instruction>,
    /// Number of clients.
    pub clients: usize,
    /// The steps.
    pub steps: Vec<Step>,
    /// The final states: of the server, and of each client. Empty where none are recorded.
    pub states: Vec<Visible>,
}

/// Reads all programs of a file.
///
/// # Panics
///
/// When the file cannot be read or holds something else.
pub fn read(file: &Path) -> Vec<Case> {
    let text =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().filter(|line| !line.is_empty()).map(parse).collect()
}

/// Reads one program.
///
/// # Panics
///
/// When the text is no program.
pub fn parse(line: &str) -> Case {
    let json: Json = serde_json::from_str(line).unwrap();
    read::case(&json)
}
