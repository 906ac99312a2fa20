//! Regions of the earth.

use super::Parser;
use crate::ast::{Coordinate, Expression, PointSyntax, RegionSyntax, Shape};
use crate::error::QueryError;
use crate::limits::REGION_MAX_POINTS;
use crate::token::{Keyword, Symbol, Token};

impl Parser<'_> {
    /// What stands on the right of GEOWITHIN.
    pub(super) fn region_or_argument(&mut self) -> Result<Expression, QueryError> {
        match self.current.token {
            Token::Argument(_) => self.constant("an argument").map(Expression::Constant),
            _ => self.region().map(Expression::Region),
        }
    }

    pub(super) fn region(&mut self) -> Result<RegionSyntax, QueryError> {
        let word = self.current;
        if word.token != Token::Keyword(Keyword::GeoShape) {
            return Err(self.unexpected("geoBox, geoCircle, geoPolygon or an argument"));
        }
        self.advance()?;
        self.expect(Symbol::OpenParenthesis, "`(`")?;
        let name = self.text[word.start..word.end].to_ascii_lowercase();
        let shape = match name.as_str() {
            "geobox" => {
                let corner = self.point()?;
                self.expect(Symbol::Comma, "`,`")?;
                Shape::Box(corner, self.point()?)
            }
            "geocircle" => {
                let center = self.point()?;
                self.expect(Symbol::Comma, "`,`")?;
                Shape::Circle(center, self.coordinate()?)
            }
            _ => Shape::Polygon(self.rings()?),
        };
        self.expect(Symbol::CloseParenthesis, "`)`")?;
        Ok(RegionSyntax { shape, position: word.start })
    }

    /// `{point, …}, …`
    fn rings(&mut self) -> Result<Vec<Vec<PointSyntax>>, QueryError> {
        let mut rings = Vec::new();
        let mut points = 0;
        loop {
            self.expect(Symbol::OpenBrace, "`{`")?;
            let mut ring = Vec::new();
            loop {
                points += 1;
                if points > REGION_MAX_POINTS {
                    return Err(QueryError::ListTooLong {
                        max_elements: REGION_MAX_POINTS,
                        position: self.current.start,
                    });
                }
                ring.push(self.point()?);
                if self.accept(Symbol::CloseBrace)? {
                    break;
                }
                self.expect(Symbol::Comma, "`,` or `}`")?;
            }
            rings.push(ring);
            if !self.accept(Symbol::Comma)? {
                return Ok(rings);
            }
        }
    }

    /// `[longitude, latitude]`, perhaps with an altitude, which does not count.
    fn point(&mut self) -> Result<PointSyntax, QueryError> {
        self.expect(Symbol::OpenBracket, "`[`")?;
        let longitude = self.coordinate()?;
        self.expect(Symbol::Comma, "`,`")?;
        let latitude = self.coordinate()?;
        if self.accept(Symbol::Comma)? {
            match self.current.token {
                Token::Real(_) => self.advance()?,
                _ => return Err(self.unexpected("an altitude with a point")),
            };
        }
        self.expect(Symbol::CloseBracket, "`]`")?;
        Ok(PointSyntax { longitude, latitude })
    }

    /// A number without a sign, a number with a point, or an argument, as the engine's grammar has it.
    fn coordinate(&mut self) -> Result<Coordinate, QueryError> {
        let position = self.current.start;
        let coordinate = match self.current.token {
            Token::Natural(digits) | Token::Real(digits) => {
                let digits = digits.strip_suffix('f').unwrap_or(digits);
                let number = digits.parse().map_err(|_| QueryError::BadToken {
                    what: "the coordinate is no number".to_owned(),
                    position,
                })?;
                Coordinate::Number(number)
            }
            Token::Argument(digits) => Coordinate::Argument(self.argument_index(digits)?, position),
            _ => return Err(self.unexpected("a coordinate (with a point if it has a sign)")),
        };
        self.advance()?;
        Ok(coordinate)
    }
}
