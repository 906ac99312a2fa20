//! Conditions over queryable fields with a session's values in them.
//!
//! A condition is not yet bound to a class, because in development mode a class may come later than the
//! session. Its text form is canonical: equal conditions have equal text, which is how sessions with equal
//! read rules are recognised, and how the server remembers the view of a client.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};
use skerry_model::{ClassSchema, Decimal128, ObjectId, Schema, Timestamp, Uuid, Value};
use skerry_query::Predicate;

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
            (_, Term::Known(_))
            | (Self::In | Self::NotIn, Term::List(_))
            | (Self::Exists, Term::Literal(Json::Bool(_))) => Ok(()),
            (Self::In | Self::NotIn, Term::Literal(_) | Term::Converted(..)) => {
                refused("takes an array")
            }
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
            Self::Constant(true) => Predicate::True,
            Self::Constant(false) => Predicate::False,
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
