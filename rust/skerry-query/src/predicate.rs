//! The typed form of a query: what the checker makes, and what is evaluated, translated to SQL,
//! indexed and printed.
//!
//! Invariant: a predicate in *normal form* holds no conjunction inside a conjunction, no disjunction
//! inside a disjunction, none of either with fewer than two parts, no double negation, no constant
//! truth value below the root, and no constant on the left of an operator that can be mirrored. The
//! constructors keep the form, so equal meaning written in slightly different ways mostly gives
//! equal predicates. Every constant has been adapted to the type that it is compared with, so
//! nothing that happens later can fail. How values compare is decided in `compare`, not here.

use std::collections::BTreeSet;

use skerry_model::{ClassSchema, CollectionType, Name, PropertyType, Value};

use crate::ast::Quantifier;
use crate::compare;
use crate::evaluated::Evaluated;
use crate::expression::{Comparison, Expr, PathExpr};

/// A property of the queried class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyRef {
    /// Its name.
    pub name: Name,
    /// Its position in the properties of the class.
    pub index: usize,
    /// Its type.
    pub ty: PropertyType,
    /// Whether null is a value.
    pub nullable: bool,
    /// Single value or kind of collection.
    pub collection: CollectionType,
}

impl PropertyRef {
    /// The property of that name; `None` when the class has none.
    pub fn resolve(class: &ClassSchema, name: &str) -> Option<Self> {
        let index = class.position(name)?;
        let property = &class.properties[index];
        Some(Self {
            name: property.name.clone(),
            index,
            ty: property.ty,
            nullable: property.nullable,
            collection: property.collection,
        })
    }
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The value of a property.
    Property(PropertyRef),
    /// A constant.
    Constant(Value),
}

/// An operator between two single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `BEGINSWITH`
    BeginsWith,
    /// `ENDSWITH`
    EndsWith,
    /// `CONTAINS`
    Contains,
    /// `LIKE`
    Like,
}

impl CompareOp {
    /// The operator as the printer writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::BeginsWith => "BEGINSWITH",
            Self::EndsWith => "ENDSWITH",
            Self::Contains => "CONTAINS",
            Self::Like => "LIKE",
        }
    }

    /// The operator with its sides exchanged; `None` for the string operators.
    pub fn mirrored(self) -> Option<Self> {
        match self {
            Self::Equal => Some(Self::Equal),
            Self::NotEqual => Some(Self::NotEqual),
            Self::Less => Some(Self::Greater),
            Self::LessOrEqual => Some(Self::GreaterOrEqual),
            Self::Greater => Some(Self::Less),
            Self::GreaterOrEqual => Some(Self::LessOrEqual),
            Self::BeginsWith | Self::EndsWith | Self::Contains | Self::Like => None,
        }
    }

    /// Whether this is one of BEGINSWITH, ENDSWITH, CONTAINS and LIKE.
    pub fn is_string_operator(self) -> bool {
        self.mirrored().is_none()
    }
}

/// The constants of a list, without repetitions, in the order of SORT, so that membership takes
/// logarithmic time and equal sets are written alike.
///
/// Decimals together with binary fractions have no order, because they compare after rounding. Such a
/// list, which no text gives, stays as it is and is searched from end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSet {
    values: Vec<Value>,
    is_ordered: bool,
}

impl ValueSet {
    /// The set of the values. A NaN of a double equals nothing and so is left out.
    pub fn new(mut values: Vec<Value>) -> Self {
        values.retain(|value| !compare::is_binary_nan(value));
        let has_decimal = values.iter().any(|value| matches!(value, Value::Decimal(_)));
        let is_binary = |value: &Value| matches!(value, Value::Double(_) | Value::Float(_));
        let is_ordered = !(has_decimal && values.iter().any(is_binary));
        if is_ordered {
            values.sort_by(compare::order);
            values.dedup_by(|later, earlier| compare::order(earlier, later).is_eq());
        }
        Self { values, is_ordered }
    }

