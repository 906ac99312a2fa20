//! Constants: literals and arguments, lists of them, and arithmetic on them.

use skerry_model::{Link, Name, ObjectKey, PropertyType, Value};

use super::{Checker, Kind};
use crate::adapt::Raw;
use crate::arithmetic;
use crate::ast::{ArithmeticSyntax, Constant, ConstantKind, Expression, Quantifier};
use crate::error::QueryError;
use crate::limits::LIST_MAX_ELEMENTS;
use crate::query::Argument;

/// Prefix that the engine's own texts put before the class in `obj("class_Item", …)`.
const TABLE_PREFIX: &str = "class_";

/// One side of a comparison, as far as it is constant.
pub(super) enum Side {
    /// Not constant.
    Dynamic,
    Single(Raw),
    List(Option<Quantifier>, Vec<Raw>),
}

/// Whether no property takes part in the expression.
pub(super) fn is_constant(expression: &Expression) -> bool {
    match expression {
        Expression::Constant(_) | Expression::List(_) | Expression::ListArgument(..) => true,
        Expression::Path(_) | Expression::Subquery(_) | Expression::Region(_) => false,
        Expression::Arithmetic(arithmetic) => {
            is_constant(&arithmetic.left) && is_constant(&arithmetic.right)
        }
    }
}

