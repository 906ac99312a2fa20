//! Conditions over queryable fields with a session's values in them.
//!
//! A condition is not yet bound to a class, because in development mode a class may come later than the
//! session. Its text form is canonical: equal conditions have equal text, which is how sessions with equal
//! read rules are recognised, and how the server remembers the view of a client.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};
use skerry_model::{
    ClassSchema, Decimal128, ObjectId, PropertyType, Schema, Timestamp, Uuid, Value,
};
use skerry_query::{Argument, CompareOp, Predicate, PropertyRef, Query, QueryableKind};

use super::expression::Term;
use crate::server::ConfigError;

/// The operators of a test (server 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOp {
    /// `$eq`
    Equal,
    /// `$ne`
    NotEqual,
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
    /// `$in`
    In,
    /// `$nin`
    NotIn,
    /// `$exists`: with true, the value is there and not null.
    Exists,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Always or never.
    Constant(bool),
    /// All hold.
    All(Vec<Condition>),
    /// Some holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A test of one field.
    Test(FieldTest),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTest {
    /// The field.
    pub field: String,
    /// How it is tested.
    pub op: TestOp,
    /// Against what; `None` when an expansion had no value.
    pub operand: Option<Json>,
}

impl TestOp {
    const ALL: [(&'static str, Self); 9] = [
        ("eq", Self::Equal),
        ("ne", Self::NotEqual),
        ("gt", Self::Greater),
        ("gte", Self::GreaterOrEqual),
        ("lt", Self::Less),
        ("lte", Self::LessOrEqual),
        ("in", Self::In),
        ("nin", Self::NotIn),
        ("exists", Self::Exists),
    ];

    /// The operator of that word, without its prefix.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(name, op)| (name == word).then_some(op))
    }

    fn word(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|&(_, op)| op == self);
        found.expect("every operator is in the table").0
    }

    /// Refuses operands of the wrong shape early; what expansions stand for is only known later.
    pub(super) fn check_operand(self, operand: &Term, path: &str) -> Result<(), ConfigError> {
        let refused = |reason: &str| Err(ConfigError::new(path, reason));
        match (self, operand) {
            (_, Term::Known(_)) | (Self::In | Self::NotIn, Term::List(_)) => Ok(()),
            (Self::In | Self::NotIn, Term::Literal(_) | Term::Converted(..)) => {
                refused("takes an array")
            }
            (Self::Exists, Term::Literal(Json::Bool(_))) => Ok(()),
            (Self::Exists, Term::Literal(_) | Term::Converted(..) | Term::List(_)) => {
                refused("takes true or false")
            }
            (_, Term::List(_)) => refused("takes a single value"),
            (_, Term::Literal(_) | Term::Converted(..)) => Ok(()),
        }
    }

    /// The test on a value known at session start. A value that is not there equals nothing; an array
    /// passes where one of its elements does (server 1.4).
    pub(super) fn holds_for_json(self, value: Option<&Json>, operand: Option<&Json>) -> bool {
        let some = |test: &dyn Fn(&Json) -> bool| match value {
            Some(Json::Array(items)) => value.is_some_and(test) || items.iter().any(test),
            Some(value) => test(value),
            None => false,
        };
        let ordered = |test: fn(Ordering) -> bool| {
            let Some(right) = operand.and_then(literal) else { return false };
            some(&|left| {
                let left = literal(left).filter(|left| comparable(left, &right));
                left.is_some_and(|left| test(skerry_query::compare::order(&left, &right)))
            })
        };
        let is_equal = || operand.is_some_and(|operand| some(&|left| equal(left, operand)));
        let is_in = || match operand {
            Some(Json::Array(items)) => {
                some(&|left| items.iter().any(|operand| equal(left, operand)))
            }
            _ => false,
        };
        match self {
            Self::Equal => is_equal(),
            Self::NotEqual => !is_equal(),
            Self::Greater => ordered(Ordering::is_gt),
            Self::GreaterOrEqual => ordered(Ordering::is_ge),
            Self::Less => ordered(Ordering::is_lt),
            Self::LessOrEqual => ordered(Ordering::is_le),
            Self::In => is_in(),
            Self::NotIn => !is_in(),
            Self::Exists => {
                let there = value.is_some_and(|value| !value.is_null());
                operand.and_then(Json::as_bool) == Some(there)
            }
        }
    }
}