    /// Whether the value equals one of the set.
    pub fn contains(&self, value: &Value) -> bool {
        let order = |element: &Value| compare::order(element, value);
        if self.is_ordered {
            self.values.binary_search_by(order).is_ok()
        } else {
            self.values.iter().any(|element| order(element).is_eq())
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Value> {
        self.values.iter()
    }
}

impl<'a> IntoIterator for &'a ValueSet {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A checked condition on one object. Two-valued: it matches or it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// Matches every object.
    True,
    /// Matches none.
    False,
    /// All parts match.
    And(Vec<Predicate>),
    /// Some part matches.
    Or(Vec<Predicate>),
    /// The part does not match.
    Not(Box<Predicate>),
    /// One value against another. BETWEEN is a conjunction of two of these.
    Compare {
        /// Left side. A constant only for the string operators.
        left: Operand,
        /// The operator.
        op: CompareOp,
        /// Right side.
        right: Operand,
        /// `[c]`: fold ASCII and Latin-1 letters. Only true where a side is text or binary.
        case_insensitive: bool,
    },
    /// The property equals one of the values. No value, no match.
    In {
        /// The property.
        property: PropertyRef,
        /// The values, all of the property's type or null. `[c]` has no place here: the engine
        /// ignores it.
        values: ValueSet,
    },
    /// What only the evaluator decides: paths, collections, arithmetic and whatever else is more
    /// than one property against a constant.
    Evaluated(Box<Evaluated>),
}

impl Predicate {
    /// All of `parts`; [`Predicate::True`] when there are none.
    pub fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::True => {}
                Self::False => return Self::False,
                Self::And(inner) => kept.extend(inner),
                part @ (Self::Or(_)
                | Self::Not(_)
                | Self::Compare { .. }
                | Self::In { .. }
                | Self::Evaluated(_)) => {
                    kept.push(part);
                }
            }
        }
        match kept.len() {
            0 => Self::True,
            1 => kept.swap_remove(0),
            _ => Self::And(kept),
        }
    }

    /// Some of `parts`; [`Predicate::False`] when there are none.
    pub fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::False => {}
                Self::True => return Self::True,
                Self::Or(inner) => kept.extend(inner),
                part @ (Self::And(_)
                | Self::Not(_)
                | Self::Compare { .. }
                | Self::In { .. }
                | Self::Evaluated(_)) => {
                    kept.push(part);
                }
            }
        }
        match kept.len() {
            0 => Self::False,
            1 => kept.swap_remove(0),
            _ => Self::Or(kept),
        }
    }

    /// The opposite of `part`.
    pub fn negated(part: Self) -> Self {
        match part {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Not(inner) => *inner,
            part @ (Self::And(_)
            | Self::Or(_)
            | Self::Compare { .. }
            | Self::In { .. }
            | Self::Evaluated(_)) => Self::Not(Box::new(part)),
        }
    }

    /// A comparison of a property with a constant, which the caller has made of the property's type
    /// (or null).
    pub fn compare(property: PropertyRef, op: CompareOp, constant: Value) -> Self {
        Self::Compare {
            left: Operand::Property(property),
            op,
            right: Operand::Constant(constant),
            case_insensitive: false,
        }
    }

    /// Membership of a property in a list of constants of its type (or null).
    pub fn is_in(property: PropertyRef, values: Vec<Value>) -> Self {
        Self::In { property, values: ValueSet::new(values) }
    }

    /// That some element of a list of the object itself equals one of the values, which the caller has
    /// made of the type of the elements (or null).
    pub fn any_equals(property: PropertyRef, values: Vec<Value>) -> Self {
        let mut path = PathExpr::of_property(property);
        path.quantifier = Some(Quantifier::Any);
        let right = match <[Value; 1]>::try_from(values) {
            Ok([value]) => Expr::Constant(value),
            Err(values) => Expr::List { quantifier: None, values },
        };
        let (left, op) = (Expr::Path(path), CompareOp::Equal);
        let comparison = Comparison { left, op, right, case_insensitive: false };
        Self::Evaluated(Box::new(Evaluated::Compare(comparison)))
    }

    /// The same condition in normal form, whatever it was built from.
    #[must_use]
    pub fn simplified(self) -> Self {
        match self {
            Self::And(parts) => Self::and(parts.into_iter().map(Self::simplified)),
            Self::Or(parts) => Self::or(parts.into_iter().map(Self::simplified)),
            Self::Not(part) => Self::negated(part.simplified()),
            Self::True
            | Self::False
            | Self::Compare { .. }
            | Self::In { .. }
            | Self::Evaluated(_) => self,
        }
    }

    /// Calls `visit` for every property that the condition reads, with repetitions, in the order of
    /// the text.
    pub fn visit_properties<'a>(&'a self, visit: &mut impl FnMut(&'a PropertyRef)) {
        match self {
            Self::True | Self::False => {}
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.visit_properties(visit);
                }
            }
            Self::Not(part) => part.visit_properties(visit),
            Self::Compare { left, right, .. } => {
                for operand in [left, right] {
                    match operand {
                        Operand::Property(property) => visit(property),
                        Operand::Constant(_) => {}
                    }
                }
            }
            Self::In { property, .. } => visit(property),
            Self::Evaluated(evaluated) => evaluated.visit_properties(visit),
        }
    }

    /// Whether a part of the condition searches a text for words.
    pub fn searches_text(&self) -> bool {
        match self {
            Self::True | Self::False | Self::Compare { .. } | Self::In { .. } => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::searches_text),
            Self::Not(part) => part.searches_text(),
            Self::Evaluated(evaluated) => matches!(&**evaluated, Evaluated::Text(_)),
        }
    }

    /// Whether the condition depends on other objects than the one it is evaluated on and what is
    /// embedded there.
    pub fn reaches_objects(&self) -> bool {
        match self {
            Self::True | Self::False | Self::Compare { .. } | Self::In { .. } => false,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::reaches_objects),
            Self::Not(part) => part.reaches_objects(),
            Self::Evaluated(evaluated) => evaluated.reaches_objects(),
        }
    }

    /// The names of the properties that decide whether an object matches.
    pub fn referenced_fields(&self) -> BTreeSet<Name> {
        let mut fields = BTreeSet::new();
        self.visit_properties(&mut |property| {
            fields.insert(property.name.clone());
        });
        fields
    }
}
