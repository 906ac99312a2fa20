//! An open file of the operating system's layer, whose object lies behind ours.

use std::ffi::{c_int, c_void};

use rusqlite::ffi;

use crate::raw::{Code, Extent, RawFile};

/// Calls a method of the file, if it has it.
macro_rules! call {
    ($file:expr, $method:ident($($argument:expr),*)) => {
        match $file.methods().$method {
            // SAFETY: the file is open, see `SystemFile::new`.
            Some(method) => unsafe { method($file.0, $($argument),*) },
            None => ffi::SQLITE_IOERR,
        }
    };
}
pub(super) use call;

/// The file as the layer below has it.
pub(super) struct SystemFile(pub(super) *mut ffi::sqlite3_file);

impl SystemFile {
    /// # Safety
    ///
    /// The pointer is that of an open file of the layer below, which stays open for as long as this lives.
    pub(super) unsafe fn new(file: *mut ffi::sqlite3_file) -> Self {
        Self(file)
    }

    pub(super) fn methods(&self) -> &ffi::sqlite3_io_methods {
        // SAFETY: an open file has methods.
        unsafe { &*(*self.0).pMethods }
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> Result<u64, Code> {
        let mut size = 0;
        match call!(self, xFileSize(&raw mut size)) {
            ffi::SQLITE_OK => u64::try_from(size).map_err(|_| Code(ffi::SQLITE_IOERR_FSTAT)),
            code => Err(Code(code)),
        }
    }

    pub(super) fn sync(&self) -> Result<(), Code> {
        checked(call!(self, xSync(ffi::SQLITE_SYNC_FULL)))
    }

    pub(super) fn lock(&self, level: c_int) -> Result<(), Code> {
        checked(call!(self, xLock(level)))
    }

    pub(super) fn unlock(&self) -> Result<(), Code> {
        checked(call!(self, xUnlock(ffi::SQLITE_LOCK_NONE)))
    }

    pub(super) fn close(&self) -> c_int {
        call!(self, xClose())
    }
}

pub(super) fn checked(code: c_int) -> Result<(), Code> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(Code(code)) }
}

fn position(length: usize, offset: u64) -> Option<(c_int, i64)> {
    Some((c_int::try_from(length).ok()?, i64::try_from(offset).ok()?))
}

impl RawFile for SystemFile {
    fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<Extent, Code> {
        let (length, offset) =
            position(buffer.len(), offset).ok_or(Code(ffi::SQLITE_IOERR_READ))?;
        let pointer: *mut c_void = buffer.as_mut_ptr().cast();
        match call!(self, xRead(pointer, length, offset)) {
            ffi::SQLITE_OK => Ok(Extent::Whole),
            ffi::SQLITE_IOERR_SHORT_READ => Ok(Extent::Short),
            code => Err(Code(code)),
        }
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), Code> {
        let (length, offset) =
            position(bytes.len(), offset).ok_or(Code(ffi::SQLITE_IOERR_WRITE))?;
        let pointer: *const c_void = bytes.as_ptr().cast();
        checked(call!(self, xWrite(pointer, length, offset)))
    }
}
