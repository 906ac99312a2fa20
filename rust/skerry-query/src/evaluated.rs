//! Conditions that only the evaluator decides, because they are more than one property against
//! constants.

use skerry_model::{Content, Value};

use crate::ast::Quantifier;
use crate::compare::{self, Rule};
use crate::eval::{Objects, Row};
use crate::expression::{Comparison, End, Expr, PathExpr, Selector};
use crate::geo::{GeoPoint, Region};
use crate::predicate::{CompareOp, PropertyRef};
use crate::text::TextQuery;
use crate::values::{Datum, Evaluator, Values};
use crate::walk::Node;

/// A condition that only the evaluator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluated {
    /// `left op right`
    Compare(Comparison),
    /// `path TEXT 'words'`
    Text(TextMatch),
    /// `path GEOWITHIN region`
    Within(Within),
}

/// `path TEXT 'words'`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMatch {
    /// Where the text is: a property with a full-text index at its end.
    pub path: PathExpr,
    /// What must be in it.
    pub query: TextQuery,
}

/// `path GEOWITHIN region`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Within {
    /// Where the points are: embedded objects with `type` and `coordinates`.
    pub path: PathExpr,
    /// The region.
    pub region: Region,
}

impl Evaluated {
    /// Whether the object matches.
    pub fn matches(&self, row: &dyn Row, objects: &dyn Objects) -> bool {
        let evaluator = Evaluator { row, objects };
        match self {
            Self::Compare(comparison) => compare(comparison, &evaluator),
            Self::Text(TextMatch { path, query }) => {
                let values = evaluator.path(path);
                let matches = |datum: &Datum| match datum {
                    Datum::Value(Value::String(text)) => query.matches(Some(text)),
                    Datum::Value(Value::Null) => query.matches(None),
                    _ => false,
                };
                quantified(path.quantifier, values.iter(), matches)
            }
            Self::Within(within) => within.matches(&evaluator),
        }
    }

    /// Calls `visit` for every property of the object itself that the condition reads.
    pub fn visit_properties<'a>(&'a self, visit: &mut impl FnMut(&'a PropertyRef)) {
        match self {
            Self::Compare(comparison) => {
                comparison.left.visit_properties(visit);
                comparison.right.visit_properties(visit);
            }
            Self::Text(TextMatch { path, .. }) | Self::Within(Within { path, .. }) => {
                path.visit_properties(visit);
            }
        }
    }

    /// Whether it depends on other objects than the one it is evaluated on.
    pub fn reaches_objects(&self) -> bool {
        match self {
            Self::Compare(comparison) => {
                reaches_objects(&comparison.left) || reaches_objects(&comparison.right)
            }
            Self::Text(TextMatch { path, .. }) | Self::Within(Within { path, .. }) => {
                path.reaches_objects()
            }
        }
    }

    /// The list property and the constants, if the condition is that some element of a list of
    /// scalars of the object itself equals one of the constants.
    pub fn as_any_equal(&self) -> Option<(&PropertyRef, &[Value])> {
        let Self::Compare(Comparison {
            left,
            op: CompareOp::Equal,
            right,
            case_insensitive: false,
        }) = self
        else {
            return None;
        };
        let ((Expr::Path(path), constant) | (constant, Expr::Path(path))) = (left, right) else {
            return None;
        };
        let property = path.as_property().filter(|_| path.is_list)?;
        let some = |quantifier| matches!(quantifier, None | Some(Quantifier::Any));
        match constant {
            Expr::Constant(value) if some(path.quantifier) => {
                Some((property, std::slice::from_ref(value)))
            }
            // Without ANY before it a list is compared as a whole.
            Expr::List { quantifier, values }
                if path.quantifier == Some(Quantifier::Any) && some(*quantifier) =>
            {
                Some((property, values))
            }
            _ => None,
        }
    }
}

fn reaches_objects(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(_) | Expr::List { .. } | Expr::Types { .. } => false,
        Expr::Path(path) => path.reaches_objects(),
        Expr::Subquery(subquery) => {
            subquery.path.reaches_objects() || subquery.predicate.reaches_objects()
        }
        Expr::Arithmetic(arithmetic) => {
            reaches_objects(&arithmetic.left) || reaches_objects(&arithmetic.right)
        }
    }
}

