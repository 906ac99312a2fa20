//! What the layouts need of the file below them.

use std::ffi::c_int;

use rusqlite::ffi;

/// An error code of `SQLite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) c_int);

/// How much of what was asked for is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// Not all; what is missing was filled with zeros.
    Short,
}

/// The file as the operating system has it.
pub(crate) trait RawFile {
    /// Fills the buffer from the offset.
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<Extent, Code>;
    /// Writes all of the bytes at the offset.
    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), Code>;
}

/// A file in memory.
impl RawFile for Vec<u8> {
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<Extent, Code> {
        let start = usize::try_from(offset).map_or(self.len(), |offset| offset.min(self.len()));
        let there = (self.len() - start).min(buffer.len());
        let (found, missing) = buffer.split_at_mut(there);
        found.copy_from_slice(&self[start..start + there]);
        missing.fill(0);
        Ok(if missing.is_empty() { Extent::Whole } else { Extent::Short })
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), Code> {
        let too_much = Code(ffi::SQLITE_NOMEM);
        let start = usize::try_from(offset).map_err(|_| too_much)?;
        let end = start.checked_add(bytes.len()).ok_or(too_much)?;
        if let Some(more) = end.checked_sub(self.len()) {
            self.try_reserve(more).map_err(|_| too_much)?;
            self.resize(end, 0);
        }
        self[start..end].copy_from_slice(bytes);
        Ok(())
    }
}
