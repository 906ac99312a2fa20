//! Open files: the database and its log, and nothing else.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::ffi;

use super::system::{SystemFile, call};
use super::{PARAMETER_C, bytes_of, code_of, installed, journal, read_code, system};
use crate::admission::{Admitted, SealFault};
use crate::database::Database;
use crate::header::{HEADER_BYTES, Header};
use crate::log::Log;
use crate::page::{PAGE_LENGTH, PageCipher};
use crate::raw::{Code, RawFile as _};

/// How long to wait for somebody who is just making the file.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// What a device may promise that holds of sealed pages as well.
const KEPT_PROMISES: c_int = ffi::SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN
    | ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
    | ffi::SQLITE_IOCAP_IMMUTABLE;

/// An open file as `SQLite` sees it. The object of the layer below follows it in memory.
#[repr(C)]
struct VaultFile {
    base: ffi::sqlite3_file,
    state: *mut State,
}

enum State {
    Database(Database),
    Log(Log),
}

/// Bytes of a file's object before that of the layer below: two pointers.
pub(super) const BYTES_BEFORE_SYSTEM: c_int = 2 * (usize::BITS / 8).cast_signed();
const _: () = assert!(size_of::<VaultFile>() == BYTES_BEFORE_SYSTEM.cast_unsigned() as usize);

/// The file below an open file.
///
/// # Safety
///
/// `file` has the size that [`BYTES_BEFORE_SYSTEM`] and the layer below ask for.
unsafe fn below(file: *mut ffi::sqlite3_file) -> SystemFile {
    // SAFETY: it lies behind ours, as large as the layer below wants it and aligned as pointers are.
    unsafe { SystemFile::new(file.cast::<VaultFile>().add(1).cast()) }
}

/// Both parts of an open file.
///
/// # Safety
///
/// `file` was opened by [`open`], and no other call on it is under way.
unsafe fn parts<'a>(file: *mut ffi::sqlite3_file) -> (&'a mut State, SystemFile) {
    // SAFETY: `open` has put a state there, which `close` takes away.
    unsafe { (&mut *(*file.cast::<VaultFile>()).state, below(file)) }
}

/// `xOpen`.
pub(super) unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for the object. Without methods it is not closed.
    unsafe { (*file).pMethods = std::ptr::null() };
    if flags & ffi::SQLITE_OPEN_MAIN_JOURNAL != 0 {
        // SAFETY: as above.
        return unsafe { journal::open(file, flags, flags_out) };
    }
    let wanted = flags & (ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL);
    let Some((layer, open_below)) =
        system().and_then(|(pointer, layer)| Some((pointer, layer.xOpen?)))
    else {
        return ffi::SQLITE_CANTOPEN;
    };
    if wanted == 0 || name.is_null() {
        // A statement's journal or a temporary file, which would hold plain pages.
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: as of this function.
    let file_below = unsafe { below(file) };
    let mut opened_as = 0;
    // SAFETY: the name is SQLite's, with what follows it; the object has the size that the layer asks for.
    let code = unsafe {
        (*file_below.0).pMethods = std::ptr::null();
        open_below(layer, name, file_below.0, flags, &raw mut opened_as)
    };
    if code != ffi::SQLITE_OK {
        // SAFETY: as above.
        let is_open = unsafe { !(*file_below.0).pMethods.is_null() };
        if is_open {
            file_below.close();
        }
        return code;
    }
    // SAFETY: the name is SQLite's own.
    match unsafe { state_of(name, wanted, opened_as, &file_below) } {
        Ok(state) => {
            // SAFETY: as above.
            unsafe {
                (*file.cast::<VaultFile>()).state = Box::into_raw(Box::new(state));
                (*file).pMethods = if file_below.methods().iVersion < 2 {
                    &raw const METHODS_WITHOUT_SHARING
                } else {
                    &raw const METHODS
                };
                if !flags_out.is_null() {
                    *flags_out = opened_as;
                }
            }
            ffi::SQLITE_OK
        }
        Err(code) => {
            file_below.close();
            code.0
        }
    }
}

