//! Cutting a query text into tokens: at each place the longest match, then the first rule
//! (sync-engine 8.2).
//!
//! One pass, no copies; every token is found in time proportional to its own length, because the
//! look-ahead of each rule is bounded by the token that the rule would make.

use skerry_model::{ObjectId, Uuid};

use crate::date;
use crate::error::QueryError;
use crate::token::{Keyword, Spanned, Symbol, Token};

#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// The next token. After [`Token::End`] it is that again.
    pub(crate) fn next_token(&mut self) -> Result<Spanned<'a>, QueryError> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.position), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.position += 1;
        }
        let start = self.position;
        let (token, length) = Self::scan(&self.text[start..], start)?;
        self.position = start + length;
        Ok(Spanned { token, start, end: self.position })
    }

    fn scan(rest: &'a str, start: usize) -> Result<(Token<'a>, usize), QueryError> {
        let Some(&first) = rest.as_bytes().first() else {
            return Ok((Token::End, 0));
        };
        match first {
            b'"' | b'\'' => scan_text(rest, start),
            b'@' => scan_operation(rest, start),
            b'0'..=b'9' | b'+' | b'-' | b'.' => scan_numeric(rest, start),
            _ if is_name_start(first) => scan_word(rest, start),
            _ => scan_symbol(rest, start),
        }
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// Length of the identifier at the beginning of `rest`.
fn identifier_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut length = 0;
    while let Some(&byte) = bytes.get(length) {
        if is_name_start(byte) || (length > 0 && (byte.is_ascii_digit() || byte == b'-')) {
            length += 1;
        } else if length > 0
            && byte == b'\\'
            && matches!(bytes.get(length + 1), Some(b' ' | b'n' | b'r' | b't'))
        {
            length += 2;
        } else {
            break;
        }
    }
    length
}

fn digits_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn scan_word(rest: &str, start: usize) -> Result<(Token<'_>, usize), QueryError> {
    let length = identifier_length(rest);
    let word = &rest[..length];
    if let Some(found) = scan_delimited_word(rest, word) {
        return Ok(found);
    }
    if let Some(found) = date::scan_seconds(rest, length, start)? {
        return Ok((Token::Timestamp(found.0), found.1));
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let token = if let Some(index) = word.strip_prefix('$').filter(|index| is_number(index)) {
        Token::Argument(index)
    } else if let Some(index) = word.strip_prefix("$K").filter(|index| is_number(index)) {
        Token::KeyPathArgument(index)
    } else if word.strip_prefix('O').is_some_and(is_number) {
        Token::ObjectNumber
    } else if is_special(word) {
        Token::Special(word)
    } else if let Some(keyword) = Keyword::from_identifier(word) {
        Token::Keyword(keyword)
    } else {
        Token::Identifier(word)
    };
    Ok((token, length))
}

/// `uuid(…)`, `oid(…)`, `B64"…"` and `L<n>:<n>`, which are longer than the word they begin with.
fn scan_delimited_word<'a>(rest: &'a str, word: &str) -> Option<(Token<'a>, usize)> {
    match word {
        "uuid" => {
            let inner = rest.get(5..41).filter(|_| has_parentheses(rest, 4, 41))?;
            Some((Token::Uuid(Uuid::parse(inner)?), 42))
        }
        "oid" => {
            let inner = rest.get(4..28).filter(|_| has_parentheses(rest, 3, 28))?;
            Some((Token::ObjectId(ObjectId::parse(inner)?), 29))
        }
        "B64" => {
            let inner = rest[3..].strip_prefix('"')?;
            let length = inner
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
                .count();
            inner[length..].starts_with('"').then(|| (Token::Base64(&inner[..length]), length + 5))
        }
        _ => {
            let number = word.strip_prefix('L').filter(|n| !n.is_empty())?;
            let rest = rest[word.len()..].strip_prefix(':')?;
            let length = digits_length(rest.as_bytes());
            (number.bytes().all(|b| b.is_ascii_digit()) && length > 0)
                .then(|| (Token::ObjectNumber, word.len() + 1 + length))
        }
    }
}

fn has_parentheses(rest: &str, open: usize, close: usize) -> bool {
    rest.as_bytes().get(open) == Some(&b'(') && rest.as_bytes().get(close) == Some(&b')')
}

fn is_special(word: &str) -> bool {
    ["inf", "infinity", "nan"].iter().any(|special| word.eq_ignore_ascii_case(special))
}

