//! The typed form of what a comparison can be made of beyond one property and constants: paths over
//! links and backlinks, collections, what is inside of mixed, aggregates, subqueries, arithmetic.
//!
//! Every name is resolved. An expression gives any number of values for an object; whether it is a
//! *list*, which is compared by quantifiers, is known beforehand.

use std::sync::Arc;

use skerry_model::{CollectionType, Name, PropertyType, Value};

use crate::ast::{Aggregate, ArithmeticOp, Quantifier};
use crate::predicate::{CompareOp, Predicate, PropertyRef};
use crate::types::TypeSet;

/// `left op right`, of which at least one side is no constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Left side.
    pub left: Expr,
    /// The operator.
    pub op: CompareOp,
    /// Right side.
    pub right: Expr,
    /// `[c]`: fold ASCII and Latin-1 letters.
    pub case_insensitive: bool,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A constant, adapted to the other side.
    Constant(Value),
    /// A list of constants, adapted to the other side.
    List {
        /// ANY, ALL or NONE before it.
        quantifier: Option<Quantifier>,
        /// The constants, in the order of the text.
        values: Vec<Value>,
    },
    /// Names of types, compared with `@type`; as a list if there were braces.
    Types {
        /// ANY, ALL or NONE before it.
        quantifier: Option<Quantifier>,
        /// Whether it is a list.
        is_list: bool,
        /// What the names stand for.
        types: Vec<TypeSet>,
    },
    /// What a path leads to.
    Path(PathExpr),
    /// A number of objects.
    Subquery(Box<Subquery>),
    /// An operation on numbers.
    Arithmetic(Box<Arithmetic>),
}

/// A path from an object to values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathExpr {
    /// ANY, ALL or NONE before it.
    pub quantifier: Option<Quantifier>,
    /// Steps to other objects.
    pub hops: Vec<Hop>,
    /// What is taken of the objects there.
    pub end: End,
    /// What is made of that.
    pub operation: Option<PathOperation>,
    /// Whether it may give several values, which quantifiers range over.
    pub is_list: bool,
}

/// A step from objects to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Over a property that is a link, an embedded object, or a collection of either.
    Link {
        /// The property.
        property: PropertyRef,
        /// The class of the objects it leads to.
        class: Name,
        /// Which element of the collection; all of them without one.
        selector: Option<Selector>,
        /// Whether those objects are embedded.
        is_embedded: bool,
    },
    /// To the objects that link here.
    Backlinks {
        /// The class of the objects that are linked to.
        target: Name,
        /// The class of the objects that link.
        class: Name,
        /// The property that they do it with.
        property: PropertyRef,
    },
}

impl Hop {
    /// Whether it leads to more than one object.
    pub fn is_multiple(&self) -> bool {
        match self {
            Self::Link { property, selector, .. } => match property.collection {
                CollectionType::Single => false,
                CollectionType::List | CollectionType::Set => true,
                CollectionType::Dictionary => selector.is_none(),
            },
            Self::Backlinks { .. } => true,
        }
    }

    /// The class of the objects it leads to.
    pub fn class(&self) -> &Name {
        match self {
            Self::Link { class, .. } | Self::Backlinks { class, .. } => class,
        }
    }
}

/// What is taken of the objects at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The objects themselves.
    Objects,
    /// A property, or what is selected inside of it.
    Property {
        /// The property.
        property: PropertyRef,
        /// From the outside in.
        selectors: Vec<Selector>,
    },
    /// How many links lead to each of the objects, which are of this class.
    Incoming(Name),
}

/// Which elements of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `[n]`
    Position(u64),
    /// `[FIRST]`
    First,
    /// `[LAST]`
    Last,
    /// `[*]`
    Every,
    /// `['key']`
    Key(Arc<str>),
    /// `.name`: a key, or a property of an object to which a mixed links.
    Name(Name),
    /// `.@keys`
    Keys,
    /// `.@values`
    Values,
}

impl Selector {
    /// Whether it gives several values.
    pub fn is_multiple(&self) -> bool {
        matches!(self, Self::Every | Self::Keys | Self::Values)
    }
}

