//! SORT, DISTINCT and LIMIT.

use super::Parser;
use crate::Direction;
use crate::ast::{DescriptorSyntax, Path};
use crate::error::QueryError;
use crate::limits::{DESCRIPTOR_MAX_KEYS, DESCRIPTORS_MAX};
use crate::literal;
use crate::token::{Keyword, Symbol, Token};

impl Parser<'_> {
    pub(super) fn descriptors(&mut self) -> Result<Vec<DescriptorSyntax>, QueryError> {
        let mut descriptors = Vec::new();
        loop {
            let position = self.current.start;
            let descriptor = match self.current.token {
                Token::Keyword(Keyword::Sort) => DescriptorSyntax::Sort(self.keys(Self::sort_key)?),
                Token::Keyword(Keyword::Distinct) => {
                    DescriptorSyntax::Distinct(self.keys(Self::own_path)?)
                }
                Token::Keyword(Keyword::Limit) => DescriptorSyntax::Limit(self.limit()?),
                _ => return Ok(descriptors),
            };
            if descriptors.len() == DESCRIPTORS_MAX {
                return Err(QueryError::ListTooLong { max_elements: DESCRIPTORS_MAX, position });
            }
            descriptors.push(descriptor);
        }
    }

    /// `(key, key, …)` after SORT or DISTINCT.
    fn keys<K>(
        &mut self,
        key: impl Fn(&mut Self) -> Result<K, QueryError>,
    ) -> Result<Vec<K>, QueryError> {
        self.advance()?;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let mut keys = Vec::new();
        loop {
            if keys.len() == DESCRIPTOR_MAX_KEYS {
                return Err(QueryError::ListTooLong {
                    max_elements: DESCRIPTOR_MAX_KEYS,
                    position: self.current.start,
                });
            }
            keys.push(key(self)?);
            if self.accept(Symbol::CloseParenthesis)? {
                return Ok(keys);
            }
            self.expect(Symbol::Comma, "`,` or `)`")?;
        }
    }

    fn own_path(&mut self) -> Result<Path, QueryError> {
        match self.current.token {
            Token::KeyPathArgument(_) => Err(self.unexpected("the name of a property")),
            _ if self.begins_path() => self.path_elements(),
            _ => Err(self.unexpected("the name of a property")),
        }
    }

    fn sort_key(&mut self) -> Result<(Path, Direction), QueryError> {
        let path = self.own_path()?;
        let direction = match self.current.token {
            Token::Keyword(Keyword::Ascending) => Direction::Ascending,
            Token::Keyword(Keyword::Descending) => Direction::Descending,
            _ => return Err(self.unexpected("ASC or DESC")),
        };
        self.advance()?;
        Ok((path, direction))
    }

    fn limit(&mut self) -> Result<u64, QueryError> {
        self.advance()?;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let Token::Natural(digits) = self.current.token else {
            return Err(self.unexpected("a number of objects"));
        };
        let limit = literal::integer(digits, self.current.start)?;
        self.advance()?;
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        Ok(u64::try_from(limit).expect("a natural number is not negative"))
    }
}
