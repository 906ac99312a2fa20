//! Comparisons of anything with anything: paths, lists, operations, arithmetic.

use skerry_model::{CollectionType, PropertyType, Value};

use super::constant::{Side, is_constant};
use super::scalar::{Site, is_number};
use super::{Checker, Kind, Scope};
use crate::adapt::Raw;
use crate::ast::{ArithmeticSyntax, Expression, Operation, Quantifier, SubquerySyntax};
use crate::error::QueryError;
use crate::evaluated::Evaluated;
use crate::expression::{
    Arithmetic, Comparison, End, Expr, Hop, PathExpr, PathOperation, Selector, Subquery,
};
use crate::predicate::{CompareOp, Predicate};
use crate::types::TypeSet;

/// A typed expression and the kind of its values.
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) kind: Kind,
}

impl<'s> Checker<'s> {
    pub(super) fn general(
        &self,
        scope: &Scope<'s, '_>,
        site: Site,
        is_in: bool,
        left: &Expression,
        right: &Expression,
    ) -> Result<Predicate, QueryError> {
        let Site { op, case_insensitive, position } = site;
        if is_constant(left) && is_constant(right) {
            return Err(QueryError::TwoConstants { position });
        }
        let (left, right) = self.both(scope, left, right, position)?;
        verify(site, is_in, &left, &right)?;
        let case_insensitive = case_insensitive && (is_text(&left.kind) || is_text(&right.kind));
        let (left, right) = (left.expr, right.expr);
        let comparison = Comparison { left, op, right, case_insensitive };
        Ok(Predicate::Evaluated(Box::new(Evaluated::Compare(comparison))))
    }

    /// Types two sides of which one is not constant; a constant takes the kind of the other side.
    fn both(
        &self,
        scope: &Scope<'s, '_>,
        left: &Expression,
        right: &Expression,
        position: usize,
    ) -> Result<(Typed, Typed), QueryError> {
        if is_constant(right) {
            let left = self.dynamic(scope, left)?;
            let right = self.constant(right, &left.kind, position)?;
            return Ok((left, right));
        }
        let right = self.dynamic(scope, right)?;
        let left = if is_constant(left) {
            self.constant(left, &right.kind, position)?
        } else {
            self.dynamic(scope, left)?
        };
        Ok((left, right))
    }

    /// Types an expression in which a property takes part.
    pub(super) fn dynamic(
        &self,
        scope: &Scope<'s, '_>,
        expression: &Expression,
    ) -> Result<Typed, QueryError> {
        match expression {
            Expression::Path(path) => {
                let resolved = self.path(scope, path)?;
                if path.operation == Some(Operation::Type)
                    && let Some(types) = Self::static_type(&resolved.path)
                {
                    let expr = Expr::Types { quantifier: None, is_list: false, types: vec![types] };
                    return Ok(Typed { expr, kind: Kind::Type });
                }
                Ok(Typed { expr: Expr::Path(resolved.path), kind: resolved.kind })
            }
            Expression::Subquery(subquery) => self.subquery(scope, subquery),
            Expression::Arithmetic(arithmetic) => self.arithmetic(scope, arithmetic),
            Expression::Constant(_)
            | Expression::List(_)
            | Expression::ListArgument(..)
            | Expression::Region(_) => {
                let what = "a property must take part here";
                Err(QueryError::unsupported(what, expression.position()))
            }
        }
    }

    /// The type of all values of a path, where the schema tells it.
    fn static_type(path: &PathExpr) -> Option<TypeSet> {
        let property = match &path.end {
            End::Objects | End::Incoming(_) => return TypeSet::from_name("link"),
            End::Property { property, .. } => property,
        };
        match property.ty {
            _ if property.collection == CollectionType::Dictionary => None,
            PropertyType::Mixed => None,
            PropertyType::Link => TypeSet::from_name("link"),
            ty => TypeSet::of_property(ty),
        }
    }

    fn subquery(
        &self,
        scope: &Scope<'s, '_>,
        subquery: &SubquerySyntax,
    ) -> Result<Typed, QueryError> {
        let SubquerySyntax { path, variable, condition, position } = subquery;
        let position = *position;
        if scope.has_variable(variable) {
            let what = format!("the variable {variable} exists already further out");
            return Err(QueryError::unsupported(what, position));
        }
        let path = self.path(scope, path)?.path;
        let (End::Objects, Some(last)) = (&path.end, path.hops.last()) else {
            return Err(no_list_of_objects(position));
        };
        let is_list = match last {
            Hop::Link { property, selector, .. } => {
                property.collection == CollectionType::List && selector.is_none()
            }
            Hop::Backlinks { .. } => true,
        };
        let class = self.schema.class(last.class()).filter(|_| is_list);
        let class = class.ok_or_else(|| no_list_of_objects(position))?;
        let inner = Scope { class, variable: Some(variable), outer: Some(scope) };
        let predicate = self.condition(&inner, condition)?;
        let variable = variable.clone();
        let subquery = Subquery { path, variable, predicate };
        let expr = Expr::Subquery(Box::new(subquery));
        Ok(Typed { expr, kind: Kind::Value(PropertyType::Int) })
    }

