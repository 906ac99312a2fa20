//! Rule expressions as written in the configuration (server 1.4), checked but not yet bound to a user.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use skerry_model::{ObjectId, Uuid};

use super::condition::{Condition, FieldTest, TestOp, literal};
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
    /// An array of any of these.
    List(Vec<Term>),
}

/// The four converters of server 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// 24 hexadecimal digits, or 12 bytes of text, to an object id.
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
                    Subject::Known(expansion) => {
                        let value = expansion.resolve(known);
                        let holds = op.holds_for_json(value.as_ref(), operand.as_ref());
                        Condition::constant(holds)
                    }
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

    fn resolve(&self, known: &UserValues) -> Option<Json> {
        const TRUE: &Json = &Json::Bool(true);
        const FALSE: &Json = &Json::Bool(false);
        let root = match self.root {
            Root::True => TRUE,
            Root::False => FALSE,
            Root::User => &known.user,
            Root::Values => &known.values,
            Root::Environment => &known.environment,
        };
        down(root, &self.path)
    }
}

/// What is at the end of a path. Through an array it leads to what all elements have there, unless the
/// step is a position: `identities.providerType` is a list.
fn down(at: &Json, path: &[String]) -> Option<Json> {
    let Some((step, rest)) = path.split_first() else { return Some(at.clone()) };
    let Json::Array(items) = at else { return down(at.get(step)?, rest) };
    if let Ok(position) = step.parse::<usize>() {
        return down(items.get(position)?, rest);
    }
    let found: Vec<Json> = items.iter().filter_map(|item| down(item, path)).collect();
    (!found.is_empty()).then_some(Json::Array(found))
}

impl Term {
    /// The value; `None` when an expansion leads nowhere or a conversion does not fit.
    fn resolve(&self, known: &UserValues) -> Option<Json> {
        match self {
            Self::Literal(json) => Some(json.clone()),
            Self::Known(expansion) => expansion.resolve(known),
            Self::Converted(conversion, inner) => conversion.apply(&inner.resolve(known)?),
            // What has no value is no element.
            Self::List(items) => {
                Some(items.iter().filter_map(|item| item.resolve(known)).collect())
            }
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
                let bytes = || text.as_bytes().try_into().ok().map(ObjectId);
                let oid = ObjectId::parse(text).or_else(bytes)?;
                Some(typed("$oid", &oid.to_string()))
            }
            Self::StringToUuid => {
                let text = json.as_str()?;
                Uuid::parse(text).map(|uuid| typed("$uuid", &uuid.to_string()))
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
            Some("function") => Err(self.no_function(path)),
            Some(other) => Err(ConfigError::new(
                path,
                format!("operator \"{other}\" cannot stand here; and, or, nor, not can"),
            )),
            None => self.tests(&self.subject(key, path)?, value, path, depth),
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

    /// `{"field": value}` is equality; `{"field": {"$gt": 1, "$lt": 9}}` is both tests.
    fn tests(
        &self,
        subject: &Subject,
        json: &Json,
        path: &str,
        depth: usize,
    ) -> Result<Expression, ConfigError> {
        if depth > DEPTH_MAX {
            return Err(ConfigError::new(path, format!("nested more than {DEPTH_MAX} deep")));
        }
        let test = |op: TestOp, operand: &Json, path: &str| {
            let operand = self.term(operand, path)?;
            op.check_operand(&operand, path)?;
            Ok(Expression::Test { subject: subject.clone(), op, operand })
        };
        let is_test = |key: &String| {
            operator(key).is_some_and(|word| TestOp::parse(word).is_some() || word == "not")
        };
        let object = match json {
            Json::Object(object) if object.keys().any(is_test) => object,
            _ => return test(TestOp::Equal, json, path),
        };
        let tests = object.iter().map(|(key, value)| {
            let path = format!("{path}.{key}");
            match operator(key) {
                Some("not") => {
                    let inner = self.tests(subject, value, &path, depth + 1)?;
                    Ok(Expression::Not(Box::new(inner)))
                }
                Some("function") => Err(self.no_function(&path)),
                word => match word.and_then(TestOp::parse) {
                    Some(op) => test(op, value, &path),
                    None => Err(ConfigError::new(&path, format!("unknown operator \"{key}\""))),
                },
            }
        });
        Ok(Expression::All(tests.collect::<Result<_, _>>()?))
    }

    fn term(&self, json: &Json, path: &str) -> Result<Term, ConfigError> {
        match json {
            Json::String(text) if text.starts_with("%%") => {
                Ok(Term::Known(Expansion::parse(text, path)?))
            }
            Json::Object(object) => self.object_term(object, json, path),
            Json::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(i, item)| self.term(item, &format!("{path}[{i}]")));
                Ok(Term::List(items.collect::<Result<_, _>>()?))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                Ok(Term::Literal(json.clone()))
            }
        }
    }

    /// A converter or an Extended JSON literal.
    fn object_term(
        &self,
        object: &Map<String, Json>,
        json: &Json,
        path: &str,
    ) -> Result<Term, ConfigError> {
        let (Some((key, value)), 1) = (object.iter().next(), object.len()) else {
            return Err(ConfigError::new(path, "an object is not a value to compare with"));
        };
        if literal(json).is_some() {
            return Ok(Term::Literal(json.clone()));
        }
        match operator(key) {
            Some("function") => Err(self.no_function(&format!("{path}.{key}"))),
            Some(word) => match Conversion::parse(word) {
                Some(conversion) => converted(conversion, key, value, path),
                None => Err(ConfigError::new(path, format!("unknown operator \"{key}\""))),
            },
            None => Err(ConfigError::new(path, "an object is not a value to compare with")),
        }
    }

    fn no_function(&self, path: &str) -> ConfigError {
        let reason = match self.place {
            Place::ApplyWhen => "%function is not supported yet",
            Place::Document { .. } => {
                "%function can only be used in apply_when: here the role would not be sync-compatible"
            }
        };
        ConfigError::new(path, reason)
    }
}

/// Converters take a literal, or an expansion that yields one, and evaluate nothing (server 1.4).
fn converted(
    conversion: Conversion,
    key: &str,
    value: &Json,
    path: &str,
) -> Result<Term, ConfigError> {
    let path = format!("{path}.{key}");
    let inner = match value {
        Json::String(text) if text.starts_with("%%") => Term::Known(Expansion::parse(text, &path)?),
        _ if conversion.apply(value).is_some() => Term::Literal(value.clone()),
        _ => {
            let reason = format!("\"{key}\" cannot convert {value}");
            return Err(ConfigError::new(&path, reason));
        }
    };
    Ok(Term::Converted(conversion, Box::new(inner)))
}
