//! BETWEEN, TEXT and GEOWITHIN.

use skerry_model::{CollectionType, IndexKind, PropertyType, Value};

use super::constant::Side;
use super::general::Typed;
use super::scalar::Site;
use super::{Checker, Kind, Scope};
use crate::ast::{Coordinate, Expression, Path, PointSyntax, Quantifier, RegionSyntax, Shape};
use crate::error::{QueryError, QueryErrorKind};
use crate::evaluated::{Evaluated, TextMatch, Within};
use crate::expression::{End, Expr, Hop, PathExpr};
use crate::geo::{GeoPoint, Region};
use crate::parser::parse_region;
use crate::predicate::{CompareOp, Predicate};
use crate::query::Argument;
use crate::text::TextQuery;

impl<'s> Checker<'s> {
    /// Both limits are compared by themselves, so over several objects one may satisfy the first and
    /// another the second. Of a collection of values it must be all.
    pub(super) fn between(
        &self,
        scope: &Scope<'s, '_>,
        left: &Expression,
        right: &Expression,
        position: usize,
    ) -> Result<Predicate, QueryError> {
        let Expression::List(limits) = right else {
            return Err(QueryError::BetweenNeedsTwo { actual: 1, position });
        };
        let [low, high] = limits.elements.as_slice() else {
            return Err(QueryError::BetweenNeedsTwo { actual: limits.elements.len(), position });
        };
        if let Expression::Path(path) = left
            && path.quantifier != Some(Quantifier::All)
            && self.plain_property(scope, left).is_none()
            && self.is_collection(scope, path)?
        {
            let what = "BETWEEN wants ALL before a collection";
            return Err(QueryError::unsupported(what, position));
        }
        let limit = |op, limit| {
            let site = Site { op, case_insensitive: false, position };
            let limit = Expression::Constant(limit);
            self.compare(scope, site, false, left, &limit)
        };
        Ok(Predicate::and([
            limit(CompareOp::GreaterOrEqual, low.clone())?,
            limit(CompareOp::LessOrEqual, high.clone())?,
        ]))
    }

    fn is_collection(&self, scope: &Scope<'s, '_>, path: &Path) -> Result<bool, QueryError> {
        let PathExpr { end, operation, .. } = self.path(scope, path)?.path;
        Ok(match end {
            End::Property { property, .. } if operation.is_none() => {
                property.collection != CollectionType::Single
            }
            End::Property { .. } | End::Objects | End::Incoming(_) => false,
        })
    }

    pub(super) fn text(
        &self,
        scope: &Scope<'s, '_>,
        left: &Expression,
        right: &Expression,
        position: usize,
    ) -> Result<Predicate, QueryError> {
        let Expression::Path(_) = left else {
            return Err(QueryError::unsupported("TEXT wants a property on its left", position));
        };
        let Typed { expr: Expr::Path(path), kind } = self.dynamic(scope, left)? else {
            return Err(QueryError::unsupported("TEXT wants a property on its left", position));
        };
        let wanted = match self.side(right, PropertyType::String)? {
            Side::Single(constant) => constant.plain(),
            Side::List(..) | Side::Dynamic => {
                return Err(QueryError::unsupported("TEXT wants words on its right", position));
            }
        };
        let words: &str = match &wanted {
            Value::String(words) => words,
            Value::Null => "",
            _ => {
                let what = "TEXT wants a text on its right";
                return Err(QueryError::mismatch(what, position));
            }
        };
        if !self.has_full_text(scope, &path) || kind != Kind::Value(PropertyType::String) {
            let what = "TEXT wants a property with a full-text index";
            return Err(QueryError::unsupported(what, position));
        }
        let query = TextQuery::parse(words)
            .map_err(|error| QueryError::bad_argument(error.to_string(), position))?;
        Ok(Predicate::Evaluated(Box::new(Evaluated::Text(TextMatch { path, query }))))
    }

    fn has_full_text(&self, scope: &Scope<'s, '_>, path: &PathExpr) -> bool {
        let class = path.hops.last().map_or(&scope.class.name, Hop::class);
        match &path.end {
            End::Property { property, selectors } if selectors.is_empty() => {
                self.schema.index(class, &property.name) == Some(IndexKind::FullText)
            }
            End::Property { .. } | End::Objects | End::Incoming(_) => false,
        }
    }