impl Checker<'_> {
    /// The expression as a constant, the numbers of its arithmetic adapted to values of type `ty`.
    pub(super) fn side(
        &self,
        expression: &Expression,
        ty: PropertyType,
    ) -> Result<Side, QueryError> {
        match expression {
            Expression::Path(_) | Expression::Subquery(_) | Expression::Region(_) => {
                Ok(Side::Dynamic)
            }
            Expression::Arithmetic(_) if !is_constant(expression) => Ok(Side::Dynamic),
            Expression::Arithmetic(arithmetic) => {
                self.fold(arithmetic, ty).map(|value| Side::Single(Raw::Value(value)))
            }
            Expression::List(list) => {
                let elements = list.elements.iter().map(|element| self.single(element));
                Ok(Side::List(list.quantifier, elements.collect::<Result<_, _>>()?))
            }
            Expression::ListArgument(quantifier, constant) => {
                let side = self.constant_or_list(constant)?;
                match side {
                    Side::List(_, values) => Ok(Side::List(Some(*quantifier), values)),
                    Side::Single(_) | Side::Dynamic => {
                        let what = "a quantifier wants a list behind it";
                        Err(QueryError::unsupported(what, constant.position))
                    }
                }
            }
            Expression::Constant(constant) => self.constant_or_list(constant),
        }
    }

    fn constant_or_list(&self, constant: &Constant) -> Result<Side, QueryError> {
        let position = constant.position;
        let ConstantKind::Argument(index) = constant.kind else {
            return self.single(constant).map(Side::Single);
        };
        match self.argument(index, position)? {
            Argument::Value(value) => Ok(Side::Single(Raw::Value(value.clone()))),
            Argument::List(values) if values.len() > LIST_MAX_ELEMENTS => {
                Err(QueryError::ListTooLong { max_elements: LIST_MAX_ELEMENTS, position })
            }
            Argument::List(values) => {
                Ok(Side::List(None, values.iter().cloned().map(Raw::Value).collect()))
            }
        }
    }

    /// The value of arithmetic on constants.
    fn fold(&self, arithmetic: &ArithmeticSyntax, ty: PropertyType) -> Result<Value, QueryError> {
        let position = arithmetic.position;
        let number = |expression: &Expression| match self.side(expression, ty)? {
            Side::Single(raw) => {
                let value = if ty == PropertyType::Mixed {
                    raw.plain()
                } else {
                    raw.adapt(ty).unwrap_or_else(|_| raw.plain())
                };
                if arithmetic::is_number(&value) {
                    return Ok(value);
                }
                let what = format!("{} is no number to calculate with", raw.describe());
                Err(QueryError::mismatch(what, position))
            }
            Side::List(..) | Side::Dynamic => {
                Err(QueryError::unsupported("a list of constants is no number", position))
            }
        };
        let (left, right) = (number(&arithmetic.left)?, number(&arithmetic.right)?);
        Ok(arithmetic::calculate(arithmetic.op, &left, &right))
    }

    pub(super) fn argument(&self, index: usize, position: usize) -> Result<&Argument, QueryError> {
        let given = self.arguments.len();
        self.arguments.get(index).ok_or(QueryError::MissingArgument { index, given, position })
    }

    pub(super) fn single(&self, constant: &Constant) -> Result<Raw, QueryError> {
        let position = constant.position;
        match &constant.kind {
            ConstantKind::Literal(literal) => Ok(Raw::Literal(literal.clone())),
            ConstantKind::Argument(index) => match self.argument(*index, position)? {
                Argument::Value(value) => Ok(Raw::Value(value.clone())),
                Argument::List(_) => Err(QueryError::ListArgument { index: *index, position }),
            },
            ConstantKind::Object { class, key } => self.object(class, key, position),
        }
    }

    /// A link constant; null when its object is known not to exist, as the engine has it.
    fn object(&self, name: &str, key: &Constant, position: usize) -> Result<Raw, QueryError> {
        let unprefixed = name.strip_prefix(TABLE_PREFIX);
        let class = self.schema.class_named(name).or_else(|| self.schema.class(unprefixed?));
        // Embedded objects have no key to be named by.
        let Some(class) = class.filter(|class| !class.embedded) else {
            return Err(QueryError::UnknownClass { class: name.to_owned(), position });
        };
        let key = self.single(key)?;
        let fitting = key.adapt(class.primary_key_property().ty).unwrap_or_else(|_| key.plain());
        let Some(key) = ObjectKey::from_value(&fitting) else {
            return Ok(Raw::Value(Value::Null));
        };
        let link = Link { class: class.name.clone(), key };
        let exists = self.targets.exists(&link);
        Ok(Raw::Value(if exists { link.into() } else { Value::Null }))
    }

    /// A constant as a link to an object of `class`: null if its object is absent; `None` when it is
    /// no link.
    pub(super) fn link(
        &self,
        constant: &Raw,
        class: &Name,
        position: usize,
    ) -> Option<Result<Value, QueryError>> {
        match constant.plain() {
            Value::Null => Some(Ok(Value::Null)),
            Value::Link(link) if link.class == *class => {
                let exists = self.targets.exists(&link);
                Some(Ok(if exists { Value::Link(link) } else { Value::Null }))
            }
            Value::Link(link) => Some(Err(QueryError::LinkClass {
                path: "the link".to_owned(),
                target: class.clone(),
                class: link.class,
                position,
            })),
            _ => None,
        }
    }

    /// A constant for a comparison with values of a kind, and its own kind.
    pub(super) fn fitted(
        &self,
        constant: &Raw,
        kind: &Kind,
        position: usize,
    ) -> Result<(Value, Kind), QueryError> {
        let value = match kind {
            Kind::Link(class) => match self.link(constant, class, position) {
                Some(link) => link?,
                None => constant.plain(),
            },
            Kind::Value(PropertyType::Mixed) => match constant.plain() {
                Value::Link(link) if !self.targets.exists(&link) => Value::Null,
                // Among mixed values all NaNs are one, and infinities of any type; doubles can be written.
                Value::Decimal(decimal) if decimal.is_nan() => Value::Double(f64::NAN),
                Value::Float(float) if float.is_infinite() => Value::Double(float.into()),
                Value::Float(float) if float.is_nan() => Value::Double(f64::NAN),
                Value::Double(double) if double.is_nan() => Value::Double(f64::NAN),
                value => value,
            },
            Kind::Value(ty) => {
                let (plain, adapted) = (constant.plain(), constant.adapt(*ty));
                let is_number = arithmetic::is_number(&plain) && super::scalar::is_number(*ty);
                if is_number && adapted.is_err() {
                    let (value, ty) = (constant.describe(), kind.describe());
                    return Err(QueryError::BadValue { value, ty, position });
                }
                adapted.unwrap_or(plain)
            }
            Kind::Embedded(_) | Kind::Null | Kind::Type | Kind::Any => constant.plain(),
        };
        let kind = kind_of(&value);
        Ok((value, kind))
    }
}

/// The kind of a constant.
fn kind_of(value: &Value) -> Kind {
    Kind::Value(match value {
        Value::Null => return Kind::Null,
        Value::Link(link) => return Kind::Link(link.class.clone()),
        Value::Int(_) => PropertyType::Int,
        Value::Bool(_) => PropertyType::Bool,
        Value::String(_) => PropertyType::String,
        Value::Binary(_) => PropertyType::Binary,
        Value::Timestamp(_) => PropertyType::Timestamp,
        Value::Float(_) => PropertyType::Float,
        Value::Double(_) => PropertyType::Double,
        Value::Decimal(_) => PropertyType::Decimal,
        Value::ObjectId(_) => PropertyType::ObjectId,
        Value::Uuid(_) => PropertyType::Uuid,
    })
}
