//! The file layer itself, over that of the operating system.
//!
//! Safety, for all of it: `SQLite` calls these functions with the objects that it was given by them, one
//! call at a time for each file, and between `xOpen` and `xClose` ([its
//! rules](https://sqlite.org/c3ref/vfs.html)). None of them panics: an unwinding panic would end the process.

#![allow(unsafe_code, reason = "SQLite's interface to files is one of C")]

mod file;
mod journal;
mod system;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::{Connection, ffi};

use crate::admission::Admissions;
use crate::page::RESERVED_LENGTH;
use crate::raw::{Code, Extent};

/// What the layer is called in names.
pub(crate) const NAME: &str = "skerry-vault";
const NAME_C: &CStr = c"skerry-vault";
/// The part of a name that is the number of an admission.
pub(crate) const PARAMETER: &str = "skerry-admission";
const PARAMETER_C: &CStr = c"skerry-admission";

/// The version of the interface that is implemented: up to the clock in 64 bits.
const INTERFACE_VERSION: c_int = 2;

/// What there is one of in a process, as `SQLite` knows its layers process-wide.
#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) admissions: Admissions,
    pub(crate) system_name: &'static str,
    system: AtomicPtr<ffi::sqlite3_vfs>,
}

static VAULT: OnceLock<Result<Vault, c_int>> = OnceLock::new();

/// The layer, registered with `SQLite`.
pub(crate) fn vault() -> rusqlite::Result<&'static Vault> {
    let vault = VAULT.get_or_init(install).as_ref();
    vault.map_err(|code| rusqlite::Error::SqliteFailure(ffi::Error::new(*code), None))
}

/// The layer, in a function that only the layer itself calls.
fn installed() -> Option<&'static Vault> {
    VAULT.get().and_then(|vault| vault.as_ref().ok())
}

fn install() -> Result<Vault, c_int> {
    // SAFETY: SQLite initialises itself; null asks for the default layer, which lives as long as the
    // process.
    let (system, found) = unsafe {
        let code = ffi::sqlite3_initialize();
        if code != ffi::SQLITE_OK {
            return Err(code);
        }
        let system = ffi::sqlite3_vfs_find(std::ptr::null());
        (system, system.as_ref().ok_or(ffi::SQLITE_ERROR)?)
    };
    if found.iVersion < INTERFACE_VERSION || found.zName.is_null() {
        return Err(ffi::SQLITE_ERROR);
    }
    // SAFETY: the name of a registered layer is a C string that lives as long as the layer.
    let system_name =
        unsafe { CStr::from_ptr(found.zName) }.to_str().map_err(|_| ffi::SQLITE_ERROR)?;
    let layer = ffi::sqlite3_vfs {
        iVersion: INTERFACE_VERSION,
        szOsFile: file::BYTES_BEFORE_SYSTEM + found.szOsFile,
        mxPathname: found.mxPathname,
        pNext: std::ptr::null_mut(),
        zName: NAME_C.as_ptr(),
        pAppData: std::ptr::null_mut(),
        xOpen: Some(file::open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    };
    // SAFETY: the object is never freed.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(layer)), 0) };
    if code != ffi::SQLITE_OK {
        return Err(code);
    }
    Ok(Vault { admissions: Admissions::default(), system_name, system: AtomicPtr::new(system) })
}

/// Makes a new file leave room for nonce and tag in each page; an old one does already.
pub(crate) fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    let mut bytes = c_int::from(RESERVED_LENGTH);
    // SAFETY: the connection is open, and the operation takes the address of an int.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            std::ptr::from_mut(&mut bytes).cast(),
        )
    };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

/// The default layer.
fn system() -> Option<(*mut ffi::sqlite3_vfs, &'static ffi::sqlite3_vfs)> {
    let pointer = installed()?.system.load(Ordering::Relaxed);
    // SAFETY: the default layer lives as long as the process.
    unsafe { pointer.as_ref() }.map(|layer| (pointer, layer))
}

/// Calls a function of the default layer; the last argument is the answer when there is none.
macro_rules! forward {
    ($function:ident($($argument:expr),*), $otherwise:expr) => {
        match system().and_then(|(pointer, layer)| Some((pointer, layer.$function?))) {
            // SAFETY: the arguments are SQLite's own, and go on as they came.
            Some((pointer, function)) => unsafe { function(pointer, $($argument),*) },
            None => $otherwise,
        }
    };
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    is_synced: c_int,
) -> c_int {
    match forward!(xDelete(name, is_synced), ffi::SQLITE_IOERR_DELETE) {
        // A journal that was in memory.
        ffi::SQLITE_IOERR_DELETE_NOENT => ffi::SQLITE_OK,
        code => code,
    }
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    forward!(xAccess(name, flags, answer), ffi::SQLITE_IOERR_ACCESS)
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    forward!(xFullPathname(name, length, out), ffi::SQLITE_CANTOPEN)
}

unsafe extern "C" fn randomness(
    _: *mut ffi::sqlite3_vfs,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    forward!(xRandomness(length, out), 0)
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    forward!(xSleep(microseconds), 0)
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    forward!(xCurrentTime(out), ffi::SQLITE_ERROR)
}

unsafe extern "C" fn current_time_ms(
    _: *mut ffi::sqlite3_vfs,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    forward!(xCurrentTimeInt64(out), ffi::SQLITE_ERROR)
}

unsafe extern "C" fn last_error(
    _: *mut ffi::sqlite3_vfs,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    forward!(xGetLastError(length, out), 0)
}

/// An answer as a code.
fn code_of(answer: Result<(), Code>) -> c_int {
    answer.map_or_else(|code| code.0, |()| ffi::SQLITE_OK)
}

/// What `xRead` answers.
fn read_code(answer: Result<Extent, Code>) -> c_int {
    match answer {
        Ok(Extent::Whole) => ffi::SQLITE_OK,
        Ok(Extent::Short) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(code) => code.0,
    }
}

/// Bytes that `SQLite` wants filled, or has; `None` for a length that no call has.
unsafe fn bytes_of<'a>(pointer: *mut c_void, length: c_int) -> Option<&'a mut [u8]> {
    let length = usize::try_from(length).ok()?;
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller has it from SQLite, which owns this many bytes there for the time of the call.
    Some(unsafe { std::slice::from_raw_parts_mut(pointer.cast(), length) })
}