fn comparable(left: &Value, right: &Value) -> bool {
    let numeric =
        |value: &Value| matches!(value, Value::Int(_) | Value::Double(_) | Value::Decimal(_));
    (numeric(left) && numeric(right))
        || std::mem::discriminant(left) == std::mem::discriminant(right)
}

/// Whether two values known at session start are equal: numbers by their value, however written.
fn equal(left: &Json, right: &Json) -> bool {
    match (literal(left), literal(right)) {
        (Some(left), Some(right)) => {
            comparable(&left, &right) && skerry_query::compare::order(&left, &right).is_eq()
        }
        _ => left == right,
    }
}

/// The value of a JSON or Extended JSON literal; `None` when it is not one.
pub(super) fn literal(json: &Json) -> Option<Value> {
    match json {
        Json::Null => Some(Value::Null),
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Some(Value::Int(int)),
            None => number.as_f64().map(Value::Double),
        },
        Json::String(text) => Some(Value::string(text.as_str())),
        Json::Object(object) if object.len() == 1 => {
            let (key, value) = object.iter().next().expect("there is one");
            let text = value.as_str();
            match key.as_str() {
                "$oid" => ObjectId::parse(text?).map(Value::ObjectId),
                "$uuid" => Uuid::parse(text?).map(Value::Uuid),
                "$numberLong" => text?.parse().ok().map(Value::Int),
                "$numberInt" => text?.parse::<i32>().ok().map(|int| Value::Int(int.into())),
                "$numberDouble" => text?.parse().ok().map(Value::Double),
                "$numberDecimal" => text?.parse::<Decimal128>().ok().map(Value::Decimal),
                "$date" => value
                    .get("$numberLong")?
                    .as_str()?
                    .parse()
                    .ok()
                    .map(|ms| Value::Timestamp(Timestamp::from_unix_ms(ms))),
                _ => None,
            }
        }
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// The literal as a value of the property's type; `None` when it can never equal one.
fn literal_for(json: &Json, ty: PropertyType) -> Option<Value> {
    let value = literal(json)?;
    match (&value, ty) {
        (Value::Null, _)
        | (Value::Bool(_), PropertyType::Bool)
        | (Value::String(_), PropertyType::String)
        | (Value::ObjectId(_), PropertyType::ObjectId)
        | (Value::Uuid(_), PropertyType::Uuid)
        | (Value::Timestamp(_), PropertyType::Timestamp)
        | (
            Value::Int(_) | Value::Double(_) | Value::Decimal(_),
            PropertyType::Int | PropertyType::Float | PropertyType::Double | PropertyType::Decimal,
        ) => Some(value),
        _ => None,
    }
}

impl Condition {
    /// Always or never.
    pub fn constant(value: bool) -> Self {
        Self::Constant(value)
    }

    /// A test of one field.
    pub fn test(test: FieldTest) -> Self {
        Self::Test(test)
    }

    /// All of the parts, shortened.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Constant(true) => {}
                Self::Constant(false) => return Self::Constant(false),
                Self::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::Constant(true),
            1 => kept.swap_remove(0),
            _ => Self::All(kept),
        }
    }

    /// Some of the parts, shortened. Equal parts are kept once, so read ∪ write of equal filters is short.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        for part in parts {
            match part {
                Self::Constant(false) => {}
                Self::Constant(true) => return Self::Constant(true),
                Self::Any(inner) => kept.extend(inner),
                other if kept.contains(&other) => {}
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::Constant(false),
            1 => kept.swap_remove(0),
            _ => Self::Any(kept),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(!value),
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// As a predicate on objects of the class.
    pub fn bind(&self, schema: &Schema, class: &ClassSchema) -> Predicate {
        let bound = |part: &Self| part.bind(schema, class);
        match self {
            Self::Constant(holds) => constant(*holds),
            Self::All(parts) => Predicate::and(parts.iter().map(bound)),
            Self::Any(parts) => Predicate::or(parts.iter().map(bound)),
            Self::Not(part) => Predicate::negated(bound(part)),
            Self::Test(test) => test.bind(schema, class),
        }
    }

    /// As JSON, from which [`Condition::from_json`] makes an equal one.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Constant(value) => Json::Bool(*value),
            Self::All(parts) => json!({"and": parts.iter().map(Self::to_json).collect::<Vec<_>>()}),
            Self::Any(parts) => json!({"or": parts.iter().map(Self::to_json).collect::<Vec<_>>()}),
            Self::Not(part) => json!({"not": part.to_json()}),
            Self::Test(FieldTest { field, op, operand }) => {
                let mut test = vec![json!(field), json!(op.word())];
                test.extend(operand.clone());
                Json::Array(test)
            }
        }
    }

    /// Reads what [`Condition::to_json`] wrote; `None` for anything else.
    pub fn from_json(json: &Json) -> Option<Self> {
        let parts =
            |list: &Json| list.as_array()?.iter().map(Self::from_json).collect::<Option<Vec<_>>>();
        match json {
            Json::Bool(value) => Some(Self::Constant(*value)),
            Json::Array(test) => {
                let field = test.first()?.as_str()?.to_owned();
                let op = TestOp::parse(test.get(1)?.as_str()?)?;
                Some(Self::Test(FieldTest { field, op, operand: test.get(2).cloned() }))
            }
            Json::Object(object) => {
                let (word, value) = object.iter().next()?;
                match word.as_str() {
                    "and" => parts(value).map(Self::All),
                    "or" => parts(value).map(Self::Any),
                    "not" => Self::from_json(value).map(|part| Self::Not(Box::new(part))),
                    _ => None,
                }
            }
            Json::Null | Json::Number(_) | Json::String(_) => None,
        }
    }
}

