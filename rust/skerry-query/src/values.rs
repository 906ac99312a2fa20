//! The values that an expression gives for an object.

use skerry_model::{CollectionType, Content, Link, Name, Value};

use crate::aggregate::aggregate;
use crate::arithmetic::calculate;
use crate::ast::ArithmeticOp;
use crate::compare;
use crate::eval::{Objects, Row};
use crate::expression::{Arithmetic, End, Expr, Hop, PathExpr, PathOperation, Selector};
use crate::predicate::PropertyRef;
use crate::types::TypeSet;
use crate::walk::{self, Node, Visit};

/// A value, or what stands for something that is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum {
    Value(Value),
    /// A list inside of a mixed, by its length.
    List(usize),
    /// A dictionary inside of a mixed, by its length.
    Dictionary(usize),
    /// An embedded object.
    Embedded,
    /// What `@type` gives.
    Types(TypeSet),
}

/// The values of one side of a comparison.
pub(crate) type Values = Vec<Datum>;

impl Datum {
    pub(crate) const NULL: Self = Self::Value(Value::Null);

    pub(crate) fn of(content: &Content) -> Self {
        match content {
            Content::Value(value) => Self::Value(value.clone()),
            Content::List(elements) => Self::List(elements.len()),
            Content::Set(set) => Self::List(set.len()),
            Content::Dictionary(fields) => Self::Dictionary(fields.len()),
            Content::Object(_) => Self::Embedded,
        }
    }

    /// What `@count` makes of it: elements, or bytes.
    fn size(&self) -> Self {
        let size = match self {
            Self::Value(Value::String(text)) => text.len(),
            Self::Value(Value::Binary(bytes)) => bytes.len(),
            Self::List(len) | Self::Dictionary(len) => *len,
            Self::Value(_) | Self::Embedded | Self::Types(_) => return Self::NULL,
        };
        count(size)
    }

    fn types(&self) -> Self {
        Self::Types(match self {
            Self::Value(value) => TypeSet::of(value),
            Self::List(_) => TypeSet::LIST,
            Self::Dictionary(_) => TypeSet::DICTIONARY,
            Self::Embedded => TypeSet::of(&Value::Null),
            Self::Types(types) => *types,
        })
    }
}