fn compare(comparison: &Comparison, evaluator: &Evaluator<'_>) -> bool {
    let Comparison { left, op, right, case_insensitive } = comparison;
    let (left_values, right_values) = (evaluator.values(left), evaluator.values(right));
    // Searching for the constant null finds nothing here; in a column it finds everything.
    let searches_null = matches!(right, Expr::Constant(Value::Null))
        && matches!(op, CompareOp::BeginsWith | CompareOp::EndsWith | CompareOp::Contains);
    let holds = |left: &Datum, right: &Datum| {
        !searches_null && datum_holds(*op, left, right, *case_insensitive)
    };
    let sides = (
        Side { values: &left_values, quantifier: left.quantifier(), is_list: left.is_list() },
        Side { values: &right_values, quantifier: right.quantifier(), is_list: right.is_list() },
    );
    if is_keyless(left, &left_values) || is_keyless(right, &right_values) {
        return false;
    }
    match sides {
        (left, right) if left.is_whole() && right.is_whole() => {
            whole_lists(*op, left, right, holds)
        }
        (left, right) => quantified(left.quantifier, left.values.iter(), |left| {
            quantified(right.quantifier, right.values.iter(), |right| holds(left, right))
        }),
    }
}

/// Whether the expression gives the keys of a dictionary that has none: then nothing holds of them,
/// not even NONE, as the engine has it.
fn is_keyless(expr: &Expr, values: &Values) -> bool {
    match expr {
        Expr::Path(PathExpr { end: End::Property { selectors, .. }, operation: None, .. }) => {
            values.is_empty() && selectors.last() == Some(&Selector::Keys)
        }
        _ => false,
    }
}

/// One side of a comparison on one object.
#[derive(Clone, Copy)]
struct Side<'v> {
    values: &'v Values,
    quantifier: Option<Quantifier>,
    is_list: bool,
}

impl Side<'_> {
    /// Whether it is a list that no quantifier takes apart.
    fn is_whole(self) -> bool {
        self.is_list && self.quantifier.is_none()
    }
}

/// Two lists without quantifiers compare position by position. Unequal means unequal everywhere, or of
/// different lengths, as the engine has it.
fn whole_lists(
    op: CompareOp,
    left: Side<'_>,
    right: Side<'_>,
    holds: impl Fn(&Datum, &Datum) -> bool,
) -> bool {
    if left.values.len() != right.values.len() {
        return op == CompareOp::NotEqual;
    }
    left.values.iter().zip(right.values.iter()).all(|(left, right)| holds(left, right))
}

/// Whether as many of the values satisfy the test as the quantifier wants; some without one.
fn quantified<'v>(
    quantifier: Option<Quantifier>,
    mut values: impl Iterator<Item = &'v Datum>,
    test: impl Fn(&Datum) -> bool,
) -> bool {
    match quantifier {
        None | Some(Quantifier::Any) => values.any(test),
        Some(Quantifier::All) => values.all(test),
        Some(Quantifier::None) => !values.any(test),
    }
}

fn datum_holds(op: CompareOp, left: &Datum, right: &Datum, case_insensitive: bool) -> bool {
    match (left, right) {
        (Datum::Value(left), Datum::Value(right)) if case_insensitive => {
            compare::matches_folded(op, left, right, Rule::Expression)
        }
        (Datum::Value(left), Datum::Value(right)) => {
            compare::matches_as(op, left, right, Rule::Expression)
        }
        (Datum::Types(left), Datum::Types(right)) => match op {
            CompareOp::Equal => left.meets(*right),
            _ => !left.meets(*right),
        },
        // Collections and embedded objects equal nothing.
        _ => op == CompareOp::NotEqual,
    }
}

impl Within {
    fn matches(&self, evaluator: &Evaluator<'_>) -> bool {
        let mut points = Vec::new();
        evaluator.nodes(&self.path.hops, &mut |node| {
            points.push(node.and_then(point).is_some_and(|point| self.region.contains(point)));
        });
        match self.path.quantifier {
            None | Some(Quantifier::Any) => points.contains(&true),
            // Of no points the engine says that not all are inside.
            Some(Quantifier::All) => !points.is_empty() && !points.contains(&false),
            Some(Quantifier::None) => !points.contains(&true),
        }
    }
}

/// The point that an embedded object is.
fn point(node: &Node<'_>) -> Option<GeoPoint> {
    let Node::Embedded { fields, .. } = node else { return None };
    let is_point = match fields.get("type")? {
        Content::Value(Value::String(kind)) => kind.eq_ignore_ascii_case("point"),
        _ => false,
    };
    let Content::List(coordinates) = fields.get("coordinates")? else { return None };
    match coordinates.as_slice() {
        [Content::Value(Value::Double(longitude)), Content::Value(Value::Double(latitude)), ..]
            if is_point =>
        {
            Some(GeoPoint::new(*longitude, *latitude))
        }
        _ => None,
    }
}
