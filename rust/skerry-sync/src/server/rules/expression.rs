//! Rule expressions as written in the configuration (server 1.4), checked but not yet bound to a user.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::condition::{Condition, FieldTest, TestOp};
use crate::server::ConfigError;

/// Deepest nesting of an expression.
const DEPTH_MAX: usize = 32;

/// A checked expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// `true`, `false`, `{}`.
    Constant(bool),
    /// Several keys of one object, or `$and`.
    All(Vec<Expression>),
    /// `$or`.
    Any(Vec<Expression>),
    /// `$not`; `$nor` is the negation of `$or`.
    Not(Box<Expression>),
    /// A comparison.
    Test {
        /// What is compared.
        subject: Subject,
        /// How.
        op: TestOp,
        /// With what.
        operand: Term,
    },
}

/// The left side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A queryable field of the document.
    Field(String),
    /// A value known when the session starts.
    Known(Expansion),
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A literal.
    Literal(Json),
    /// A value known when the session starts.
    Known(Expansion),
    /// `%stringToOid` and its kin, over a literal or expansion.
    Converted(Conversion, Box<Term>),
}

/// The four converters of server 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// 24 hexadecimal digits to an object id.
    StringToOid,
    /// An object id to its digits.
    OidToString,
    /// 36 characters to a UUID.
    StringToUuid,
    /// A UUID to its characters.
    UuidToString,
}

/// `%%user.custom_data.team` and the like: a root and the way down from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    root: Root,
    path: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    True,
    False,
    User,
    Values,
    Environment,
}

/// What the expansions stand for in one session.
#[derive(Clone, Debug, Default)]
pub struct UserValues {
    /// `%%user`: id, type, data, `custom_data`, identities.
    pub user: Json,
    /// `%%values`.
    pub values: Json,
    /// `%%environment`.
    pub environment: Json,
}

/// Where an expression stands, which decides what it may name.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// `apply_when`: there is no document yet.
    ApplyWhen,
    /// A document filter, `insert` or `delete`: these fields are queryable.
    Document {
        /// Names of the queryable fields.
        queryable: &'a BTreeSet<String>,
    },
}

impl Expression {
    /// Checks the JSON of an expression. `path` is where it stands, for errors.
    pub fn parse(json: &Json, place: Place<'_>, path: &str) -> Result<Self, ConfigError> {
        Parser { place }.expression(json, path, 0)
    }

    /// Puts a session's values in.
    pub fn expand(&self, known: &UserValues) -> Condition {
        match self {
            Self::Constant(value) => Condition::constant(*value),
            Self::All(parts) => Condition::all(parts.iter().map(|part| part.expand(known))),
            Self::Any(parts) => Condition::any(parts.iter().map(|part| part.expand(known))),
            Self::Not(part) => part.expand(known).negated(),
            Self::Test { subject, op, operand } => {
                let operand = operand.resolve(known);
                match subject {
                    Subject::Field(field) => {
                        Condition::test(FieldTest { field: field.clone(), op: *op, operand })
                    }
                    Subject::Known(expansion) => Condition::constant(
                        op.holds_for_json(expansion.resolve(known), operand.as_ref()),
                    ),
                }
            }
        }
    }
}

impl Expansion {
    fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let mut parts = text.trim_start_matches("%%").split('.');
        let root = match parts.next() {
            Some("true") => Root::True,
            Some("false") => Root::False,
            Some("user") => Root::User,
            Some("values") => Root::Values,
            Some("environment") => Root::Environment,
            _ => {
                return Err(ConfigError::new(
                    path,
                    format!(
                        "expansion \"{text}\" cannot be used with sync; %%true, %%false, %%user, %%values and \
                         %%environment can"
                    ),
                ));
            }
        };
        Ok(Self { root, path: parts.map(str::to_owned).collect() })
    }

    fn resolve<'a>(&self, known: &'a UserValues) -> Option<&'a Json> {
        const TRUE: &Json = &Json::Bool(true);
        const FALSE: &Json = &Json::Bool(false);
        let mut at = match self.root {
            Root::True => TRUE,
            Root::False => FALSE,
            Root::User => &known.user,
            Root::Values => &known.values,
            Root::Environment => &known.environment,
        };
        for step in &self.path {
            at = at.get(step)?;
        }
        Some(at)
    }
}

impl Term {
    /// The value; `None` when an expansion leads nowhere or a conversion does not fit.
    fn resolve(&self, known: &UserValues) -> Option<Json> {
        match self {
            Self::Literal(json) => Some(json.clone()),
            Self::Known(expansion) => expansion.resolve(known).cloned(),
            Self::Converted(conversion, inner) => conversion.apply(&inner.resolve(known)?),
        }
    }
}

impl Conversion {
    fn apply(self, json: &Json) -> Option<Json> {
        let typed = |key: &str, text: &str| {
            let mut object = Map::new();
            object.insert(key.to_owned(), Json::String(text.to_owned()));
            Json::Object(object)
        };
        match self {
            Self::StringToOid => {
                let text = json.as_str()?;
                skerry_model::ObjectId::parse(text).map(|oid| typed("$oid", &oid.to_string()))
            }
            Self::StringToUuid => {
                let text = json.as_str()?;
                skerry_model::Uuid::parse(text).map(|uuid| typed("$uuid", &uuid.to_string()))
            }
            Self::OidToString => Some(json.get("$oid")?.clone()),
            Self::UuidToString => Some(json.get("$uuid")?.clone()),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "stringToOid" => Some(Self::StringToOid),
            "oidToString" => Some(Self::OidToString),
            "stringToUuid" => Some(Self::StringToUuid),
            "uuidToString" => Some(Self::UuidToString),
            _ => None,
        }
    }
}

