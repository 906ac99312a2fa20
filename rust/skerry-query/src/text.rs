//! Full-text search: what the words of a text are, and what `TEXT` asks of them.
//!
//! Invariant: the words of a stored text and those of a query come from the same function,
//! [`tokens`], so an index over these words finds what [`TextQuery::matches`] takes. The rules are
//! those recorded from the engine. Letters are those of ASCII and Latin-1, written small and without
//! their diacritics; å æ ð ø þ ß are letters of their own. Everything beyond Latin-1 separates
//! words, and so does ÿ.
//!
//! Whether the property has an index, and that the right side is a text, is the checker's business.

use std::sync::Arc;

/// Words are cut to so many bytes, in texts and in queries.
pub const WORD_MAX_BYTES: usize = 64;

/// What the letters from À to ß become, and those from à to þ. × and ÷ do not get here.
const LATIN_1: [char; 32] = [
    'a', 'a', 'a', 'a', 'a', 'å', 'æ', 'c', 'e', 'e', 'e', 'e', 'i', 'i', 'i', 'i', //
    'ð', 'n', 'o', 'o', 'o', 'o', 'o', '×', 'ø', 'u', 'u', 'u', 'u', 'y', 'þ', 'ß',
];

/// A word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    // Behind the word all bytes are 0, and no word holds one, so the derived order is that of words.
    bytes: [u8; WORD_MAX_BYTES],
    len: usize,
}

impl Token {
    const EMPTY: Self = Self { bytes: [0; WORD_MAX_BYTES], len: 0 };

    /// The word.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("characters are put in whole")
    }

    /// The word in UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Adds a character, unless there is no room for it.
    fn push(&mut self, character: char) {
        let end = self.len + character.len_utf8();
        if end <= WORD_MAX_BYTES {
            character.encode_utf8(&mut self.bytes[self.len..end]);
            self.len = end;
        }
    }
}

/// What a character is to the words.
enum Part {
    Letter(char),
    /// × and ÷ belong to a word and leave nothing in it.
    Nothing,
    Separator,
}

fn part(character: char) -> Part {
    match character {
        'a'..='z' | '0'..='9' => Part::Letter(character),
        'A'..='Z' => Part::Letter(character.to_ascii_lowercase()),
        '×' | '÷' => Part::Nothing,
        'À'..='þ' => {
            let place = character as usize - 'À' as usize;
            Part::Letter(LATIN_1[place % LATIN_1.len()])
        }
        _ => Part::Separator,
    }
}

/// The words of a text, in order, with repetitions.
pub fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut rest = text.chars();
    std::iter::from_fn(move || {
        let mut word = None;
        for character in rest.by_ref() {
            match part(character) {
                Part::Letter(letter) => word.get_or_insert(Token::EMPTY).push(letter),
                Part::Nothing => {
                    word.get_or_insert(Token::EMPTY);
                }
                Part::Separator if word.is_some() => break,
                Part::Separator => {}
            }
        }
        word
    })
}

/// Why the right side of `TEXT` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Null, or nothing but blanks.
    #[error("a text search needs a word to look for")]
    NoWord,
    /// Something other than letters and digits inside a word.
    #[error("\"{word}\" is no word to look for: inside it are only letters and digits allowed")]
    NotOneWord {
        /// What stands between the blanks.
        word: String,
    },
    /// The same word is wanted and excluded.
    #[error("the word \"{word}\" is both wanted and excluded")]
    Contradiction {
        /// The word.
        word: String,
    },
}

/// The right side of `TEXT`: words that must all be there, and words that must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextQuery {
    source: Arc<str>,
    /// Each list is sorted and without repetitions.
    words: Vec<Token>,
    prefixes: Vec<Token>,
    excluded: Vec<Token>,
}

impl TextQuery {
    /// Reads words between blanks: `word`, `pre*`, `-word`.
    ///
    /// As the engine has it, a star behind an excluded word means nothing, what surrounds a word is
    /// ignored, and a word without any letter or digit is in no text.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let (mut words, mut prefixes, mut excluded) = (Vec::new(), Vec::new(), Vec::new());
        for word in text.split(is_blank).filter(|word| !word.is_empty()) {
            match word.strip_prefix('-') {
                Some(word) => excluded.push(only_token(word)?),
                None if word.ends_with('*') => prefixes.push(only_token(word)?),
                None => words.push(only_token(word)?),
            }
        }
        if words.is_empty() && prefixes.is_empty() && excluded.is_empty() {
            return Err(TextError::NoWord);
        }
        for list in [&mut words, &mut prefixes, &mut excluded] {
            list.sort_unstable();
            list.dedup();
        }
        if let Some(both) = excluded.iter().find(|token| words.binary_search(token).is_ok()) {
            return Err(TextError::Contradiction { word: both.as_str().to_owned() });
        }
        Ok(Self { source: text.into(), words, prefixes, excluded })
    }

    /// The text that was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Words that must be there, each once, in order.
    pub fn words(&self) -> &[Token] {
        &self.words
    }

    /// Beginnings of words, of each of which there must be one, each once, in order.
    pub fn prefixes(&self) -> &[Token] {
        &self.prefixes
    }

    /// Words that must not be there, each once, in order.
    pub fn excluded(&self) -> &[Token] {
        &self.excluded
    }

    /// Whether any word is wanted. If not, null matches, and so does what has no words.
    pub fn wants_words(&self) -> bool {
        !(self.words.is_empty() && self.prefixes.is_empty())
    }

    /// Whether the text, or null, is one that the query asks for.
    pub fn matches(&self, text: Option<&str>) -> bool {
        let mut is_found = vec![false; self.words.len() + self.prefixes.len()];
        let mut missing = is_found.len();
        let mut note = |at: usize| {
            missing -= usize::from(!is_found[at]);
            is_found[at] = true;
        };
        for token in text.into_iter().flat_map(tokens) {
            if self.excluded.binary_search(&token).is_ok() {
                return false;
            }
            if let Ok(at) = self.words.binary_search(&token) {
                note(at);
            }
            // Looked up by each beginning of the word, of which there are few, and not the reverse:
            // a query may have as many prefixes as it likes.
            let lengths = if self.prefixes.is_empty() { 0..0 } else { 0..token.len + 1 };
            for length in lengths {
                let beginning = &token.as_bytes()[..length];
                let found = self.prefixes.binary_search_by(|one| one.as_bytes().cmp(beginning));
                if let Ok(at) = found {
                    note(self.words.len() + at);
                }
            }
        }
        missing == 0
    }
}

/// What separates the words of a query; in texts, much more does.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// The one token of a word; the empty one when there is none.
fn only_token(word: &str) -> Result<Token, TextError> {
    let mut found = tokens(word);
    let token = found.next().unwrap_or(Token::EMPTY);
    match found.next() {
        None => Ok(token),
        Some(_) => Err(TextError::NotOneWord { word: word.to_owned() }),
    }
}
