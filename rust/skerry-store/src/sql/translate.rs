//! Conditions that mean exactly the same in SQL as in the evaluator.
//!
//! Invariant: a translated condition is never NULL, and true exactly for the objects that
//! [`Predicate::matches`] takes. Whatever is not certain to be so the evaluator is asked: string
//! operators, folding of case, two properties compared, decimals, numbers of another type than the
//! column's, order of nullable keys, collections. What only it can find out, because other objects
//! take part, is left to it.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Value as SqlValue};
use skerry_model::{PropertyType, Value};
use skerry_query::evaluated::{Evaluated, TextMatch};
use skerry_query::predicate::ValueSet;
use skerry_query::{CompareOp, Operand, Predicate, PropertyRef};

use super::leaf::{self, LeafGuard};
use super::range::{self, Range};
use crate::objects::{Catalogue, ClassTable, Column, ObjectTables};

/// Parameters beyond which a condition is left to the evaluator; `SQLite` takes 32766.
const PARAMETERS_MAX: usize = 10_000;

/// Terms beyond which a condition is left to the evaluator; `SQLite` nests 1000 deep, and a chain of
/// ANDs is as deep as it is long.
const NODES_MAX: usize = 400;

/// A condition in two parts, both of which must hold.
pub(crate) struct Condition<'p> {
    /// An SQL expression, `TRUE` when nothing was translated.
    pub(crate) sql: String,
    /// Its parameters, in order.
    pub(crate) parameters: Vec<SqlValue>,
    /// What the evaluator has to decide.
    pub(crate) residual: Vec<&'p Predicate>,
    /// Ranges in the expression whose width is not known yet.
    pub(crate) ranges: Vec<Range>,
    /// Keep known what the expression asks the evaluator.
    pub(crate) leaves: Vec<LeafGuard>,
}

/// Translates what can be translated; parts of a conjunction one by one.
pub(crate) fn split<'p>(
    tables: &ObjectTables,
    table: &ClassTable,
    predicate: &'p Predicate,
) -> Condition<'p> {
    let parts = match predicate {
        Predicate::And(parts) => parts.as_slice(),
        Predicate::True
        | Predicate::False
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Compare { .. }
        | Predicate::In { .. }
        | Predicate::Evaluated(_) => std::slice::from_ref(predicate),
    };
    let mut condition = Condition {
        sql: String::new(),
        parameters: Vec::new(),
        residual: Vec::new(),
        ranges: Vec::new(),
        leaves: Vec::new(),
    };
    let mut budget = NODES_MAX;
    for part in parts {
        let catalogue = tables.shared_catalogue();
        let mut translation =
            Translation { catalogue, table, parameters: Vec::new(), leaves: Vec::new() };
        let translated = is_small(part, &mut budget).then(|| translation.of(part)).flatten();
        let Translation { mut parameters, mut leaves, .. } = translation;
        match translated {
            Some(mut sql) if condition.parameters.len() + parameters.len() <= PARAMETERS_MAX => {
                condition.ranges.extend(range::note(table, part, &mut sql, &parameters));
                if !condition.sql.is_empty() {
                    condition.sql.push_str(" AND ");
                }
                condition.sql.push_str(&sql);
                condition.parameters.append(&mut parameters);
                condition.leaves.append(&mut leaves);
            }
            Some(_) | None => condition.residual.push(part),
        }
    }
    if condition.sql.is_empty() {
        condition.sql.push_str("TRUE");
    }
    condition
}

/// What becomes of one part of a conjunction.
struct Translation<'t> {
    catalogue: &'t Arc<Catalogue>,
    table: &'t ClassTable,
    parameters: Vec<SqlValue>,
    leaves: Vec<LeafGuard>,
}