    pub(super) fn within(
        &self,
        scope: &Scope<'s, '_>,
        left: &Expression,
        right: &Expression,
        position: usize,
    ) -> Result<Predicate, QueryError> {
        let typed = self.dynamic(scope, left)?;
        let (Typed { expr: Expr::Path(path), .. }, Kind::Embedded(class)) = (&typed, &typed.kind)
        else {
            let what =
                format!("GEOWITHIN wants a point on its left, not {}", typed.kind.describe());
            return Err(QueryError::mismatch(what, position));
        };
        let is_point = self.schema.class(class).is_some_and(|class| {
            let has = |name, ty, collection| {
                let found = class.property(name);
                found.is_some_and(|found| found.ty == ty && found.collection == collection)
            };
            has("type", PropertyType::String, CollectionType::Single)
                && has("coordinates", PropertyType::Double, CollectionType::List)
        });
        if !is_point || path.end != End::Objects {
            let what = format!(
                "GEOWITHIN wants a point on its left, with type and coordinates, which class \"{class}\" does not have"
            );
            return Err(QueryError::mismatch(what, position));
        }
        let region = match right {
            Expression::Region(region) => self.region(region)?,
            right => self.region_argument(right, position)?,
        };
        let path = path.clone();
        Ok(Predicate::Evaluated(Box::new(Evaluated::Within(Within { path, region }))))
    }

    /// A region that an argument holds as text.
    fn region_argument(&self, right: &Expression, position: usize) -> Result<Region, QueryError> {
        let wrong = |what: String| QueryError::bad_argument(what, position);
        let Side::Single(constant) = self.side(right, PropertyType::String)? else {
            return Err(wrong("GEOWITHIN wants a region on its right, not a list".to_owned()));
        };
        let Value::String(text) = constant.plain() else {
            let found = constant.describe();
            return Err(wrong(format!("GEOWITHIN wants a region on its right, not {found}")));
        };
        let syntax = parse_region(&text)
            .map_err(|error| wrong(format!("the text of the region is malformed: {error}")))?;
        // Positions in the text of an argument say nothing about the query.
        self.region(&syntax).map_err(|error| match error {
            QueryError::Refused { kind, what, .. } => QueryError::refused(kind, what, position),
            error => error,
        })
    }

    fn region(&self, syntax: &RegionSyntax) -> Result<Region, QueryError> {
        let region = match &syntax.shape {
            Shape::Box(corner, opposite) => {
                Region::geo_box(self.point(corner)?, self.point(opposite)?)
            }
            Shape::Circle(center, radius) => {
                Region::circle(self.point(center)?, self.coordinate(radius)?)
            }
            Shape::Polygon(rings) => {
                let ring = |ring: &Vec<PointSyntax>| {
                    ring.iter().map(|point| self.point(point)).collect::<Result<Vec<_>, _>>()
                };
                Region::polygon(rings.iter().map(ring).collect::<Result<_, _>>()?)
            }
        };
        region.map_err(|error| {
            QueryError::refused(QueryErrorKind::BadArgument, error.to_string(), syntax.position)
        })
    }

    fn point(&self, point: &PointSyntax) -> Result<GeoPoint, QueryError> {
        let PointSyntax { longitude, latitude } = point;
        Ok(GeoPoint::new(self.coordinate(longitude)?, self.coordinate(latitude)?))
    }

    fn coordinate(&self, coordinate: &Coordinate) -> Result<f64, QueryError> {
        let (index, position) = match coordinate {
            Coordinate::Number(number) => return Ok(*number),
            Coordinate::Argument(index, position) => (*index, *position),
        };
        #[expect(clippy::cast_precision_loss, reason = "degrees are small, and others are refused")]
        match self.argument(index, position)? {
            Argument::Value(Value::Double(double)) => Ok(*double),
            Argument::Value(Value::Float(float)) => Ok(f64::from(*float)),
            Argument::Value(Value::Int(int)) => Ok(*int as f64),
            Argument::Value(_) | Argument::List(_) => {
                let what = format!("argument ${index} is a coordinate and so must be a number");
                Err(QueryError::bad_argument(what, position))
            }
        }
    }
}