/// What is made of the values or objects at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathOperation {
    /// Number of elements, or of bytes.
    Count,
    /// The type of a value.
    Type,
    /// Number of bytes of each text in a collection.
    Length,
    /// An aggregate, of a property of the objects if there is one.
    Aggregate(Aggregate, Option<PropertyRef>),
}

/// `SUBQUERY(…).@count`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subquery {
    /// The objects counted.
    pub path: PathExpr,
    /// What stands for one of them in the condition.
    pub variable: Name,
    /// What they must satisfy.
    pub predicate: Predicate,
}

/// `left op right`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// Left side.
    pub left: Expr,
    /// The operator.
    pub op: ArithmeticOp,
    /// Right side.
    pub right: Expr,
}

impl Expr {
    /// ANY, ALL or NONE before it.
    pub fn quantifier(&self) -> Option<Quantifier> {
        match self {
            Self::Constant(_) | Self::Subquery(_) => None,
            Self::List { quantifier, .. } | Self::Types { quantifier, .. } => *quantifier,
            Self::Path(path) => path.quantifier,
            Self::Arithmetic(arithmetic) => {
                arithmetic.left.quantifier().or_else(|| arithmetic.right.quantifier())
            }
        }
    }

    /// Whether it may give several values, which quantifiers range over.
    pub fn is_list(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Subquery(_) => false,
            Self::List { .. } => true,
            Self::Types { is_list, .. } => *is_list,
            Self::Path(path) => path.is_list,
            Self::Arithmetic(arithmetic) => arithmetic.left.is_list() || arithmetic.right.is_list(),
        }
    }

    /// Calls `visit` for every property of the object itself that the expression reads.
    pub fn visit_properties<'a>(&'a self, visit: &mut dyn FnMut(&'a PropertyRef)) {
        match self {
            Self::Constant(_) | Self::List { .. } | Self::Types { .. } => {}
            Self::Path(path) => path.visit_properties(visit),
            Self::Subquery(subquery) => subquery.path.visit_properties(visit),
            Self::Arithmetic(arithmetic) => {
                arithmetic.left.visit_properties(visit);
                arithmetic.right.visit_properties(visit);
            }
        }
    }
}

impl PathExpr {
    /// The path that is a single property of the object itself.
    pub fn of_property(property: PropertyRef) -> Self {
        let is_list = property.collection != CollectionType::Single;
        let end = End::Property { property, selectors: Vec::new() };
        Self { quantifier: None, hops: Vec::new(), end, operation: None, is_list }
    }

    /// Calls `visit` for the property of the object itself that the path begins with.
    pub fn visit_properties<'a>(&'a self, visit: &mut dyn FnMut(&'a PropertyRef)) {
        match (self.hops.first(), &self.end) {
            (Some(Hop::Link { property, .. }), _) | (None, End::Property { property, .. }) => {
                visit(property);
            }
            (Some(Hop::Backlinks { .. }), _) | (None, End::Objects | End::Incoming(_)) => {}
        }
    }

    /// Whether every step leads to one object at most.
    pub fn is_unary(&self) -> bool {
        !self.hops.iter().any(Hop::is_multiple)
    }

    /// Whether it depends on other objects than the one it starts from and what is embedded there.
    pub fn reaches_objects(&self) -> bool {
        let leaves_mixed = match &self.end {
            End::Property { property, selectors } => {
                property.ty == PropertyType::Mixed
                    && selectors.iter().any(|selector| matches!(selector, Selector::Name(_)))
            }
            End::Objects => false,
            End::Incoming(_) => true,
        };
        let leaves = |hop: &Hop| !matches!(hop, Hop::Link { is_embedded: true, .. });
        leaves_mixed || self.hops.iter().any(leaves)
    }

    /// The property of the object itself, when the path is nothing but it, perhaps with a quantifier.
    pub fn as_property(&self) -> Option<&PropertyRef> {
        match (&self.end, self.hops.as_slice(), &self.operation) {
            (End::Property { property, selectors }, [], None) if selectors.is_empty() => {
                Some(property)
            }
            _ => None,
        }
    }
}
