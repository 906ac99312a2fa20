//! Paths: names and indexes, and the operation at the end.

use skerry_model::Name;

use super::Parser;
use crate::ast::{Aggregate, Element, ElementKind, Index, Operation, Path, Quantifier};
use crate::error::QueryError;
use crate::limits::PATH_MAX_ELEMENTS;
use crate::literal;
use crate::token::{Keyword, Spanned, Symbol, Token};

impl<'a> Parser<'a> {
    /// Whether the current token begins a path.
    pub(super) fn begins_path(&self) -> bool {
        matches!(self.current.token, Token::KeyPathArgument(_)) || self.is_path_name()
    }

    /// Whether the current token is a name in a path.
    fn is_path_name(&self) -> bool {
        match self.current.token {
            Token::Identifier(_) | Token::Operation("links" | "keys" | "values") => true,
            Token::Keyword(keyword) => keyword.is_name(),
            _ => false,
        }
    }

    /// A path with its operation, from its first token on.
    pub(super) fn path(&mut self, quantifier: Option<Quantifier>) -> Result<Path, QueryError> {
        let first = self.advance()?;
        self.path_after(first, quantifier)
    }

    /// The same when the first token has been taken.
    pub(super) fn path_after(
        &mut self,
        first: Spanned<'a>,
        quantifier: Option<Quantifier>,
    ) -> Result<Path, QueryError> {
        let mut elements = vec![self.element(first)?];
        let operation = self.more_elements(&mut elements)?;
        Ok(Path { quantifier, elements, operation, position: first.start })
    }

    /// A path that ends without an operation, from its first token on.
    pub(super) fn path_elements(&mut self) -> Result<Path, QueryError> {
        let path = self.path(None)?;
        match path.operation {
            None => Ok(path),
            Some(_) => Err(self.unexpected("a path without an operation")),
        }
    }

    fn element(&self, token: Spanned<'a>) -> Result<Element, QueryError> {
        let kind = match token.token {
            Token::Operation("links") => ElementKind::Links,
            Token::Operation("keys") => ElementKind::Keys,
            Token::Operation("values") => ElementKind::Values,
            Token::KeyPathArgument(digits) => ElementKind::KeyPath(self.argument_index(digits)?),
            _ => ElementKind::Name(self.name(token)),
        };
        Ok(Element { kind, position: token.start })
    }

    fn name(&self, token: Spanned<'a>) -> Name {
        let spelling = &self.text[token.start..token.end];
        if spelling.contains('\\') {
            return Name::from(literal::unescape_name(spelling));
        }
        Name::from(spelling)
    }

    /// What follows the first element, up to and with the operation.
    fn more_elements(
        &mut self,
        elements: &mut Vec<Element>,
    ) -> Result<Option<Operation>, QueryError> {
        loop {
            if elements.len() == PATH_MAX_ELEMENTS {
                return Err(QueryError::ListTooLong {
                    max_elements: PATH_MAX_ELEMENTS,
                    position: self.current.start,
                });
            }
            let position = self.current.start;
            if self.accept(Symbol::OpenBracket)? {
                let Some(index) = self.index()? else { return Ok(Some(Operation::Count)) };
                elements.push(Element { kind: ElementKind::Index(index), position });
                continue;
            }
            if !self.accept(Symbol::Dot)? {
                return Ok(None);
            }
            if let Token::Operation(word) = self.current.token
                && let Some(operation) = self.operation(word)?
            {
                return Ok(Some(operation));
            }
            if !self.is_path_name() {
                return Err(self.unexpected("the name of a property"));
            }
            let next = self.advance()?;
            elements.push(self.element(next)?);
        }
    }

    /// The rest of `[…]`; `None` for `[SIZE]`.
    fn index(&mut self) -> Result<Option<Index>, QueryError> {
        let index = match self.current.token {
            Token::Natural(digits) => {
                let position = literal::integer(digits, self.current.start)?;
                Some(Index::Position(position.unsigned_abs()))
            }
            Token::Keyword(Keyword::First) => Some(Index::First),
            Token::Keyword(Keyword::Last) => Some(Index::Last),
            Token::Keyword(Keyword::Size) => None,
            Token::Symbol(Symbol::Times) => Some(Index::Every),
            Token::Text(key) => Some(Index::Key(key.into())),
            Token::Argument(digits) => Some(Index::Argument(self.argument_index(digits)?)),
            _ => return Err(self.unexpected("a position, a key, FIRST, LAST, SIZE or `*`")),
        };
        self.advance()?;
        self.expect(Symbol::CloseBracket, "`]`")?;
        Ok(index)
    }

    /// The operation that a word is; `None` for those that stand inside paths.
    fn operation(&mut self, word: &str) -> Result<Option<Operation>, QueryError> {
        let aggregate = match word {
            "count" | "size" | "type" => {
                self.advance()?;
                let is_type = word == "type";
                return Ok(Some(if is_type { Operation::Type } else { Operation::Count }));
            }
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "sum" => Aggregate::Sum,
            "avg" => Aggregate::Average,
            _ => return Ok(None),
        };
        self.advance()?;
        if !self.accept(Symbol::Dot)? {
            return Ok(Some(Operation::Aggregate(aggregate, None)));
        }
        if !self.is_path_name() {
            return Err(self.unexpected("the name of a property"));
        }
        let property = self.advance()?;
        Ok(Some(Operation::Aggregate(aggregate, Some(self.name(property)))))
    }
}