impl FieldTest {
    fn bind(&self, schema: &Schema, class: &ClassSchema) -> Predicate {
        let property = class.property(&self.field);
        let kind = property.and_then(|property| QueryableKind::of(schema, property));
        match (kind, PropertyRef::resolve(class, &self.field)) {
            (Some(QueryableKind::Scalar), Some(property)) => self.on_scalar(&property),
            (Some(QueryableKind::Array), Some(property)) => self
                .on_array(&property, |text, argument| {
                    queried(schema, class, text, &self.field, argument)
                }),
            (Some(QueryableKind::Point), Some(_)) => self.on_point(schema, class),
            // A class without the field: like a document that lacks it.
            (_, _) => constant(self.op.holds_for_json(None, self.operand.as_ref())),
        }
    }

    fn on_scalar(&self, property: &PropertyRef) -> Predicate {
        let negative = matches!(self.op, TestOp::NotEqual | TestOp::NotIn);
        let Some(operand) = &self.operand else { return constant(negative) };
        let value = literal_for(operand, property.ty);
        match self.op {
            TestOp::Equal | TestOp::NotEqual => {
                let op = if negative { CompareOp::NotEqual } else { CompareOp::Equal };
                let compare = |value| Predicate::compare(property.clone(), op, value);
                value.map_or(constant(negative), compare)
            }
            TestOp::Greater => ordered(property, CompareOp::Greater, value),
            TestOp::GreaterOrEqual => ordered(property, CompareOp::GreaterOrEqual, value),
            TestOp::Less => ordered(property, CompareOp::Less, value),
            TestOp::LessOrEqual => ordered(property, CompareOp::LessOrEqual, value),
            TestOp::In | TestOp::NotIn => {
                let values = self.values(property);
                let found = match values.is_empty() {
                    true => Predicate::False,
                    false => Predicate::is_in(property.clone(), values),
                };
                if negative { Predicate::negated(found) } else { found }
            }
            TestOp::Exists => {
                let there = operand.as_bool() != Some(false);
                let op = if there { CompareOp::NotEqual } else { CompareOp::Equal };
                Predicate::compare(property.clone(), op, Value::Null)
            }
        }
    }

