//! Searching bytes: CONTAINS and LIKE.
//!
//! Neither backtracks over more than one star: a `*` gives up nothing that an earlier one has
//! matched, because the earliest place for the pieces before it is always as good as any. So the
//! time is at most |text| × the longest piece between two stars, and there is no recursion.

/// Whether `needle` occurs in `haystack`.
pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    find(haystack, needle).is_some()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(&first) = needle.first() else { return Some(0) };
    let last_start = haystack.len().checked_sub(needle.len())?;
    (0..=last_start).find(|&at| haystack[at] == first && haystack[at..].starts_with(needle))
}

/// Whether the whole of `text` is described by `pattern`: `*` stands for any run, `?` for exactly one
/// character of UTF-8, everything else for itself; there is no escape (sync-engine 8.4).
///
/// Two or more stars at the end want at least one more character: so the engine has it, and `**`
/// does not match the empty text though `*` does.
pub(crate) fn like(text: &[u8], pattern: &[u8]) -> bool {
    let stars_at_end = pattern.iter().rev().take_while(|&&byte| byte == b'*').count();
    let (pattern, tail) = match stars_at_end {
        0 | 1 => (pattern, [].as_slice()),
        _ => (&pattern[..pattern.len() - stars_at_end], b"?*".as_slice()),
    };
    let pattern_at = |i: usize| pattern.get(i).or_else(|| tail.get(i.checked_sub(pattern.len())?));
    let (mut at, mut place) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character further in the text.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern_at(place), text.get(at)) {
            (Some(b'*'), _) => {
                place += 1;
                retry = Some((at, place));
                if pattern_at(place).is_none() {
                    return true;
                }
                continue;
            }
            (Some(b'?'), Some(_)) => {
                at = next_character(text, at);
                place += 1;
                continue;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                at += 1;
                place += 1;
                continue;
            }
            (None, None) => return true,
            // The text has ended: moving a star further can only make it end sooner.
            (Some(_), None) => return false,
            (Some(_) | None, Some(_)) => {}
        }
        let Some((from, after_star)) = retry else { return false };
        at = next_character(text, from);
        place = after_star;
        retry = Some((at, after_star));
    }
}

/// Start of the character after the one at `at`, which is within the text.
fn next_character(text: &[u8], at: usize) -> usize {
    let continuation = |byte: &&u8| **byte & 0xC0 == 0x80;
    let is_ascii = text[at].is_ascii();
    let rest = if is_ascii { 0 } else { text[at + 1..].iter().take_while(continuation).count() };
    at + 1 + rest
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
        fn like_is_its_definition(text in "[abé]{0,8}", pattern in "[abé*?]{0,7}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                like(text.as_bytes(), pattern.as_bytes()),
                naive(&characters(&text), &characters(&pattern))
            );
        }

        #[test]
        fn contains_is_that_of_str(text in "[ab]{0,12}", needle in "[ab]{0,4}") {
            prop_assert_eq!(contains(text.as_bytes(), needle.as_bytes()), text.contains(&needle));
        }
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let text = "a".repeat(20_000);
        let pattern = "*a".repeat(5_000) + "b";
        assert!(!like(text.as_bytes(), pattern.as_bytes()));
        assert!(like(text.as_bytes(), ("*a".repeat(5_000) + "*").as_bytes()));
    }

    #[test]
    fn observed_oddities() {
        assert!(like(b"", b"*") && !like(b"", b"**") && !like(b"a", b"a**"));
        assert!(like(b"ab", b"a**") && like("日本".as_bytes(), "?本".as_bytes()));
        assert!(!like(b"a", br"\a") && like(br"\a", br"\a"));
    }
}