impl Translation<'_> {
    /// The condition in parentheses or as one term; `None` when SQL cannot say it.
    fn of(&mut self, predicate: &Predicate) -> Option<String> {
        match predicate {
            Predicate::True => Some("TRUE".to_owned()),
            Predicate::False => Some("FALSE".to_owned()),
            Predicate::And(parts) => self.join(parts, " AND "),
            Predicate::Or(parts) => self.join(parts, " OR "),
            Predicate::Not(part) => Some(format!("(NOT {})", self.of(part)?)),
            Predicate::Compare { .. } | Predicate::In { .. } | Predicate::Evaluated(_) => {
                let before = self.parameters.len();
                let said = said(self.table, predicate, &mut self.parameters);
                said.or_else(|| {
                    self.parameters.truncate(before);
                    let (sql, number, guard) = leaf::call(self.catalogue, self.table, predicate)?;
                    self.parameters.push(SqlValue::Integer(number));
                    self.leaves.push(guard);
                    Some(sql)
                })
            }
        }
    }

    fn join(&mut self, parts: &[Predicate], operator: &str) -> Option<String> {
        let parts = parts.iter().map(|part| self.of(part)).collect::<Option<Vec<_>>>()?;
        Some(format!("({})", parts.join(operator)))
    }
}

/// The term that says the same in SQL without asking the evaluator.
fn said(
    table: &ClassTable,
    predicate: &Predicate,
    parameters: &mut Vec<SqlValue>,
) -> Option<String> {
    match predicate {
        Predicate::Compare { left, op, right, case_insensitive: false } => {
            let (Operand::Property(property), Operand::Constant(constant)) = (left, right) else {
                return None;
            };
            compare(&place(table, property)?, *op, constant, parameters)
        }
        Predicate::In { property, values } => is_in(&place(table, property)?, values, parameters),
        Predicate::Evaluated(evaluated) => match &**evaluated {
            Evaluated::Text(TextMatch { path, query }) => {
                let property = path.as_property()?;
                let (sql, searched) = table.text_search(&property.name, query)?;
                parameters.extend(searched);
                Some(sql)
            }
            Evaluated::Compare(_) | Evaluated::Within(_) => None,
        },
        Predicate::True
        | Predicate::False
        | Predicate::And(_)
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Compare { case_insensitive: true, .. } => None,
    }
}

/// Whether the expression stays clear of `SQLite`'s limits of depth and parameters.
fn is_small(predicate: &Predicate, budget: &mut usize) -> bool {
    let Some(rest) = budget.checked_sub(1) else { return false };
    *budget = rest;
    match predicate {
        Predicate::True
        | Predicate::False
        | Predicate::Compare { .. }
        | Predicate::Evaluated(_) => true,
        Predicate::In { values, .. } => values.len() <= PARAMETERS_MAX,
        Predicate::And(parts) | Predicate::Or(parts) => {
            parts.iter().all(|part| is_small(part, budget))
        }
        Predicate::Not(part) => is_small(part, budget),
    }
}

fn is_in(place: &Place<'_>, values: &ValueSet, parameters: &mut Vec<SqlValue>) -> Option<String> {
    let Place { column, name } = place;
    let mut places = Vec::with_capacity(values.len());
    let mut has_null = false;
    for value in values {
        if value.is_null() {
            has_null = true;
            continue;
        }
        is_of_type(column, value).then_some(())?;
        parameters.push(parameter(column, value)?);
        places.push("?");
    }
    let mut sql = format!("{name} IS NOT NULL AND {name} IN ({})", places.join(", "));
    if let Some(found) = target_exists(place) {
        sql = format!("{sql} AND {found}");
    }
    if has_null {
        sql = format!("({sql}) OR {}", compare_with_null(place, CompareOp::Equal)?);
    }
    Some(format!("({sql})"))
}

/// That the target of a link exists; a dangling link reads as null.
fn target_exists(place: &Place<'_>) -> Option<String> {
    let (target, name) = (place.column.target_id?, &place.name);
    Some(format!("EXISTS (SELECT 1 FROM o{target} t WHERE t.p0 = {name})"))
}

/// A column and its full name: without the table, a name inside a subquery on the target of a link
/// would be a column of the target.
struct Place<'t> {
    column: &'t Column,
    name: String,
}

fn place<'t>(table: &'t ClassTable, property: &PropertyRef) -> Option<Place<'t>> {
    let column = &table.columns[table.resolve(property)?];
    if column.is_content {
        return None;
    }
    Some(Place { column, name: format!("{}.{}", table.table(), column.sql_name()) })
}

