//! Changesets as they are stored and sent: with a byte that tells whether they are compressed.

use std::io::Read;

use super::DecodeError;
use crate::limits::{PACK_COMPRESS_ABOVE_BYTES, PACK_WINDOW_LOG_MAX};

const STORED: u8 = 0;
const ZSTD: u8 = 1;
/// Of zstd's levels the cheapest one that is not a "fast" one.
const LEVEL: i32 = 1;

/// Packs bytes: those of more than [`PACK_COMPRESS_ABOVE_BYTES`] are compressed, if that helps.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() > PACK_COMPRESS_ABOVE_BYTES {
        let frame =
            zstd::bulk::compress(bytes, LEVEL).expect("zstd is given as much room as it asks for");
        if frame.len() < bytes.len() {
            return with_header(ZSTD, &frame);
        }
    }
    with_header(STORED, bytes)
}

/// Unpacks what [`pack`] has packed, up to a content of `max_bytes`.
pub fn unpack(bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let Some((&header, content)) = bytes.split_first() else {
        return Err(DecodeError::Truncated { offset: 0, needed_bytes: 1, remaining_bytes: 0 });
    };
    match header {
        STORED if content.len() > max_bytes => {
            Err(DecodeError::TooLarge { actual_bytes: content.len(), max_bytes })
        }
        STORED => Ok(content.to_vec()),
        ZSTD => decompress(content, max_bytes),
        _ => Err(DecodeError::OutOfRange {
            offset: 0,
            what: "kind of packed content",
            value: header.into(),
        }),
    }
}

fn with_header(header: u8, content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(1 + content.len());
    packed.push(header);
    packed.extend_from_slice(content);
    packed
}

/// Reads one frame, the output growing as it comes: the frame's own word on its size is not asked.
fn decompress(frame: &[u8], max_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let damaged = |error: std::io::Error| DecodeError::BadCompression { reason: error.to_string() };
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(damaged)?;
    decoder.window_log_max(PACK_WINDOW_LOG_MAX).map_err(damaged)?;
    let mut decoder = decoder.single_frame();
    let one_more = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    decoder.by_ref().take(one_more).read_to_end(&mut content).map_err(damaged)?;
    if content.len() > max_bytes {
        return Err(DecodeError::TooLarge { actual_bytes: content.len(), max_bytes });
    }
    let rest = decoder.finish();
    if !rest.is_empty() {
        let offset = 1 + frame.len() - rest.len();
        return Err(DecodeError::TrailingBytes { offset, count_bytes: rest.len() });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_incompressible_contents_are_stored() {
        for content in [&b""[..], b"abc", &[7; PACK_COMPRESS_ABOVE_BYTES]] {
            let packed = pack(content);
            assert_eq!((packed[0], &packed[1..]), (STORED, content));
            assert_eq!(unpack(&packed, content.len()).unwrap(), content);
        }
    }

    #[test]
    fn large_contents_are_compressed_and_bounded() {
        let content = vec![7; 100_000];
        let packed = pack(&content);
        assert!(packed.len() < 1000 && packed[0] == ZSTD);
        assert_eq!(unpack(&packed, content.len()).unwrap(), content);
        let refused = unpack(&packed, content.len() - 1);
        assert_eq!(
            refused,
            Err(DecodeError::TooLarge { actual_bytes: 100_000, max_bytes: 99_999 })
        );
    }

    #[test]
    fn damaged_contents_are_refused() {
        let packed = pack(&vec![7; 100_000]);
        let too_short = unpack(&packed[..packed.len() - 1], 100_000);
        assert!(matches!(too_short, Err(DecodeError::BadCompression { .. })), "{too_short:?}");
        let longer = [&packed[..], &[0]].concat();
        let offset = packed.len();
        assert_eq!(
            unpack(&longer, 100_000),
            Err(DecodeError::TrailingBytes { offset, count_bytes: 1 })
        );
        assert!(matches!(unpack(&[2, 0], 10), Err(DecodeError::OutOfRange { value: 2, .. })));
        assert!(matches!(unpack(&[], 10), Err(DecodeError::Truncated { .. })));
        assert!(matches!(unpack(&[0, 1, 2], 1), Err(DecodeError::TooLarge { .. })));
    }
}
