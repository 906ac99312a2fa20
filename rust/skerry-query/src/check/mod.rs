//! From syntax to the typed form: names are resolved, arguments put in, constants adapted to what they
//! meet, and what does not compare is refused.
//!
//! `scalar` makes the comparisons of one property with constants, `path` resolves paths, `general`
//! types everything else. Which of two sides is looked at first, and so which of two errors is told,
//! follows the engine.

mod constant;
mod general;
mod path;
mod scalar;
mod special;

use skerry_model::{ClassSchema, Name, PropertyType, Schema, Value};

use crate::adapt::type_name;
use crate::ast::{
    Comparison, Condition, DescriptorSyntax, Element, ElementKind, Expression, Operator, Path,
    Quantifier, Syntax,
};
use crate::descriptor::{Descriptor, SortKey};
use crate::error::QueryError;
use crate::expression::PathExpr;
use crate::parser::parse;
use crate::predicate::{CompareOp, Predicate, PropertyRef};
use crate::query::{Argument, Query, Targets};

use constant::Side;
use scalar::{ConstantOn, Site};

pub(crate) fn compile(
    schema: &Schema,
    class: &str,
    text: &str,
    arguments: &[Argument],
    targets: &dyn Targets,
) -> Result<Query, QueryError> {
    let Some(class) = schema.class(class) else {
        return Err(QueryError::UnknownClass { class: class.to_owned(), position: 0 });
    };
    let Syntax { condition, descriptors } = parse(text)?;
    let checker = Checker { schema, arguments, targets };
    let scope = Scope { class, variable: None, outer: None };
    let predicate = checker.condition(&scope, &condition)?;
    let descriptors = descriptors.iter().map(|descriptor| checker.descriptor(&scope, descriptor));
    Ok(Query {
        class: class.name.clone(),
        predicate,
        descriptors: descriptors.collect::<Result<_, _>>()?,
    })
}

/// The typed form of a condition on objects of `class`.
pub(crate) fn condition(
    schema: &Schema,
    class: &ClassSchema,
    condition: &Condition,
    arguments: &[Argument],
    targets: &dyn Targets,
) -> Result<Predicate, QueryError> {
    let scope = Scope { class, variable: None, outer: None };
    Checker { schema, arguments, targets }.condition(&scope, condition)
}

struct Checker<'s> {
    schema: &'s Schema,
    arguments: &'s [Argument],
    targets: &'s dyn Targets,
}

/// What names stand for: the properties of a class, and inside a SUBQUERY its variable.
struct Scope<'s, 'o> {
    class: &'s ClassSchema,
    variable: Option<&'o Name>,
    outer: Option<&'o Scope<'s, 'o>>,
}

impl Scope<'_, '_> {
    /// Whether the name is a variable here or further out.
    fn has_variable(&self, name: &Name) -> bool {
        self.variable == Some(name) || self.outer.is_some_and(|outer| outer.has_variable(name))
    }

    /// The elements behind the variable, if they begin with it.
    fn without_variable<'e>(&self, elements: &'e [Element]) -> Result<&'e [Element], QueryError> {
        let [Element { kind: ElementKind::Name(name), position }, rest @ ..] = elements else {
            return Ok(elements);
        };
        if self.variable == Some(name) {
            return Ok(rest);
        }
        if self.has_variable(name) {
            let what = format!("{name} belongs to an outer SUBQUERY, which cannot be seen here");
            return Err(QueryError::unsupported(what, *position));
        }
        Ok(elements)
    }
}

/// What the values of an expression are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Values of a type, which is no link.
    Value(PropertyType),
    /// Links to objects of a class.
    Link(Name),
    /// Embedded objects of a class.
    Embedded(Name),
    /// Null.
    Null,
    /// Types.
    Type,
    /// Constants of any types.
    Any,
}

impl Kind {
    /// As error texts have it.
    fn describe(&self) -> &'static str {
        match self {
            Self::Value(ty) => type_name(*ty),
            Self::Link(_) => "link",
            Self::Embedded(_) => "embedded object",
            Self::Null => "null",
            Self::Type => "@type",
            Self::Any => "a list",
        }
    }
}