fn scan_numeric(rest: &str, start: usize) -> Result<(Token<'_>, usize), QueryError> {
    if let Some((timestamp, length)) = date::scan_readable(rest, start)? {
        return Ok((Token::Timestamp(timestamp), length));
    }
    let bytes = rest.as_bytes();
    let signed = usize::from(matches!(bytes[0], b'+' | b'-'));
    if signed == 1 {
        let word = &bytes[1..];
        for special in ["infinity", "inf", "nan"] {
            if word.len() >= special.len()
                && word[..special.len()].eq_ignore_ascii_case(special.as_bytes())
            {
                return Ok((Token::Special(&rest[..=special.len()]), special.len() + 1));
            }
        }
    }
    if bytes[0] == b'0' && matches!(bytes.get(1), Some(b'x' | b'X')) {
        let digits = bytes[2..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if digits > 0 {
            return Ok((Token::Number(&rest[..digits + 2]), digits + 2));
        }
    }
    let whole = digits_length(&bytes[signed..]);
    if let Some(length) = real_length(&bytes[signed..], whole) {
        return Ok((Token::Real(&rest[..signed + length]), signed + length));
    }
    match (signed, whole) {
        (0, 1..) => Ok((Token::Natural(&rest[..whole]), whole)),
        (_, 1..) => Ok((Token::Number(&rest[..signed + whole]), signed + whole)),
        (_, 0) => scan_symbol(rest, start),
    }
}

/// Length of the unsigned number with a point, an exponent or an `f`; `None` if there is none of these.
fn real_length(bytes: &[u8], whole: usize) -> Option<usize> {
    let mut length = whole;
    let mut is_real = false;
    if bytes.get(length) == Some(&b'.') {
        let fraction = digits_length(&bytes[length + 1..]);
        if whole + fraction > 0 {
            length += 1 + fraction;
            is_real = true;
        }
    }
    if length == 0 {
        return None;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits_length(&bytes[length + 1 + sign..]);
        if exponent > 0 {
            length += 1 + sign + exponent;
            is_real = true;
        }
    }
    if bytes.get(length) == Some(&b'f') {
        length += 1;
        is_real = true;
    }
    is_real.then_some(length)
}

fn scan_text(rest: &str, start: usize) -> Result<(Token<'_>, usize), QueryError> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at) {
            None => {
                let what = "a string without its closing quote begins".to_owned();
                return Err(QueryError::BadToken { what, position: start });
            }
            Some(&byte) if byte == bytes[0] => return Ok((Token::Text(&rest[1..at]), at + 1)),
            Some(b'\\') => {
                at += escape_length(&bytes[at..]).ok_or_else(|| QueryError::BadToken {
                    what: "a backslash that begins no escape stands in the string".to_owned(),
                    position: start + at,
                })?;
            }
            Some(_) => at += 1,
        }
    }
}

fn escape_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\'' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'0' | b'\\' => Some(2),
        b'u' if bytes.len() >= 6 && bytes[2..6].iter().all(u8::is_ascii_hexdigit) => Some(6),
        _ => None,
    }
}

fn scan_operation(rest: &str, start: usize) -> Result<(Token<'_>, usize), QueryError> {
    const OPERATIONS: [&str; 10] =
        ["min", "max", "sum", "avg", "count", "size", "type", "links", "keys", "values"];
    let length = rest[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let word = &rest[1..=length];
    if OPERATIONS.contains(&word) {
        return Ok((Token::Operation(word), length + 1));
    }
    Err(QueryError::BadToken {
        what: format!("there is no operation \"@{word}\""),
        position: start,
    })
}

fn scan_symbol(rest: &str, start: usize) -> Result<(Token<'_>, usize), QueryError> {
    const SYMBOLS: [(&str, Token<'static>); 26] = [
        ("[c]", Token::Symbol(Symbol::CaseInsensitive)),
        ("==", Token::Symbol(Symbol::Equal)),
        ("!=", Token::Symbol(Symbol::NotEqual)),
        ("<>", Token::Symbol(Symbol::NotEqual)),
        ("<=", Token::Symbol(Symbol::LessOrEqual)),
        ("=<", Token::Symbol(Symbol::LessOrEqual)),
        (">=", Token::Symbol(Symbol::GreaterOrEqual)),
        ("=>", Token::Symbol(Symbol::GreaterOrEqual)),
        ("&&", Token::Keyword(Keyword::And)),
        ("||", Token::Keyword(Keyword::Or)),
        ("=", Token::Symbol(Symbol::Equal)),
        ("<", Token::Symbol(Symbol::Less)),
        (">", Token::Symbol(Symbol::Greater)),
        ("!", Token::Keyword(Keyword::Not)),
        ("(", Token::Symbol(Symbol::OpenParenthesis)),
        (")", Token::Symbol(Symbol::CloseParenthesis)),
        ("{", Token::Symbol(Symbol::OpenBrace)),
        ("}", Token::Symbol(Symbol::CloseBrace)),
        ("[", Token::Symbol(Symbol::OpenBracket)),
        ("]", Token::Symbol(Symbol::CloseBracket)),
        (",", Token::Symbol(Symbol::Comma)),
        (".", Token::Symbol(Symbol::Dot)),
        ("+", Token::Symbol(Symbol::Plus)),
        ("-", Token::Symbol(Symbol::Minus)),
        ("*", Token::Symbol(Symbol::Times)),
        ("/", Token::Symbol(Symbol::Divide)),
    ];
    let found = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text));
    found.map(|&(text, token)| (token, text.len())).ok_or_else(|| {
        let character = rest.chars().next().unwrap_or_default();
        let what = format!("there is no token that begins with {character:?}");
        QueryError::BadToken { what, position: start }
    })
}
