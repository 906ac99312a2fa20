//! Tests of fields as predicates on the objects of a class.
//!
//! They mean what they mean of documents (server 1.4): only values of one kind compare, an array
//! passes where one of its elements does, and a field that is not there equals nothing.

use serde_json::Value as Json;
use skerry_model::{ClassSchema, PropertyType, Schema, Value};
use skerry_query::{Argument, CompareOp, Predicate, PropertyRef, Query, QueryableKind};

use super::condition::{FieldTest, TestOp, literal};

impl FieldTest {
    /// As a predicate on objects of the class.
    pub(super) fn bind(&self, schema: &Schema, class: &ClassSchema) -> Predicate {
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
                let found = if values.is_empty() {
                    Predicate::False
                } else {
                    Predicate::is_in(property.clone(), values)
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
        let some_equal = |values: Vec<Value>| {
            if values.is_empty() {
                Predicate::False
            } else {
                Predicate::any_equals(property.clone(), values)
            }
        };
        let value = literal_for(operand, property.ty);
        let ordered = |operator: &str| match value.clone().filter(|value| !value.is_null()) {
            Some(value) => ask(&format!("ANY $K0 {operator} $1"), Argument::Value(value)),
            None => Predicate::False,
        };
        match self.op {
            TestOp::Equal => some_equal(value.into_iter().collect()),
            TestOp::NotEqual => Predicate::negated(some_equal(value.into_iter().collect())),
            TestOp::Greater => ordered(">"),
            TestOp::GreaterOrEqual => ordered(">="),
            TestOp::Less => ordered("<"),
            TestOp::LessOrEqual => ordered("<="),
            TestOp::In => some_equal(self.values(property)),
            TestOp::NotIn => Predicate::negated(some_equal(self.values(property))),
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
