//! Searching bytes: CONTAINS and LIKE.
//!
//! Time is linear in text and pattern, except that a piece between two stars that holds a `?` costs
//! up to |text| × |piece|. There is no backtracking over stars: the earliest place for the pieces
//! before a star is always as good as any other.

/// Needles up to this length are looked for in the plain way, which is faster for them.
const PLAIN_SEARCH_MAX_BYTES: usize = 8;

/// Whether `needle` occurs in `haystack`.
pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    find(haystack, needle).is_some()
}

/// The first place of `needle`, by Knuth, Morris and Pratt when it is long.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(&first) = needle.first() else { return Some(0) };
    let last_start = haystack.len().checked_sub(needle.len())?;
    if needle.len() <= PLAIN_SEARCH_MAX_BYTES {
        let is_here = |&at: &usize| haystack[at] == first && haystack[at..].starts_with(needle);
        return (0..=last_start).find(is_here);
    }
    let borders = borders(needle);
    let mut matched = 0;
    for (at, &byte) in haystack.iter().enumerate() {
        matched = extend(needle, &borders, matched, byte);
        if matched == needle.len() {
            return Some(at + 1 - matched);
        }
    }
    None
}

/// For each prefix of the needle, the length of the longest proper one that also ends it.
fn borders(needle: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; needle.len()];
    for end in 1..needle.len() {
        borders[end] = extend(needle, &borders, borders[end - 1], needle[end]);
    }
    borders
}

/// How much of the needle is matched when `byte` follows `matched` bytes of it.
fn extend(needle: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && needle[matched] != byte {
        matched = borders[matched - 1];
    }
    matched + usize::from(needle[matched] == byte)
}

/// Whether the whole of `text` is described by `pattern`: `*` stands for any run, `?` for exactly one
/// character of UTF-8, everything else for itself; there is no escape (sync-engine 8.4).
///
/// Two or more stars at the end want at least one more character: so the engine has it, and `**`
/// does not match the empty text though `*` does.
pub fn like(text: &[u8], pattern: &[u8]) -> bool {
    let mut pieces = pattern.split(|&byte| byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut at) = match_forward(text, 0, first) else { return false };
    let Some(last) = pieces.next_back() else { return at == text.len() };
    for piece in pieces {
        match find_piece(text, at, piece) {
            Some(end) => at = end,
            None => return false,
        }
    }
    if last.is_empty() {
        return !pattern.ends_with(b"**") || at < text.len();
    }
    match_backward(text, last).is_some_and(|start| start >= at)
}

/// End of the piece when it stands at `at`.
fn match_forward(text: &[u8], mut at: usize, piece: &[u8]) -> Option<usize> {
    for &wanted in piece {
        let &found = text.get(at)?;
        at = match wanted {
            b'?' => next_character(text, at),
            _ if wanted == found => at + 1,
            _ => return None,
        };
    }
    Some(at)
}

/// Start of the piece when it stands at the end of the text.
fn match_backward(text: &[u8], piece: &[u8]) -> Option<usize> {
    let mut at = text.len();
    for &wanted in piece.iter().rev() {
        at = at.checked_sub(1)?;
        if wanted == b'?' {
            at -=
                text[..=at].iter().rev().take_while(|byte| is_continuation(**byte)).count().min(at);
        } else if wanted != text[at] {
            return None;
        }
    }
    Some(at)
}

/// End of the first place of the piece from `at` on.
fn find_piece(text: &[u8], mut at: usize, piece: &[u8]) -> Option<usize> {
    if !piece.contains(&b'?') {
        return find(&text[at..], piece).map(|place| at + place + piece.len());
    }
    while at < text.len() {
        if let Some(end) = match_forward(text, at, piece) {
            return Some(end);
        }
        at = next_character(text, at);
    }
    None
}

/// Whether the byte goes on with a character of UTF-8.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Start of the character after the one at `at`, which is within the text.
fn next_character(text: &[u8], at: usize) -> usize {
    let rest = text[at + 1..].iter().take_while(|byte| is_continuation(**byte)).count();
    at + 1 + if text[at].is_ascii() { 0 } else { rest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, in exponential time.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match (text, pattern) {
            ([], [] | ['*']) => true,
            (_, []) | ([], _) => false,
            (_, ['*', rest @ ..]) => (0..=text.len()).any(|skip| naive(&text[skip..], rest)),
            ([_, text @ ..], ['?', rest @ ..]) => naive(text, rest),
            ([a, text @ ..], [b, rest @ ..]) => a == b && naive(text, rest),
        }
    }

    proptest! {
        #[test]
        fn like_is_its_definition(text in "[abé日]{0,8}", pattern in "[abé*?]{0,7}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                like(text.as_bytes(), pattern.as_bytes()),
                naive(&characters(&text), &characters(&pattern))
            );
        }

        #[test]
        fn find_is_that_of_str(text in "[ab]{0,60}", needle in "a{0,5}b{0,2}a{0,5}") {
            let found = find(text.as_bytes(), needle.as_bytes());
            prop_assert_eq!(found, text.find(&needle));
        }
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let text = "a".repeat(2_000_000);
        let pattern = "*a".repeat(100_000);
        assert!(!like(text.as_bytes(), format!("{pattern}*b*").as_bytes()));
        assert!(like(text.as_bytes(), format!("{pattern}*").as_bytes()));
        let piece = "a".repeat(100_000);
        assert!(!like(text.as_bytes(), format!("*{piece}b*").as_bytes()));
    }

    #[test]
    fn observed_oddities() {
        assert!(like(b"", b"*") && !like(b"", b"**") && !like(b"a", b"a**"));
        assert!(like(b"ab", b"a**") && like("日本".as_bytes(), "?本".as_bytes()));
        assert!(!like(b"a", br"\a") && like(br"\a", br"\a"));
    }
}