impl<'s> Checker<'s> {
    fn condition(
        &self,
        scope: &Scope<'s, '_>,
        condition: &Condition,
    ) -> Result<Predicate, QueryError> {
        let all = |parts: &[Condition]| {
            parts.iter().map(|part| self.condition(scope, part)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match condition {
            Condition::True => Predicate::True,
            Condition::False => Predicate::False,
            Condition::And(parts) => Predicate::and(all(parts)?),
            Condition::Or(parts) => Predicate::or(all(parts)?),
            Condition::Not(part) => Predicate::negated(self.condition(scope, part)?),
            Condition::Comparison(comparison) => self.comparison(scope, comparison)?,
        })
    }

    fn comparison(
        &self,
        scope: &Scope<'s, '_>,
        comparison: &Comparison,
    ) -> Result<Predicate, QueryError> {
        let Comparison { left, operator, case_insensitive, right, position } = comparison;
        let position = *position;
        let op = match operator {
            Operator::Between => return self.between(scope, left, right, position),
            Operator::Text => return self.text(scope, left, right, position),
            Operator::GeoWithin => return self.within(scope, left, right, position),
            Operator::In => CompareOp::Equal,
            Operator::Compare(op) => *op,
        };
        let site = Site { op, case_insensitive: *case_insensitive, position };
        let is_in = *operator == Operator::In;
        self.compare(scope, site, is_in, left, right)
    }

    /// `left op right`; with IN the right side must be a list.
    fn compare(
        &self,
        scope: &Scope<'s, '_>,
        site: Site,
        is_in: bool,
        left: &Expression,
        right: &Expression,
    ) -> Result<Predicate, QueryError> {
        let position = site.position;
        let class = scope.class;
        match (self.plain_property(scope, left), self.plain_property(scope, right)) {
            (Some(left), Some(right)) if !is_in => {
                return Self::two_properties(class, site, left, right);
            }
            (Some(_), Some(_)) => return Err(QueryError::InNeedsList { position }),
            (Some(property), None) => match self.side(right, property.ty)? {
                Side::Single(_) if is_in => return Err(QueryError::InNeedsList { position }),
                Side::Single(constant) => {
                    return self.with_constant(class, site, property, &constant, ConstantOn::Right);
                }
                Side::List(None | Some(Quantifier::Any), list) => {
                    return self.with_list(class, site, &property, &list, ConstantOn::Right);
                }
                Side::List(Some(_), _) | Side::Dynamic => {}
            },
            (None, Some(property)) => match self.side(left, property.ty)? {
                Side::Single(_) | Side::List(..) if is_in => {
                    return Err(QueryError::InNeedsList { position });
                }
                Side::Single(constant) => {
                    return self.with_constant(class, site, property, &constant, ConstantOn::Left);
                }
                Side::List(None | Some(Quantifier::Any), list) => {
                    return self.with_list(class, site, &property, &list, ConstantOn::Left);
                }
                Side::List(Some(_), _) | Side::Dynamic => {}
            },
            (None, None) => {}
        }
        self.general(scope, site, is_in, left, right)
    }

    /// The property that the expression is, if it is nothing but a scalar of the object itself.
    fn plain_property(
        &self,
        scope: &Scope<'s, '_>,
        expression: &Expression,
    ) -> Option<PropertyRef> {
        let Expression::Path(Path { quantifier: None, elements, operation: None, .. }) = expression
        else {
            return None;
        };
        let name: &str = match elements.as_slice() {
            [Element { kind: ElementKind::Name(name), .. }] if !scope.has_variable(name) => name,
            [
                Element { kind: ElementKind::Name(variable), .. },
                Element { kind: ElementKind::Name(name), .. },
            ] if scope.variable == Some(variable) => name,
            [Element { kind: ElementKind::KeyPath(index), .. }] => {
                match self.arguments.get(*index) {
                    Some(Argument::Value(Value::String(name))) => name,
                    Some(_) | None => return None,
                }
            }
            _ => return None,
        };
        let property = PropertyRef::resolve(scope.class, name)?;
        let is_plain = self.schema.is_scalar(&scope.class.properties[property.index]);
        is_plain.then_some(property)
    }

    fn descriptor(
        &self,
        scope: &Scope<'s, '_>,
        descriptor: &DescriptorSyntax,
    ) -> Result<Descriptor, QueryError> {
        Ok(match descriptor {
            DescriptorSyntax::Sort(keys) => {
                let keys = keys.iter().map(|(path, direction)| {
                    Ok(SortKey { path: self.sort_path(scope, path)?, direction: *direction })
                });
                Descriptor::Sort(keys.collect::<Result<_, QueryError>>()?)
            }
            DescriptorSyntax::Distinct(paths) => {
                let paths = paths.iter().map(|path| self.sort_path(scope, path));
                Descriptor::Distinct(paths.collect::<Result<_, _>>()?)
            }
            DescriptorSyntax::Limit(limit) => Descriptor::Limit(*limit),
        })
    }

    /// A path that gives each object one value to be sorted by.
    fn sort_path(&self, scope: &Scope<'s, '_>, path: &Path) -> Result<PathExpr, QueryError> {
        let resolved = self.path(scope, path)?.path;
        if resolved.is_list || !resolved.is_unary() || resolved.operation.is_some() {
            let what = "objects cannot be sorted or told apart by a collection";
            return Err(QueryError::unsupported(what, path.position));
        }
        Ok(resolved)
    }
}
