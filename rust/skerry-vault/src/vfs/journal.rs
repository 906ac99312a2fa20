//! Rollback journals, which hold plain pages: in memory, and gone when they are closed.
//!
//! They are asked for when a file is made, before it is in WAL mode, and by copies that nobody uses before
//! they are whole.

use std::ffi::{c_int, c_void};

use rusqlite::ffi;

use super::{bytes_of, code_of, read_code};
use crate::raw::RawFile as _;

/// An open journal as `SQLite` sees it.
#[repr(C)]
struct Journal {
    base: ffi::sqlite3_file,
    bytes: *mut Vec<u8>,
}

/// `xOpen` of a journal.
///
/// # Safety
///
/// `file` has room for a file of this layer.
pub(super) unsafe fn open(
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let journal = Journal {
        base: ffi::sqlite3_file { pMethods: &raw const METHODS },
        bytes: Box::into_raw(Box::default()),
    };
    // SAFETY: there is room, as every file of this layer begins with two pointers.
    unsafe {
        file.cast::<Journal>().write(journal);
        if !flags_out.is_null() {
            *flags_out = flags;
        }
    }
    ffi::SQLITE_OK
}

/// # Safety
///
/// `file` was opened by [`open`], and no other call on it is under way.
unsafe fn bytes<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Vec<u8> {
    // SAFETY: `open` has put them there, and `close` takes them away.
    unsafe { &mut *(*file.cast::<Journal>()).bytes }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes what it has opened, once.
    unsafe {
        drop(Box::from_raw((*file.cast::<Journal>()).bytes));
        (*file).pMethods = std::ptr::null();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it on an open file, with room for the bytes.
    let (journal, buffer) = unsafe { (bytes(file), bytes_of(buffer, length)) };
    let (Some(buffer), Ok(offset)) = (buffer, u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    read_code(journal.read(buffer, offset))
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    source: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it on an open file, with the bytes, which are only read here.
    let (journal, source) = unsafe { (bytes(file), bytes_of(source.cast_mut(), length)) };
    let (Some(source), Ok(offset)) = (source, u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    code_of(journal.write(source, offset))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls it on an open file.
    let journal = unsafe { bytes(file) };
    if let Ok(size) = usize::try_from(size) {
        journal.truncate(size);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn size(
    file: *mut ffi::sqlite3_file,
    size_out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it on an open file, with room for the answer.
    unsafe { *size_out = i64::try_from(bytes(file).len()).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn done(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn is_reserved(_: *mut ffi::sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite gives room for the answer.
    unsafe { *answer = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn device(_: *mut ffi::sqlite3_file) -> c_int {
    0
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(done),
    xFileSize: Some(size),
    xLock: Some(done),
    xUnlock: Some(done),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};