fn compare(
    place: &Place<'_>,
    op: CompareOp,
    constant: &Value,
    parameters: &mut Vec<SqlValue>,
) -> Option<String> {
    let Place { column, name } = place;
    if op.is_string_operator() {
        return None;
    }
    if constant.is_null() {
        return compare_with_null(place, op);
    }
    if !is_of_type(column, constant) {
        return None;
    }
    let sql = match (op, target_exists(place)) {
        (CompareOp::Equal, Some(found)) => format!("({name} IS ? AND {found})"),
        (CompareOp::Equal, None) => format!("{name} IS ?"),
        (CompareOp::NotEqual, None) => format!("{name} IS NOT ?"),
        (CompareOp::Less, None) => ordered(place, "<")?,
        (CompareOp::LessOrEqual, None) => ordered(place, "<=")?,
        (CompareOp::Greater, None) => ordered(place, ">")?,
        (CompareOp::GreaterOrEqual, None) => ordered(place, ">=")?,
        (_, Some(_))
        | (
            CompareOp::BeginsWith | CompareOp::EndsWith | CompareOp::Contains | CompareOp::Like,
            None,
        ) => return None,
    };
    parameters.push(parameter(column, constant)?);
    Some(sql)
}

/// Whether SQL compares the column with the constant by value.
fn is_of_type(column: &Column, constant: &Value) -> bool {
    match (column.property.ty, constant) {
        (PropertyType::Int, Value::Int(_))
        | (PropertyType::Bool, Value::Bool(_))
        | (PropertyType::String, Value::String(_))
        | (PropertyType::Binary, Value::Binary(_))
        | (PropertyType::Timestamp, Value::Timestamp(_))
        | (PropertyType::ObjectId, Value::ObjectId(_))
        | (PropertyType::Uuid, Value::Uuid(_)) => true,
        (PropertyType::Double, Value::Double(double)) => !double.is_nan(),
        (PropertyType::Link, Value::Link(link)) => {
            column.property.target.as_ref() == Some(&link.class)
        }
        _ => false,
    }
}

/// A column against a constant of its type, in order.
fn ordered(place: &Place<'_>, operator: &str) -> Option<String> {
    let Place { column, name } = place;
    let compared = range::mark(column, format!("{name} {operator} ?"));
    if !column.property.nullable && column.property.ty != PropertyType::Double {
        return Some(compared);
    }
    if column.is_primary_key {
        // A null key is an empty blob, which sorts in its own way.
        return None;
    }
    Some(match column.property.ty {
        // Null sorts before all text.
        PropertyType::String if operator.starts_with('<') => {
            format!("({name} IS NULL OR {compared})")
        }
        // A NaN is stored as a blob, and blobs sort behind numbers.
        PropertyType::Double => format!("(typeof({name}) = 'real' AND {compared})"),
        _ => format!("({name} IS NOT NULL AND {compared})"),
    })
}

fn compare_with_null(place: &Place<'_>, op: CompareOp) -> Option<String> {
    let Place { column, name } = place;
    let (is_null, is_some) = if column.is_primary_key {
        (format!("{name} IS x''"), format!("{name} IS NOT x''"))
    } else if let Some(found) = target_exists(place) {
        (format!("(NOT {found})"), found)
    } else {
        (format!("{name} IS NULL"), format!("{name} IS NOT NULL"))
    };
    let is_text = column.property.ty == PropertyType::String;
    Some(match op {
        CompareOp::NotEqual => is_some,
        // Null is before all text, and orders with nothing else but null.
        CompareOp::Greater if is_text => is_some,
        CompareOp::Less | CompareOp::Greater => "FALSE".to_owned(),
        CompareOp::GreaterOrEqual if is_text => "TRUE".to_owned(),
        CompareOp::Equal | CompareOp::LessOrEqual | CompareOp::GreaterOrEqual => is_null,
        CompareOp::BeginsWith | CompareOp::EndsWith | CompareOp::Contains | CompareOp::Like => {
            return None;
        }
    })
}

/// The constant as it stands in the column.
fn parameter(column: &Column, constant: &Value) -> Option<SqlValue> {
    match column.to_sql(constant) {
        ToSqlOutput::Owned(value) => Some(value),
        ToSqlOutput::Borrowed(value) => SqlValue::try_from(value).ok(),
        _ => None,
    }
}
