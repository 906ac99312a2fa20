//! Constants: literals, arguments, lists of them, and links by primary key.

use std::sync::Arc;

use super::Parser;
use crate::ast::{Constant, ConstantKind, ListSyntax, Literal, Quantifier};
use crate::error::QueryError;
use crate::limits::LIST_MAX_ELEMENTS;
use crate::literal;
use crate::token::{Keyword, Symbol, Token};

impl Parser<'_> {
    /// `{…}`
    pub(super) fn list(
        &mut self,
        quantifier: Option<Quantifier>,
    ) -> Result<ListSyntax, QueryError> {
        let position = self.advance()?.start;
        let mut elements = Vec::new();
        if self.accept(Symbol::CloseBrace)? {
            return Ok(ListSyntax { quantifier, elements, position });
        }
        // The engine accepts one comma before the first element.
        self.accept(Symbol::Comma)?;
        loop {
            if elements.len() == LIST_MAX_ELEMENTS {
                return Err(list_too_long(self.current.start));
            }
            elements.push(self.constant("a constant")?);
            if self.accept(Symbol::CloseBrace)? {
                return Ok(ListSyntax { quantifier, elements, position });
            }
            self.expect(Symbol::Comma, "`,` or `}`")?;
        }
    }

    pub(super) fn constant(&mut self, expected: &'static str) -> Result<Constant, QueryError> {
        let position = self.current.start;
        let kind = match self.current.token {
            Token::Argument(index) => ConstantKind::Argument(self.argument_index(index)?),
            Token::Keyword(Keyword::Object) => return self.object(),
            Token::Keyword(Keyword::Binary) => {
                self.advance()?;
                return self.binary(position);
            }
            Token::ObjectNumber => {
                let what = "an object cannot be named by a number of the engine's storage";
                return Err(QueryError::unsupported(what, position));
            }
            _ => ConstantKind::Literal(self.literal(expected)?),
        };
        self.advance()?;
        Ok(Constant { kind, position })
    }

    pub(super) fn argument_index(&self, digits: &str) -> Result<usize, QueryError> {
        digits.parse().map_err(|_| QueryError::BadToken {
            what: "the number of the argument is too large".to_owned(),
            position: self.current.start,
        })
    }

    /// The value of the current token, which is not consumed.
    fn literal(&self, expected: &'static str) -> Result<Literal, QueryError> {
        let position = self.current.start;
        Ok(match self.current.token {
            Token::Keyword(Keyword::Null) => Literal::Null,
            Token::Keyword(Keyword::True) => Literal::Bool(true),
            Token::Keyword(Keyword::False) => Literal::Bool(false),
            Token::Natural(text) | Token::Number(text) => {
                Literal::Int(literal::integer(text, position)?)
            }
            Token::Real(text) => match text.strip_suffix('f') {
                Some(single) => Literal::Single(single.into()),
                None => Literal::Real(text.into()),
            },
            Token::Special(text) => Literal::Real(text.into()),
            Token::Text(text) => Literal::String(text.into()),
            Token::Base64(text) => {
                let bytes = literal::base64(text, position)?;
                let text = String::from_utf8(bytes).map_err(|_| QueryError::BadToken {
                    what: "the base64 text is no UTF-8".to_owned(),
                    position,
                })?;
                Literal::String(text.into())
            }
            Token::Uuid(uuid) => Literal::Uuid(uuid),
            Token::ObjectId(oid) => Literal::ObjectId(oid),
            Token::Timestamp(timestamp) => Literal::Timestamp(timestamp),
            _ => return Err(self.unexpected(expected)),
        })
    }

    /// What follows BINARY.
    pub(super) fn binary(&mut self, position: usize) -> Result<Constant, QueryError> {
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let bytes: Arc<[u8]> = match self.current.token {
            Token::Text(text) => text.as_bytes().into(),
            Token::Base64(text) => literal::base64(text, self.current.start)?.into(),
            _ => return Err(self.unexpected("a string")),
        };
        self.advance()?;
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        Ok(Constant { kind: ConstantKind::Literal(Literal::Binary(bytes)), position })
    }

    /// `obj("Class", key)`
    fn object(&mut self) -> Result<Constant, QueryError> {
        let position = self.advance()?.start;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let Token::Text(class) = self.current.token else {
            return Err(self.unexpected("the name of a class in quotes"));
        };
        self.advance()?;
        self.expect(Symbol::Comma, "`,`")?;
        let key = match self.current.token {
            Token::Natural(_)
            | Token::Number(_)
            | Token::Text(_)
            | Token::Base64(_)
            | Token::Uuid(_)
            | Token::ObjectId(_)
            | Token::Argument(_) => self.constant("a primary key")?,
            _ => return Err(self.unexpected("a primary key")),
        };
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        let kind = ConstantKind::Object { class: class.to_owned(), key: Box::new(key) };
        Ok(Constant { kind, position })
    }
}

fn list_too_long(position: usize) -> QueryError {
    QueryError::ListTooLong { max_elements: LIST_MAX_ELEMENTS, position }
}
