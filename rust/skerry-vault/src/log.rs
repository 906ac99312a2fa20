//! The write-ahead log: a header of 32 bytes, and frames of 24 bytes and a page
//! ([its format](https://sqlite.org/fileformat2.html#the_write_ahead_log)).
//!
//! Pages are sealed. The second part of each frame's 24 bytes, salts and a checksum of plain text, is
//! encrypted as one block; the rest says which page it is and stays plain, as does the header. Invariant: what
//! is read is what was written, or the end of the log, or an error.

use std::sync::Arc;

use rusqlite::ffi;

use crate::database::{DAMAGED, must_be_reserved, no_randomness, whole_page};
use crate::page::{Nonces, PAGE_BYTES, Page, PageCipher, Place, RESERVED_BYTES, within};
use crate::raw::{Code, Extent, RawFile};

const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES;
/// Where in a frame's header the encrypted block is.
const MARK_AT: usize = 8;

type FrameHeader = [u8; FRAME_HEADER_BYTES];

/// The state of an open log.
pub(crate) struct Log {
    cipher: Arc<PageCipher>,
    nonces: Nonces,
    /// Offset and page number of the frame header that was written last, whose page comes next.
    announced: Option<(u64, u32)>,
}

/// Bytes of the log that belong together.
struct Part {
    /// Where the frame begins.
    frame_at: u64,
    /// From where in it.
    start: usize,
}

impl Log {
    pub(crate) fn new(cipher: Arc<PageCipher>) -> Result<Self, Code> {
        let nonces = Nonces::new().map_err(no_randomness)?;
        Ok(Self { cipher, nonces, announced: None })
    }

    /// As `xRead`.
    pub(crate) fn read(
        &self,
        raw: &mut impl RawFile,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<Extent, Code> {
        let mut extent = Extent::Whole;
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let rest = &mut buffer[done..];
            let (length, read) = if at < LOG_HEADER_BYTES as u64 {
                let length = rest.len().min(LOG_HEADER_BYTES - within(at, LOG_HEADER_BYTES));
                (length, raw.read(&mut rest[..length], at)?)
            } else {
                let part = Part::at(at);
                let length = rest.len().min(FRAME_BYTES - part.start);
                (length, self.read_frame(raw, &mut rest[..length], &part)?)
            };
            done += length;
            if read == Extent::Short {
                extent = Extent::Short;
            }
        }
        Ok(extent)
    }

    /// Reads bytes that lie in one frame.
    fn read_frame(
        &self,
        raw: &mut impl RawFile,
        buffer: &mut [u8],
        part: &Part,
    ) -> Result<Extent, Code> {
        let mut frame = [0; FRAME_BYTES];
        let end = part.start + buffer.len();
        // A page cannot be opened in part, and not without its header.
        let needed = if end <= FRAME_HEADER_BYTES { FRAME_HEADER_BYTES } else { FRAME_BYTES };
        let extent = raw.read(&mut frame[..needed], part.frame_at)?;
        let (header, page) = frame.split_at_mut(FRAME_HEADER_BYTES);
        let header: &mut FrameHeader = header.try_into().map_err(|_| DAMAGED)?;
        let number = number_of(header);
        self.open_header(header);
        if end > FRAME_HEADER_BYTES {
            let page: &mut Page = page.try_into().map_err(|_| DAMAGED)?;
            let is_sound =
                extent == Extent::Whole && self.cipher.open(Place::Log(number), page).is_ok();
            if !is_sound {
                // With its header a page is read when the log's end is sought after a crash, which is where
                // a frame does not have its checksum. Alone it is read because it counts.
                if part.start >= FRAME_HEADER_BYTES && extent == Extent::Whole {
                    return Err(DAMAGED);
                }
                page.fill(0);
            }
        }
        buffer.copy_from_slice(&frame[part.start..end]);
        Ok(extent)
    }

    /// As `xWrite`, of the log's header, a frame's header, or a page.
    pub(crate) fn write(
        &mut self,
        raw: &mut impl RawFile,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), Code> {
        if offset == 0 && bytes.len() == LOG_HEADER_BYTES {
            self.announced = None;
            return raw.write(bytes, offset);
        }
        if offset < LOG_HEADER_BYTES as u64 {
            return Err(Code(ffi::SQLITE_IOERR_WRITE));
        }
        let part = Part::at(offset);
        match (part.start, FrameHeader::try_from(bytes)) {
            (0, Ok(mut header)) => {
                self.announced = Some((part.frame_at, number_of(&header)));
                self.seal_header(&mut header);
                raw.write(&header, offset)
            }
            (FRAME_HEADER_BYTES, Err(_)) => self.write_page(raw, bytes, part.frame_at),
            _ => Err(Code(ffi::SQLITE_IOERR_WRITE)),
        }
    }

    fn write_page(
        &mut self,
        raw: &mut impl RawFile,
        bytes: &[u8],
        frame_at: u64,
    ) -> Result<(), Code> {
        let number = match self.announced {
            Some((at, number)) if at == frame_at => number,
            _ => {
                let mut header = [0; FRAME_HEADER_BYTES];
                match raw.read(&mut header, frame_at)? {
                    Extent::Whole => number_of(&header),
                    Extent::Short => return Err(Code(ffi::SQLITE_IOERR_WRITE)),
                }
            }
        };
        let mut page = whole_page(bytes, 0)?;
        must_be_reserved(number, &page)?;
        // The checksum was made with what stands there, and only zeros come back.
        if page[PAGE_BYTES - RESERVED_BYTES..].iter().any(|byte| *byte != 0) {
            return Err(Code(ffi::SQLITE_IOERR_WRITE));
        }
        let nonce = self.nonces.next().map_err(no_randomness)?;
        self.cipher.seal(Place::Log(number), &mut page, nonce);
        raw.write(&page, frame_at + FRAME_HEADER_BYTES as u64)
    }