fn count(size: usize) -> Datum {
    Datum::Value(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

/// An object, and where the others are.
#[derive(Clone, Copy)]
pub(crate) struct Evaluator<'a> {
    pub(crate) row: &'a dyn Row,
    pub(crate) objects: &'a dyn Objects,
}

impl Evaluator<'_> {
    pub(crate) fn values(&self, expr: &Expr) -> Values {
        match expr {
            Expr::Constant(value) => vec![Datum::Value(value.clone())],
            Expr::List { values, .. } => values.iter().cloned().map(Datum::Value).collect(),
            Expr::Types { types, .. } => types.iter().copied().map(Datum::Types).collect(),
            Expr::Path(path) => self.path(path),
            Expr::Subquery(subquery) => {
                let mut matching = 0;
                self.nodes(&subquery.path.hops, &mut |node| {
                    let matches = |node| subquery.predicate.matches(node as &dyn Row, self.objects);
                    matching += usize::from(node.is_some_and(matches));
                });
                vec![count(matching)]
            }
            Expr::Arithmetic(arithmetic) => self.arithmetic(arithmetic),
        }
    }

    /// Calls `visit` for each object that the hops lead to.
    pub(crate) fn nodes(&self, hops: &[Hop], visit: &mut Visit<'_>) {
        walk::walk(self.objects, &Node::Row(self.row), hops, visit);
    }

    /// A list is calculated with element by element.
    fn arithmetic(&self, arithmetic: &Arithmetic) -> Values {
        let Arithmetic { left, op, right } = arithmetic;
        let (left, right) = (self.values(left), self.values(right));
        let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
        pairs.map(|(left, right)| calculated(*op, left, right)).collect()
    }

    pub(crate) fn path(&self, path: &PathExpr) -> Values {
        let mut values = Values::new();
        match (&path.end, &path.operation) {
            (End::Objects, Some(PathOperation::Count)) => {
                self.count_objects(&path.hops, &mut values);
            }
            (End::Objects, Some(PathOperation::Aggregate(of, Some(property)))) => {
                let mut numbers = Values::new();
                self.nodes(&path.hops, &mut |node| {
                    if let Some(node) = node {
                        numbers.push(Datum::of(&node.content(property)));
                    }
                });
                values.push(aggregate(*of, property, &numbers));
            }
            (End::Objects, _) => self.links(&path.hops, &mut values),
            (End::Incoming(class), _) => self.nodes(&path.hops, &mut |node| {
                if let Some(link) = node.and_then(|node| walk::link_to(node, class)) {
                    values.push(count(self.incoming(&link)));
                }
            }),
            (End::Property { property, selectors }, operation) => {
                self.nodes(&path.hops, &mut |node| match node {
                    Some(node) => {
                        let content = node.content(property);
                        self.property(
                            property,
                            &content,
                            selectors,
                            operation.as_ref(),
                            &mut values,
                        );
                    }
                    None if is_single(property) && operation.is_none() && path.is_unary() => {
                        values.push(Datum::NULL);
                    }
                    None => {}
                });
            }
        }
        values
    }

    /// The number of objects that the last hop leads to, for each object before it.
    fn count_objects(&self, hops: &[Hop], values: &mut Values) {
        let Some((last, before)) = hops.split_last() else { return };
        self.nodes(before, &mut |node| {
            let Some(node) = node else { return };
            let mut found = 0;
            match last {
                Hop::Link { property, selector, .. } => {
                    walk::selected(&node.content(property), selector.as_ref(), &mut |content| {
                        found += usize::from(!content.is_null());
                    });
                }
                Hop::Backlinks { .. } => {
                    walk::step(self.objects, node, last, &mut |next| {
                        found += usize::from(next.is_some());
                    });
                }
            }
            values.push(count(found));
        });
    }

    /// The links that the last hop goes over, without following them.
    fn links(&self, hops: &[Hop], values: &mut Values) {
        let (before, last) = match hops.split_last() {
            Some((Hop::Link { property, selector, .. }, before)) => (before, (property, selector)),
            Some((Hop::Backlinks { .. }, _)) => {
                self.nodes(hops, &mut |node| {
                    if let Some(Node::Object { link, .. }) = node {
                        values.push(Datum::Value((*link).clone().into()));
                    }
                });
                return;
            }
            None => return,
        };
        let (property, selector) = last;
        let is_single = is_single(property);
        let is_unary = is_single && !before.iter().any(Hop::is_multiple);
        self.nodes(before, &mut |node| match node {
            Some(node) => {
                walk::selected(&node.content(property), selector.as_ref(), &mut |content| {
                    if is_unary || !content.is_null() {
                        values.push(Datum::of(content));
                    }
                });
            }
            None if is_unary => values.push(Datum::NULL),
            None => {}
        });
    }

    /// All links that lead to an object.
    fn incoming(&self, target: &Link) -> usize {
        let origins = self.objects.referrers(target, None);
        let held = origins.iter().filter_map(|origin| self.objects.object(origin));
        held.map(|contents| {
            contents.iter().map(|content| walk::links_to(content, target)).sum::<usize>()
        })
        .sum()
    }

    /// What is selected of a property, and made of it.
    fn property(
        &self,
        property: &PropertyRef,
        content: &Content,
        selectors: &[Selector],
        operation: Option<&PathOperation>,
        values: &mut Values,
    ) {
        let whole = matches!(selectors, [] | [Selector::Values | Selector::Keys]);
        match operation {
            Some(PathOperation::Count) if whole && !is_single(property) => {
                values.push(Datum::of(content).size());
                return;
            }
            Some(PathOperation::Aggregate(of, _)) => {
                let mut numbers = Values::new();
                self.select_of(property, content, selectors, &mut numbers);
                values.push(aggregate(*of, property, &numbers));
                return;
            }
            _ => {}
        }
        let from = values.len();
        self.select_of(property, content, selectors, values);
        for value in &mut values[from..] {
            match operation {
                Some(PathOperation::Count | PathOperation::Length) => *value = value.size(),
                Some(PathOperation::Type) => *value = value.types(),
                Some(PathOperation::Aggregate(..)) | None => {}
            }
        }
    }

    /// What is selected of a property that may be a collection.
    fn select_of(
        &self,
        property: &PropertyRef,
        content: &Content,
        selectors: &[Selector],
        values: &mut Values,
    ) {
        let (first, rest) = match selectors.split_first() {
            Some((first, rest)) => (Some(first), rest),
            None => (None, selectors),
        };
        match content {
            _ if is_single(property) => self.select(content, selectors, values),
            Content::List(elements) => match first {
                None | Some(Selector::Every) => {
                    for element in elements {
                        self.select(element, rest, values);
                    }
                }
                Some(_) if elements.is_empty() => {}
                Some(selector) => {
                    let found = walk::element(elements, selector).unwrap_or(&Content::NULL);
                    self.select(found, rest, values);
                }
            },
            // A set compares as the list of its elements in order.
            Content::Set(set) => {
                let mut elements: Vec<_> = set.iter().collect();
                elements.sort_by(|left, right| compare::order(left, right));
                values.extend(elements.into_iter().cloned().map(Datum::Value));
            }
            Content::Dictionary(fields) if first.is_none() => {
                for value in fields.values() {
                    self.select(value, rest, values);
                }
            }
            content => self.select(content, selectors, values),
        }
    }

    /// What is selected inside of a value.
    fn select(&self, content: &Content, selectors: &[Selector], values: &mut Values) {
        let Some((first, rest)) = selectors.split_first() else {
            values.push(Datum::of(content));
            return;
        };
        match (content, first) {
            (Content::List(elements), Selector::Every) => {
                for element in elements {
                    self.select(element, rest, values);
                }
            }
            (Content::List(elements), selector) => {
                if let Some(found) = walk::element(elements, selector) {
                    self.select(found, rest, values);
                }
            }
            (Content::Dictionary(fields), Selector::Every | Selector::Values) => {
                for value in fields.values() {
                    self.select(value, rest, values);
                }
            }
            (Content::Dictionary(fields), Selector::Keys) => {
                let keys = fields.keys().map(|key| Datum::Value(Value::string(key.as_str())));
                values.extend(keys);
            }
            (Content::Dictionary(fields), Selector::Key(_) | Selector::Name(_)) => {
                let key = match first {
                    Selector::Key(key) => &**key,
                    Selector::Name(key) => key.as_str(),
                    _ => return,
                };
                if !fields.is_empty() {
                    self.select(fields.get(key).unwrap_or(&Content::NULL), rest, values);
                }
            }
            (Content::Value(Value::Link(link)), Selector::Name(name)) => {
                self.select_linked(link, name, rest, values);
            }
            _ => {}
        }
    }

    /// A property of the object that a mixed links to.
    fn select_linked(&self, link: &Link, name: &Name, rest: &[Selector], values: &mut Values) {
        let class = self.objects.schema().class(&link.class);
        let property = class.and_then(|class| PropertyRef::resolve(class, name));
        let Some(property) = property else { return };
        if let Some(contents) = self.objects.object(link)
            && let Some(content) = contents.get(property.index)
        {
            self.select_of(&property, content, rest, values);
        }
    }
}

fn is_single(property: &PropertyRef) -> bool {
    property.collection == CollectionType::Single
}

fn calculated(op: ArithmeticOp, left: &Datum, right: &Datum) -> Datum {
    match (left, right) {
        (Datum::Value(left), Datum::Value(right)) => Datum::Value(calculate(op, left, right)),
        _ => Datum::NULL,
    }
}
