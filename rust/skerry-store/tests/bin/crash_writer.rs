//! Commits transactions to a realm file and prints the number of each once it is committed, until
//! it is killed. With a number as second argument it adds one to the counter so many times instead.

#[path = "../ledger/mod.rs"]
#[allow(dead_code, reason = "the checker's part")]
mod ledger;

use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: crash-writer REALM-FILE [TIMES]")?;
    let realm = ledger::open(&PathBuf::from(path))?;
    if let Some(times) = std::env::args().nth(2) {
        return Ok(ledger::add_up(&realm, times.parse()?)?);
    }
    let mut output = std::io::stdout();
    for n in ledger::newest(&realm)? + 1.. {
        ledger::commit(&realm, n)?;
        writeln!(output, "{n}")?;
        output.flush()?;
    }
    Ok(())
}