    fn seal_header(&self, header: &mut FrameHeader) {
        if let Ok(mark) = (&mut header[MARK_AT..]).try_into() {
            self.cipher.seal_mark(mark);
        }
    }

    fn open_header(&self, header: &mut FrameHeader) {
        if let Ok(mark) = (&mut header[MARK_AT..]).try_into() {
            self.cipher.open_mark(mark);
        }
    }
}

impl Part {
    /// Of an offset behind the log's header.
    fn at(offset: u64) -> Self {
        let start = within(offset - LOG_HEADER_BYTES as u64, FRAME_BYTES);
        Self { frame_at: offset - start as u64, start }
    }
}

/// Which page a frame is a version of.
fn number_of(header: &FrameHeader) -> u32 {
    let [a, b, c, d, ..] = *header;
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::cipher;

    fn log() -> Log {
        Log::new(Arc::new(cipher(1))).unwrap()
    }

    fn header(number: u32) -> FrameHeader {
        let mut header: FrameHeader = std::array::from_fn(|at| at.to_le_bytes()[0] + 100);
        header[..4].copy_from_slice(&number.to_be_bytes());
        header
    }

    fn page(byte: u8) -> Page {
        let mut page = [byte; PAGE_BYTES];
        page[PAGE_BYTES - RESERVED_BYTES..].fill(0);
        page
    }

    /// A log of two frames, as it is written and as it is meant.
    fn two_frames() -> (Log, Vec<u8>, Vec<u8>) {
        let (mut log, mut raw, mut plain) = (log(), Vec::new(), Vec::new());
        plain.extend([9; 32]);
        for (number, byte) in [(5, 1), (6, 2)] {
            plain.extend(header(number));
            plain.extend(page(byte));
        }
        for (start, length) in [(0, 32), (32, 24), (56, 4096), (4152, 24), (4176, 4096)] {
            log.write(&mut raw, &plain[start..start + length], start as u64).unwrap();
        }
        (log, raw, plain)
    }

    #[test]
    fn every_way_of_reading_gives_what_was_written() {
        let (log, mut raw, plain) = two_frames();
        assert_eq!(raw.len(), plain.len());
        assert_ne!(raw[40..56], plain[40..56]);
        assert_ne!(raw[56..], plain[56..]);
        for (start, length) in
            [(0, 32), (24, 8), (32, 24), (48, 8), (32, 4120), (56, 4096), (4152, 4120), (0, 8272)]
        {
            let mut read = vec![0; length];
            assert_eq!(log.read(&mut raw, &mut read, start as u64), Ok(Extent::Whole));
            assert!(read == plain[start..start + length], "{start} + {length}");
        }
        assert_eq!(log.read(&mut raw, &mut [0; 4120], 8272), Ok(Extent::Short));
    }

    #[test]
    fn a_page_is_written_again_under_the_header_that_is_there() {
        let (mut log, mut raw, _) = two_frames();
        log.write(&mut raw, &page(3), 56).unwrap();
        let mut read = [0; PAGE_BYTES];
        assert_eq!(log.read(&mut raw, &mut read, 56), Ok(Extent::Whole));
        assert_eq!(read, page(3));
    }

    #[test]
    fn a_torn_frame_is_the_end_of_the_log_and_a_damaged_page_an_error() {
        let (log, mut raw, plain) = two_frames();
        raw[5000] ^= 4;
        let mut read = [1; FRAME_BYTES];
        assert_eq!(log.read(&mut raw, &mut read, 4152), Ok(Extent::Whole));
        assert_eq!(read[..24], plain[4152..4176]);
        assert_eq!(read[24..], [0; PAGE_BYTES]);
        assert_eq!(log.read(&mut raw, &mut [0; PAGE_BYTES], 4176), Err(DAMAGED));
        // The number of another page in its header is as good as damage.
        let (log, mut raw, _) = two_frames();
        raw[4155] = 5;
        assert_eq!(log.read(&mut raw, &mut [0; PAGE_BYTES], 4176), Err(DAMAGED));
        raw.truncate(6000);
        assert_eq!(log.read(&mut raw, &mut [0; FRAME_BYTES], 4152), Ok(Extent::Short));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let (mut log, mut raw, _) = two_frames();
        let before = raw.clone();
        let refused = Err(Code(ffi::SQLITE_IOERR_WRITE));
        assert_eq!(log.write(&mut raw, &[1; PAGE_BYTES], 56), refused);
        assert_eq!(log.write(&mut raw, &page(1)[..100], 56), refused);
        assert_eq!(log.write(&mut raw, &page(1), 57), refused);
        assert_eq!(log.write(&mut raw, &header(1), 40), refused);
        assert_eq!(log.write(&mut raw, &[0; 8], 24), refused);
        assert_eq!(log.write(&mut raw, &page(1), 8296), refused, "there is no header yet");
        assert_eq!(raw, before);
    }
}