    fn arithmetic(
        &self,
        scope: &Scope<'s, '_>,
        arithmetic: &ArithmeticSyntax,
    ) -> Result<Typed, QueryError> {
        let ArithmeticSyntax { left, op, right, position, .. } = arithmetic;
        let position = *position;
        let (left, right) = self.both(scope, left, right, position)?;
        let ty = match (&left.kind, &right.kind) {
            (Kind::Value(left), Kind::Value(right)) => common_number(*left, *right),
            _ => None,
        };
        let Some(ty) = ty else {
            let (left, right) = (left.kind.describe(), right.kind.describe());
            let what = format!("{left} and {right} are no numbers to calculate with");
            return Err(QueryError::mismatch(what, position));
        };
        let is_list = |expr: &Expr| expr.is_list() || is_collection(expr);
        if is_list(&left.expr) && is_list(&right.expr) {
            return Err(QueryError::unsupported("two lists cannot be calculated with", position));
        }
        let (left, op, right) = (left.expr, *op, right.expr);
        let expr = Expr::Arithmetic(Box::new(Arithmetic { left, op, right }));
        Ok(Typed { expr, kind: Kind::Value(ty) })
    }

    /// Types a constant that meets values of a kind.
    pub(super) fn constant(
        &self,
        expression: &Expression,
        kind: &Kind,
        position: usize,
    ) -> Result<Typed, QueryError> {
        let ty = match kind {
            Kind::Value(ty) => *ty,
            Kind::Link(_) | Kind::Embedded(_) | Kind::Null | Kind::Type | Kind::Any => {
                PropertyType::Mixed
            }
        };
        match self.side(expression, ty)? {
            Side::Single(constant) if *kind == Kind::Type => {
                let types = vec![type_named(&constant, position)?];
                let expr = Expr::Types { quantifier: None, is_list: false, types };
                Ok(Typed { expr, kind: Kind::Type })
            }
            Side::Single(constant) => {
                let (value, kind) = self.fitted(&constant, kind, position)?;
                Ok(Typed { expr: Expr::Constant(value), kind })
            }
            Side::List(quantifier, elements) if *kind == Kind::Type => {
                let types = elements.iter().map(|element| type_named(element, position));
                let types = types.collect::<Result<_, _>>()?;
                let expr = Expr::Types { quantifier, is_list: true, types };
                Ok(Typed { expr, kind: Kind::Type })
            }
            Side::List(quantifier, elements) => self.list(quantifier, &elements, kind, position),
            Side::Dynamic => Err(QueryError::unsupported("a constant must stand here", position)),
        }
    }

    fn list(
        &self,
        quantifier: Option<Quantifier>,
        elements: &[Raw],
        kind: &Kind,
        position: usize,
    ) -> Result<Typed, QueryError> {
        let values = elements.iter().map(|element| match self.fitted(element, kind, position) {
            Ok((value, _)) => Ok(value),
            // What cannot be compared is just unequal, in a list.
            Err(QueryError::BadValue { .. }) => Ok(element.plain()),
            Err(error) => Err(error),
        });
        let values = values.collect::<Result<_, _>>()?;
        Ok(Typed { expr: Expr::List { quantifier, values }, kind: Kind::Any })
    }
}

fn no_list_of_objects(position: usize) -> QueryError {
    let what = "SUBQUERY wants a path to a list of objects, or to objects that link here";
    QueryError::unsupported(what, position)
}

fn type_named(constant: &Raw, position: usize) -> Result<TypeSet, QueryError> {
    let Value::String(name) = constant.plain() else {
        let what =
            format!("@type is compared with names of types, not with {}", constant.describe());
        return Err(QueryError::mismatch(what, position));
    };
    TypeSet::from_name(&name).ok_or_else(|| {
        let what = format!("{} is no name of a type", constant.describe());
        QueryError::bad_argument(what, position)
    })
}

/// The type of an operation on numbers of two types; mixed where it is not known before.
fn common_number(left: PropertyType, right: PropertyType) -> Option<PropertyType> {
    let rank = |ty| match ty {
        PropertyType::Int => Some(0),
        PropertyType::Float => Some(1),
        PropertyType::Double => Some(2),
        PropertyType::Decimal => Some(3),
        PropertyType::Mixed => Some(4),
        _ => None,
    };
    Some(if rank(left)? >= rank(right)? { left } else { right })
}