/// # Safety
///
/// `name` is one that `SQLite` gives to `xOpen`.
unsafe fn state_of(
    name: ffi::sqlite3_filename,
    wanted: c_int,
    opened_as: c_int,
    file: &SystemFile,
) -> Result<State, Code> {
    let cannot_open = Code(ffi::SQLITE_CANTOPEN);
    if wanted & ffi::SQLITE_OPEN_WAL != 0 {
        // SAFETY: the name of a log leads to the open file of its database, which is one of ours.
        let database = unsafe { ffi::sqlite3_database_file_object(name) };
        if database.is_null() {
            return Err(cannot_open);
        }
        // SAFETY: as above; SQLite is not in another call on it.
        return match unsafe { parts(database) }.0 {
            State::Database(database) => Ok(State::Log(Log::new(database.cipher())?)),
            State::Log(_) => Err(cannot_open),
        };
    }
    // SAFETY: the name is SQLite's.
    let number = unsafe { ffi::sqlite3_uri_int64(name, PARAMETER_C.as_ptr(), -1) };
    let admitted = u32::try_from(number)
        .ok()
        .and_then(|number| installed()?.admissions.get(number))
        .ok_or(cannot_open)?;
    let cipher = if opened_as & ffi::SQLITE_OPEN_READONLY == 0 {
        unlock_or_make(file, &admitted)?
    } else {
        unlock(file, &admitted)?
    };
    Ok(State::Database(Database::new(Arc::new(cipher))?))
}

/// The page before the database, and whether the file can be said to be empty.
fn read_header(file: &SystemFile) -> Result<([u8; HEADER_BYTES], bool), Code> {
    let mut page = [0; HEADER_BYTES];
    // SAFETY: the file outlives this.
    unsafe { SystemFile::new(file.0) }.read(&mut page, 0)?;
    // A page of zeros is what a power failure leaves of a file that was just being made.
    let is_blank = file.size()? <= HEADER_BYTES as u64 && page.iter().all(|byte| *byte == 0);
    Ok((page, is_blank))
}

/// The cipher of a file that is there.
fn unlock(file: &SystemFile, admitted: &Admitted) -> Result<PageCipher, Code> {
    let (page, _) = read_header(file)?;
    let fault = match (Header::parse(&page), &admitted.key) {
        (Ok(header), Some(key)) => match header.unlock(key) {
            Some(cipher) => return Ok(cipher),
            None => SealFault::WrongKey,
        },
        (Ok(_), None) => SealFault::WrongKey,
        (Err(fault), _) => fault.into(),
    };
    admitted.refuse(fault);
    Err(Code(ffi::SQLITE_NOTADB))
}

/// The cipher of a file that is made if it is empty.
fn unlock_or_make(file: &SystemFile, admitted: &Admitted) -> Result<PageCipher, Code> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, is_blank) = read_header(file)?;
        let Some(key) = admitted.key.as_ref().filter(|_| is_blank) else {
            return unlock(file, admitted);
        };
        let made = make(file, key);
        file.unlock()?;
        match made {
            Err(Code(ffi::SQLITE_BUSY)) if Instant::now() < deadline => {
                std::thread::sleep(RETRY_DELAY);
            }
            Err(code) => return Err(code),
            Ok(Some(cipher)) => return Ok(cipher),
            Ok(None) => {}
        }
    }
}

