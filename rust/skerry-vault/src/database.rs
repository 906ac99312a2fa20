//! The database itself: its pages, sealed, behind the header.
//!
//! Invariant: a page that is written has its reserved bytes where this crate puts nonce and tag.

use std::sync::Arc;

use rusqlite::ffi;

use crate::header::HEADER_BYTES;
use crate::page::{
    Nonces, PAGE_BYTES, PAGE_LENGTH, Page, PageCipher, Place, RESERVED_LENGTH, within,
};
use crate::raw::{Code, Extent, RawFile};

/// What `SQLite` reads of a file before it knows how long its pages are.
const SQLITE_HEADER_BYTES: usize = 100;
/// Where in page 1 the length of a page is (2 bytes), and how many of them are reserved.
const PAGE_LENGTH_AT: usize = 16;
const RESERVED_AT: usize = 20;

/// The state of an open database.
pub(crate) struct Database {
    cipher: Arc<PageCipher>,
    nonces: Nonces,
}

impl Database {
    pub(crate) fn new(cipher: Arc<PageCipher>) -> Result<Self, Code> {
        Ok(Self { cipher, nonces: Nonces::new().map_err(no_randomness)? })
    }

    pub(crate) fn cipher(&self) -> Arc<PageCipher> {
        Arc::clone(&self.cipher)
    }