    /// An array passes where one of its elements does (server 1.4). `ask` makes a condition of a query
    /// with the array as `$K0` and an argument as `$1`.
    fn on_array(
        &self,
        property: &PropertyRef,
        ask: impl Fn(&str, Argument) -> Predicate,
    ) -> Predicate {
        let Some(operand) = &self.operand else {
            return constant(matches!(self.op, TestOp::NotEqual | TestOp::NotIn));
        };
        let some = |operator: &str, value: Option<Value>| match value {
            Some(value) => ask(&format!("ANY $K0 {operator} $1"), Argument::Value(value)),
            None => Predicate::False,
        };
        let some_in = |values: Vec<Value>| match values.is_empty() {
            true => Predicate::False,
            false => ask("ANY $K0 IN $1", Argument::List(values)),
        };
        let value = literal_for(operand, property.ty);
        let ordered = |operator| some(operator, value.clone().filter(|value| !value.is_null()));
        match self.op {
            TestOp::Equal => some("==", value),
            TestOp::NotEqual => Predicate::negated(some("==", value)),
            TestOp::Greater => ordered(">"),
            TestOp::GreaterOrEqual => ordered(">="),
            TestOp::Less => ordered("<"),
            TestOp::LessOrEqual => ordered("<="),
            TestOp::In => some_in(self.values(property)),
            TestOp::NotIn => Predicate::negated(some_in(self.values(property))),
            // There always is a list.
            TestOp::Exists => constant(operand.as_bool() != Some(false)),
        }
    }

    /// A point is there or not; it equals nothing that a rule can say.
    fn on_point(&self, schema: &Schema, class: &ClassSchema) -> Predicate {
        let is_null = || queried(schema, class, "$K0 == $1", &self.field, Value::Null.into());
        let says_null = |operand: &Json| match operand {
            Json::Array(items) => items.contains(&Json::Null),
            other => other.is_null(),
        };
        let can_be_null = self.operand.as_ref().is_some_and(says_null);
        let equal = || if can_be_null { is_null() } else { Predicate::False };
        match self.op {
            TestOp::Equal | TestOp::In => equal(),
            TestOp::NotEqual | TestOp::NotIn => Predicate::negated(equal()),
            TestOp::Greater | TestOp::GreaterOrEqual | TestOp::Less | TestOp::LessOrEqual => {
                Predicate::False
            }
            TestOp::Exists => match self.operand.as_ref().and_then(Json::as_bool) {
                Some(false) => is_null(),
                Some(true) | None => Predicate::negated(is_null()),
            },
        }
    }

    /// The values of an array that can be equal to something of the property's type.
    fn values(&self, property: &PropertyRef) -> Vec<Value> {
        let items = self.operand.as_ref().and_then(Json::as_array);
        let items = items.map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| literal_for(item, property.ty)).collect()
    }
}

/// A condition of the query language on one field, `$K0`. What the language does not compare is never so.
fn queried(
    schema: &Schema,
    class: &ClassSchema,
    text: &str,
    field: &str,
    argument: Argument,
) -> Predicate {
    let arguments = [Argument::Value(Value::string(field)), argument];
    let query = Query::compile(schema, &class.name, text, &arguments);
    query.map_or(Predicate::False, |query| query.predicate)
}

fn constant(holds: bool) -> Predicate {
    if holds { Predicate::True } else { Predicate::False }
}

/// An ordered comparison. In rules null is never less or more than anything, whereas the query language lets
/// null strings be less (rql notes), so null is ruled out first.
fn ordered(property: &PropertyRef, op: CompareOp, value: Option<Value>) -> Predicate {
    match value {
        None | Some(Value::Null) => Predicate::False,
        Some(value) => Predicate::and([
            Predicate::compare(property.clone(), CompareOp::NotEqual, Value::Null),
            Predicate::compare(property.clone(), op, value),
        ]),
    }
}