/// The word of an operator: `$in` and `%in` are the same (server 1.4).
fn operator(key: &str) -> Option<&str> {
    if key.starts_with("%%") {
        return None;
    }
    key.strip_prefix('$').or_else(|| key.strip_prefix('%'))
}

struct Parser<'a> {
    place: Place<'a>,
}

impl Parser<'_> {
    fn expression(&self, json: &Json, path: &str, depth: usize) -> Result<Expression, ConfigError> {
        if depth > DEPTH_MAX {
            return Err(ConfigError::new(path, format!("nested more than {DEPTH_MAX} deep")));
        }
        let object = match json {
            Json::Bool(value) => return Ok(Expression::Constant(*value)),
            Json::Object(object) => object,
            _ => return Err(ConfigError::new(path, "an expression is true, false or an object")),
        };
        let parts = object
            .iter()
            .map(|(key, value)| self.entry(key, value, &format!("{path}.{key}"), depth + 1))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match parts.len() {
            0 => Expression::Constant(true),
            1 => parts.into_iter().next().expect("there is one"),
            _ => Expression::All(parts),
        })
    }

    fn entry(
        &self,
        key: &str,
        value: &Json,
        path: &str,
        depth: usize,
    ) -> Result<Expression, ConfigError> {
        match operator(key) {
            Some("and") => Ok(Expression::All(self.list(value, path, depth)?)),
            Some("or") => Ok(Expression::Any(self.list(value, path, depth)?)),
            Some("nor") => {
                Ok(Expression::Not(Box::new(Expression::Any(self.list(value, path, depth)?))))
            }
            Some("not") => Ok(Expression::Not(Box::new(self.expression(value, path, depth)?))),
            Some(other) => Err(ConfigError::new(
                path,
                format!("operator \"{other}\" cannot stand here; and, or, nor, not can"),
            )),
            None => tests(self.subject(key, path)?, value, path),
        }
    }

    fn list(&self, json: &Json, path: &str, depth: usize) -> Result<Vec<Expression>, ConfigError> {
        let Json::Array(items) = json else {
            return Err(ConfigError::new(path, "takes an array of expressions"));
        };
        items
            .iter()
            .enumerate()
            .map(|(i, item)| self.expression(item, &format!("{path}[{i}]"), depth + 1))
            .collect()
    }

    fn subject(&self, key: &str, path: &str) -> Result<Subject, ConfigError> {
        if let Some(name) = key.strip_prefix("%%root.") {
            return self.field(name, path);
        }
        if key.starts_with("%%") {
            return Ok(Subject::Known(Expansion::parse(key, path)?));
        }
        self.field(key, path)
    }

    fn field(&self, name: &str, path: &str) -> Result<Subject, ConfigError> {
        match self.place {
            Place::ApplyWhen => Err(ConfigError::new(
                path,
                format!("apply_when cannot name the document field \"{name}\""),
            )),
            Place::Document { queryable } if name == "_id" || queryable.contains(name) => {
                Ok(Subject::Field(name.to_owned()))
            }
            Place::Document { .. } => Err(ConfigError::new(
                path,
                format!("\"{name}\" is not a queryable field, so the role is not sync-compatible"),
            )),
        }
    }
}

fn term(json: &Json, path: &str) -> Result<Term, ConfigError> {
    match json {
        Json::String(text) if text.starts_with("%%") => {
            Ok(Term::Known(Expansion::parse(text, path)?))
        }
        Json::Object(object) if object.len() == 1 => {
            let (key, value) = object.iter().next().expect("there is one");
            match operator(key).and_then(Conversion::parse) {
                Some(conversion) => {
                    let inner = term(value, &format!("{path}.{key}"))?;
                    Ok(Term::Converted(conversion, Box::new(inner)))
                }
                None if super::condition::literal(json).is_some() => {
                    Ok(Term::Literal(json.clone()))
                }
                None => Err(ConfigError::new(path, format!("unknown operator \"{key}\""))),
            }
        }
        Json::Object(_) => Err(ConfigError::new(path, "an object is not a value to compare with")),
        Json::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if super::condition::literal(item).is_none() {
                    return Err(ConfigError::new(
                        &format!("{path}[{i}]"),
                        "only literals can stand in an array",
                    ));
                }
            }
            Ok(Term::Literal(json.clone()))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            Ok(Term::Literal(json.clone()))
        }
    }
}

/// `{"field": value}` is equality; `{"field": {"$gt": 1, "$lt": 9}}` is both tests.
fn tests(subject: Subject, json: &Json, path: &str) -> Result<Expression, ConfigError> {
    let Json::Object(object) = json else {
        let operand = term(json, path)?;
        return Ok(Expression::Test { subject, op: TestOp::Equal, operand });
    };
    let is_test = |key: &String| {
        operator(key).is_some_and(|word| TestOp::parse(word).is_some() || word == "function")
    };
    if !object.keys().any(is_test) {
        let operand = term(json, path)?;
        return Ok(Expression::Test { subject, op: TestOp::Equal, operand });
    }
    let tests = object
        .iter()
        .map(|(key, value)| {
            let path = format!("{path}.{key}");
            let word = operator(key).unwrap_or(key);
            let Some(op) = TestOp::parse(word) else {
                return Err(ConfigError::new(&path, format!("unknown operator \"{key}\"")));
            };
            let operand = term(value, &path)?;
            op.check_operand(&operand, &path)?;
            Ok(Expression::Test { subject: subject.clone(), op, operand })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Expression::All(tests))
}