    /// As `xRead`.
    pub(crate) fn read(
        &self,
        raw: &mut impl RawFile,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<Extent, Code> {
        let number = page_number(offset)?;
        let start = within(offset, PAGE_BYTES);
        if let (0, Ok(page)) = (start, <&mut Page>::try_from(&mut *buffer)) {
            return self.read_page(raw, page, number);
        }
        if start + buffer.len() > PAGE_BYTES {
            return Err(Code(ffi::SQLITE_IOERR_READ));
        }
        let mut page = [0; PAGE_BYTES];
        let read = self.read_page(raw, &mut page, number);
        match read {
            Ok(extent) => {
                buffer.copy_from_slice(&page[start..start + buffer.len()]);
                Ok(extent)
            }
            // A checkpoint that a power failure has cut off may have left half of page 1, whose newest
            // version is in the log. What is asked for here is read again from there before it counts.
            Err(Code(ffi::SQLITE_IOERR_DATA))
                if offset == 0 && buffer.len() == SQLITE_HEADER_BYTES =>
            {
                buffer.fill(0);
                buffer[PAGE_LENGTH_AT..PAGE_LENGTH_AT + 2]
                    .copy_from_slice(&PAGE_LENGTH.to_be_bytes());
                buffer[RESERVED_AT] = RESERVED_LENGTH;
                Ok(Extent::Whole)
            }
            Err(code) => Err(code),
        }
    }

    fn read_page(
        &self,
        raw: &mut impl RawFile,
        page: &mut Page,
        number: u32,
    ) -> Result<Extent, Code> {
        if raw.read(page, file_offset(number))? == Extent::Short {
            let is_cut_off = page.iter().any(|byte| *byte != 0);
            return if is_cut_off { Err(DAMAGED) } else { Ok(Extent::Short) };
        }
        self.cipher.open(Place::Database(number), page).map_err(|_unsound| DAMAGED)?;
        Ok(Extent::Whole)
    }

    /// As `xWrite`; only whole pages are written.
    pub(crate) fn write(
        &mut self,
        raw: &mut impl RawFile,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), Code> {
        let number = page_number(offset)?;
        let mut page = whole_page(bytes, within(offset, PAGE_BYTES))?;
        must_be_reserved(number, &page)?;
        let nonce = self.nonces.next().map_err(no_randomness)?;
        self.cipher.seal(Place::Database(number), &mut page, nonce);
        raw.write(&page, file_offset(number))
    }
}

pub(crate) const DAMAGED: Code = Code(crate::DAMAGED_PAGE_CODE);

/// A copy of what is to be written as a page.
pub(crate) fn whole_page(bytes: &[u8], offset_in_page: usize) -> Result<Page, Code> {
    match Page::try_from(bytes) {
        Ok(page) if offset_in_page == 0 => Ok(page),
        _ => Err(Code(ffi::SQLITE_IOERR_WRITE)),
    }
}

/// That nothing is lost in place of nonce and tag: page 1 says what is reserved in all pages, and comes
/// with the first commit of a file.
pub(crate) fn must_be_reserved(number: u32, page: &Page) -> Result<(), Code> {
    let is_first = number == 1;
    let is_reserved = !is_first || page[RESERVED_AT] == RESERVED_LENGTH;
    if is_reserved { Ok(()) } else { Err(Code(ffi::SQLITE_IOERR_WRITE)) }
}

pub(crate) fn no_randomness(_error: getrandom::Error) -> Code {
    Code(ffi::SQLITE_IOERR)
}

/// The number of the page at an offset of the database, from 1.
fn page_number(offset: u64) -> Result<u32, Code> {
    let index = offset / PAGE_BYTES as u64;
    u32::try_from(index + 1).map_err(|_| Code(ffi::SQLITE_IOERR))
}

/// Where the page is in the file.
fn file_offset(number: u32) -> u64 {
    (u64::from(number) - 1) * PAGE_BYTES as u64 + HEADER_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::cipher;

    fn database() -> Database {
        Database::new(Arc::new(cipher(1))).unwrap()
    }

    fn first_page() -> Page {
        let mut page = [0; PAGE_BYTES];
        page[..15].copy_from_slice(b"SQLite format 3");
        page[PAGE_LENGTH_AT] = 0x10;
        page[RESERVED_AT] = RESERVED_LENGTH;
        page[3000] = 7;
        page
    }

    #[test]
    fn pages_and_parts_of_them_come_back() {
        let (mut database, mut raw) = (database(), Vec::new());
        let second = std::array::from_fn(|at| if at < 4064 { at.to_le_bytes()[0] } else { 0 });
        database.write(&mut raw, &first_page(), 0).unwrap();
        database.write(&mut raw, &second, 4096).unwrap();
        assert_eq!(raw.len(), HEADER_BYTES + 2 * PAGE_BYTES);
        let mut page = [1; PAGE_BYTES];
        assert_eq!(database.read(&mut raw, &mut page, 4096), Ok(Extent::Whole));
        assert_eq!(page, second);
        let mut part = [1; 100];
        assert_eq!(database.read(&mut raw, &mut part, 0), Ok(Extent::Whole));
        assert_eq!(part, first_page()[..100]);
        let mut part = [1; 16];
        assert_eq!(database.read(&mut raw, &mut part, 24), Ok(Extent::Whole));
        assert_eq!(part, first_page()[24..40]);
        assert_eq!(database.read(&mut raw, &mut page, 8192), Ok(Extent::Short));
        assert_eq!(page, [0; PAGE_BYTES]);
    }

    #[test]
    fn what_would_overwrite_content_or_is_no_page_is_refused() {
        let (mut database, mut raw) = (database(), Vec::new());
        let refused = Err(Code(ffi::SQLITE_IOERR_WRITE));
        let mut unreserved = first_page();
        unreserved[RESERVED_AT] = 8;
        assert_eq!(database.write(&mut raw, &unreserved, 0), refused);
        assert_eq!(database.write(&mut raw, &first_page()[..512], 0), refused);
        assert_eq!(database.write(&mut raw, &first_page(), 512), refused);
        assert!(raw.is_empty());
    }

    #[test]
    fn damage_is_reported_but_for_what_the_log_may_mend() {
        let (mut database, mut raw) = (database(), Vec::new());
        database.write(&mut raw, &first_page(), 0).unwrap();
        raw[HEADER_BYTES + 2000] ^= 1;
        assert_eq!(database.read(&mut raw, &mut [0; PAGE_BYTES], 0), Err(DAMAGED));
        assert_eq!(database.read(&mut raw, &mut [0; 16], 24), Err(DAMAGED));
        let mut start = [0; SQLITE_HEADER_BYTES];
        assert_eq!(database.read(&mut raw, &mut start, 0), Ok(Extent::Whole));
        assert_eq!((start[16], start[17], start[20]), (0x10, 0, 32));
        raw.truncate(HEADER_BYTES + 1000);
        assert_eq!(database.read(&mut raw, &mut [0; PAGE_BYTES], 0), Err(DAMAGED));
    }
}