fn is_text(kind: &Kind) -> bool {
    match kind {
        Kind::Value(ty) => {
            matches!(ty, PropertyType::String | PropertyType::Binary | PropertyType::Mixed)
        }
        Kind::Any => true,
        Kind::Link(_) | Kind::Embedded(_) | Kind::Null | Kind::Type => false,
    }
}

/// Refuses what does not compare.
fn verify(site: Site, is_in: bool, left: &Typed, right: &Typed) -> Result<(), QueryError> {
    let Site { op, position, .. } = site;
    if is_collection(&left.expr) && is_collection(&right.expr) {
        let what = "two collections of values cannot be compared";
        return Err(QueryError::unsupported(what, position));
    }
    if is_type_constant(&left.expr) && is_type_constant(&right.expr) {
        return Err(QueryError::TwoConstants { position });
    }
    for (one, other) in [(left, right), (right, left)] {
        if is_null(&other.expr) && is_many_objects(&one.expr) {
            let what = "a path to several objects cannot be compared with null";
            return Err(QueryError::unsupported(what, position));
        }
    }
    let mismatch = || QueryError::TypeMismatch {
        left: left.kind.describe(),
        right: right.kind.describe(),
        position,
    };
    if op.is_string_operator() {
        if left.kind == Kind::Type {
            return Err(bad_operator(op, &left.kind, position));
        }
        let is_searchable = is_text(&right.kind) || right.kind == Kind::Null;
        return if is_searchable { Ok(()) } else { Err(bad_operator(op, &right.kind, position)) };
    }
    let is_ordered = !matches!(op, CompareOp::Equal | CompareOp::NotEqual);
    let without_order =
        |kind: &Kind| matches!(kind, Kind::Link(_) | Kind::Embedded(_) | Kind::Type);
    if is_ordered && without_order(&left.kind) {
        return Err(bad_operator(op, &left.kind, position));
    }
    if is_ordered && without_order(&right.kind) && left.kind != Kind::Value(PropertyType::Mixed) {
        return Err(bad_operator(op, &right.kind, position));
    }
    if let (Kind::Link(target), Kind::Link(class)) = (&left.kind, &right.kind)
        && target != class
    {
        let (path, target) = ("the left side".to_owned(), target.clone());
        return Err(QueryError::LinkClass { path, target, class: class.clone(), position });
    }
    if !compare(&left.kind, &right.kind) {
        return Err(mismatch());
    }
    if is_in && !is_in_list(&right.expr) {
        return Err(QueryError::InNeedsList { position });
    }
    Ok(())
}

fn bad_operator(op: CompareOp, kind: &Kind, position: usize) -> QueryError {
    QueryError::BadOperator { operator: op.symbol(), ty: kind.describe(), position }
}

/// Whether values of the kinds compare.
fn compare(left: &Kind, right: &Kind) -> bool {
    match (left, right) {
        (Kind::Type, other) | (other, Kind::Type) => *other == Kind::Type,
        (Kind::Any | Kind::Null, _) | (_, Kind::Any | Kind::Null) => true,
        (Kind::Value(left), Kind::Value(right)) => {
            left == right
                || (is_number(*left) && is_number(*right))
                || *left == PropertyType::Mixed
                || *right == PropertyType::Mixed
        }
        (Kind::Link(left), Kind::Link(right)) => left == right,
        (Kind::Link(_), Kind::Value(ty)) | (Kind::Value(ty), Kind::Link(_)) => {
            *ty == PropertyType::Mixed
        }
        (Kind::Embedded(_), _) | (_, Kind::Embedded(_)) => false,
    }
}

/// Whether the expression is a collection property, or an element of one.
fn is_collection(expr: &Expr) -> bool {
    match expr {
        Expr::Path(PathExpr { end: End::Property { property, .. }, operation, .. }) => {
            property.collection != CollectionType::Single
                && matches!(operation, None | Some(PathOperation::Length))
        }
        _ => false,
    }
}

fn is_type_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Types { .. })
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(Value::Null))
}

fn is_many_objects(expr: &Expr) -> bool {
    match expr {
        Expr::Path(PathExpr { end: End::Objects, operation: None, is_list, .. }) => *is_list,
        _ => false,
    }
}

/// Whether IN takes the expression for a list.
fn is_in_list(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => {
            let keys = matches!(&path.end, End::Property { selectors, .. }
                if selectors.last() == Some(&Selector::Keys));
            path.is_list && !keys
        }
        expr => expr.is_list(),
    }
}