/// Seals an empty file, unless somebody else has done so; the caller gives the lock back.
fn make(file: &SystemFile, key: &crate::EncryptionKey) -> Result<Option<PageCipher>, Code> {
    file.lock(ffi::SQLITE_LOCK_SHARED)?;
    // One of several comes this far, and waits for those who only look.
    file.lock(ffi::SQLITE_LOCK_RESERVED)?;
    file.lock(ffi::SQLITE_LOCK_EXCLUSIVE)?;
    if !read_header(file)?.1 {
        return Ok(None);
    }
    let (page, cipher) = Header::make(key).map_err(crate::database::no_randomness)?;
    // SAFETY: the file outlives this.
    unsafe { SystemFile::new(file.0) }.write(&page, 0)?;
    file.sync()?;
    Ok(Some(cipher))
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` has made it, and SQLite closes it once.
    unsafe {
        let code = below(file).close();
        drop(Box::from_raw((*file.cast::<VaultFile>()).state));
        (*file).pMethods = std::ptr::null();
        code
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it on an open file, with room for the bytes.
    let (state, mut system, buffer) = unsafe {
        let (state, system) = parts(file);
        (state, system, bytes_of(buffer, length))
    };
    let (Some(buffer), Ok(offset)) = (buffer, u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    read_code(match state {
        State::Database(database) => database.read(&mut system, buffer, offset),
        State::Log(log) => log.read(&mut system, buffer, offset),
    })
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it on an open file, with the bytes, which are only read here.
    let (state, mut system, bytes) = unsafe {
        let (state, system) = parts(file);
        (state, system, bytes_of(bytes.cast_mut(), length))
    };
    let (Some(bytes), Ok(offset)) = (bytes, u64::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    code_of(match state {
        State::Database(database) => database.write(&mut system, bytes, offset),
        State::Log(log) => log.write(&mut system, bytes, offset),
    })
}

/// Bytes before what `SQLite` takes for the start of the file.
fn shift(state: &State) -> i64 {
    match state {
        State::Database(_) => i64::from(PAGE_LENGTH),
        State::Log(_) => 0,
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite calls it on an open file.
    let (state, system) = unsafe { parts(file) };
    match size.checked_add(shift(state)) {
        Some(size) => call!(system, xTruncate(size)),
        None => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn size(
    file: *mut ffi::sqlite3_file,
    size_out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it on an open file, with room for the answer.
    let (state, system) = unsafe { parts(file) };
    let code = call!(system, xFileSize(size_out));
    if code == ffi::SQLITE_OK {
        // SAFETY: as above.
        unsafe { *size_out = (*size_out - shift(state)).max(0) };
    }
    code
}

unsafe extern "C" fn control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls it on an open file.
    let (_, system) = unsafe { parts(file) };
    match operation {
        // Hints of sizes, which would have to be moved, and what goes around `read` and `write`.
        ffi::SQLITE_FCNTL_SIZE_HINT
        | ffi::SQLITE_FCNTL_CHUNK_SIZE
        | ffi::SQLITE_FCNTL_OVERWRITE
        | ffi::SQLITE_FCNTL_MMAP_SIZE
        | ffi::SQLITE_FCNTL_BEGIN_ATOMIC_WRITE
        | ffi::SQLITE_FCNTL_COMMIT_ATOMIC_WRITE
        | ffi::SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE => ffi::SQLITE_NOTFOUND,
        _ => call!(system, xFileControl(operation, argument)),
    }
}

unsafe extern "C" fn device(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite calls it on an open file.
    let (_, system) = unsafe { parts(file) };
    call!(system, xDeviceCharacteristics()) & KEPT_PROMISES
}

/// Methods that are those of the file below.
macro_rules! below_methods {
    ($($name:ident = $method:ident($($argument:ident: $ty:ty),*);)*) => { $(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $ty)*) -> c_int {
            // SAFETY: SQLite calls it on an open file, and the arguments go on as they came.
            let system = unsafe { below(file) };
            call!(system, $method($($argument),*))
        }
    )* };
}

below_methods! {
    sync = xSync(flags: c_int);
    lock = xLock(level: c_int);
    unlock_to = xUnlock(level: c_int);
    is_reserved = xCheckReservedLock(answer: *mut c_int);
    sector_size = xSectorSize();
    shm_map = xShmMap(region: c_int, size: c_int, extend: c_int, out: *mut *mut c_void);
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap = xShmUnmap(is_deleted: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: SQLite calls it on an open file.
    unsafe {
        let system = below(file);
        if let Some(method) = system.methods().xShmBarrier {
            method(system.0);
        }
    }
}

/// Version 2: with shared memory, without mapping pages into memory.
static METHODS: ffi::sqlite3_io_methods = methods(2);
static METHODS_WITHOUT_SHARING: ffi::sqlite3_io_methods = methods(1);

const fn methods(version: c_int) -> ffi::sqlite3_io_methods {
    ffi::sqlite3_io_methods {
        iVersion: version,
        xClose: Some(close),
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        xFileSize: Some(size),
        xLock: Some(lock),
        xUnlock: Some(unlock_to),
        xCheckReservedLock: Some(is_reserved),
        xFileControl: Some(control),
        xSectorSize: Some(sector_size),
        xDeviceCharacteristics: Some(device),
        xShmMap: Some(shm_map),
        xShmLock: Some(shm_lock),
        xShmBarrier: Some(shm_barrier),
        xShmUnmap: Some(shm_unmap),
        xFetch: None,
        xUnfetch: None,
    }
}
