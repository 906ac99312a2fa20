//! One property of the object itself against constants, or against another: the comparisons that can
//! be indexed, translated and kept in columns.

use skerry_model::{ClassSchema, Name, PropertyType, Value};

use super::Checker;
use crate::adapt::{Raw, type_name};
use crate::error::QueryError;
use crate::predicate::{CompareOp, Operand, Predicate, PropertyRef};

/// The comparison being checked.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) op: CompareOp,
    pub(super) case_insensitive: bool,
    pub(super) position: usize,
}

/// Whether the constant stands on the left of its operator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ConstantOn {
    Left,
    Right,
}

impl Checker<'_> {
    pub(super) fn two_properties(
        class: &ClassSchema,
        site: Site,
        left: PropertyRef,
        right: PropertyRef,
    ) -> Result<Predicate, QueryError> {
        let Site { op, case_insensitive, position } = site;
        check_operator(op, right.ty, position)?;
        let searched = op.is_string_operator();
        let compare = left.ty == right.ty || (is_number(left.ty) && is_number(right.ty));
        if searched && left.ty != right.ty {
            return Ok(Predicate::False);
        }
        if !compare {
            return Err(QueryError::TypeMismatch {
                left: type_name(left.ty),
                right: type_name(right.ty),
                position,
            });
        }
        if left.ty == PropertyType::Link {
            let target = |property| link_target(class, property);
            check_link_class(&left, target(&left), target(&right), position)?;
        }
        let case_insensitive = case_insensitive && is_text(left.ty);
        let (left, right) = (Operand::Property(left), Operand::Property(right));
        Ok(Predicate::Compare { left, op, right, case_insensitive })
    }

    pub(super) fn with_constant(
        &self,
        class: &ClassSchema,
        site: Site,
        property: PropertyRef,
        constant: &Raw,
        side: ConstantOn,
    ) -> Result<Predicate, QueryError> {
        let Site { op, case_insensitive, position } = site;
        if op.is_string_operator() {
            return search(site, property, constant, side);
        }
        check_operator(op, property.ty, position)?;
        let value = self.adapt(class, &property, constant, position)?;
        let op = match side {
            ConstantOn::Left => op.mirrored().expect("string operators have been dealt with"),
            ConstantOn::Right => op,
        };
        let case_insensitive = case_insensitive && is_text(property.ty);
        Ok(Predicate::Compare {
            left: Operand::Property(property),
            op,
            right: Operand::Constant(value),
            case_insensitive,
        })
    }

    /// `x op {a, b}` holds if it does for some element.
    pub(super) fn with_list(
        &self,
        class: &ClassSchema,
        site: Site,
        property: &PropertyRef,
        list: &[Raw],
        side: ConstantOn,
    ) -> Result<Predicate, QueryError> {
        let Site { op, position, .. } = site;
        if op == CompareOp::Equal {
            let values = if property.ty == PropertyType::Link {
                let links =
                    list.iter().map(|element| self.adapt(class, property, element, position));
                links.collect::<Result<_, _>>()?
            } else {
                list.iter().filter_map(|element| element.adapt_element(property.ty)).collect()
            };
            // The engine ignores [c] where it looks a property up in a list.
            return Ok(Predicate::is_in(property.clone(), values));
        }
        let parts = list.iter().map(|element| {
            match self.with_constant(class, site, property.clone(), element, side) {
                // Values of different kinds are unequal, and that is all they are.
                Err(QueryError::BadValue { .. }) if op == CompareOp::NotEqual => {
                    Ok(Predicate::True)
                }
                Err(QueryError::BadValue { .. }) => Ok(Predicate::False),
                part => Ok(without_null_order(part?)),
            }
        });
        Ok(Predicate::or(parts.collect::<Result<Vec<_>, QueryError>>()?))
    }

    fn adapt(
        &self,
        class: &ClassSchema,
        property: &PropertyRef,
        constant: &Raw,
        position: usize,
    ) -> Result<Value, QueryError> {
        let unfit = || QueryError::BadValue {
            value: constant.describe(),
            ty: type_name(property.ty),
            position,
        };
        if property.ty != PropertyType::Link {
            return constant.adapt(property.ty).map_err(|_| unfit());
        }
        self.link(constant, link_target(class, property), position).ok_or_else(unfit)?
    }
}

/// BEGINSWITH, ENDSWITH, CONTAINS and LIKE between a property and a constant.
///
/// The engine wants text or bytes on the right, adapted to the left like any constant; on the left it
/// takes anything and finds nothing in what is neither.
fn search(
    site: Site,
    property: PropertyRef,
    constant: &Raw,
    side: ConstantOn,
) -> Result<Predicate, QueryError> {
    let Site { op, case_insensitive, position } = site;
    if side == ConstantOn::Left {
        check_operator(op, property.ty, position)?;
    }
    let value = match constant.adapt(property.ty) {
        Ok(value) => value,
        Err(_) => constant.plain(),
    };
    let bad_operator = |ty| QueryError::BadOperator { operator: op.symbol(), ty, position };
    let constant_type = match value {
        Value::Null => property.ty,
        Value::String(_) => PropertyType::String,
        Value::Binary(_) => PropertyType::Binary,
        _ if side == ConstantOn::Left => property.ty,
        _ => return Err(bad_operator("a constant that is neither text nor data")),
    };
    if constant.is_null() && !is_text(property.ty) {
        return Err(bad_operator(type_name(property.ty)));
    }
    if constant_type != property.ty || !is_text(property.ty) {
        return Ok(Predicate::False);
    }
    let is_folded_search = case_insensitive && op == CompareOp::Contains;
    if is_folded_search && value.is_null() && property.ty == PropertyType::Binary {
        // The engine finds null in every text, null included, but only in bytes that are not null.
        return Ok(Predicate::compare(property, CompareOp::NotEqual, Value::Null));
    }
    let (property, constant) = (Operand::Property(property), Operand::Constant(value));
    let (left, right) = match side {
        ConstantOn::Left => (constant, property),
        ConstantOn::Right => (property, constant),
    };
    Ok(Predicate::Compare { left, op, right, case_insensitive })
}

/// An element of a list is compared as in an expression, where null has no order, and not as in a
/// column, where null text comes first; so null is excluded.
fn without_null_order(part: Predicate) -> Predicate {
    let Predicate::Compare { left: Operand::Property(property), op, right, .. } = &part else {
        return part;
    };
    let is_ordered = matches!(
        op,
        CompareOp::Less | CompareOp::LessOrEqual | CompareOp::Greater | CompareOp::GreaterOrEqual
    );
    if property.ty != PropertyType::String || !is_ordered {
        return part;
    }
    let property = property.clone();
    match (right, op) {
        (Operand::Constant(Value::Null), CompareOp::LessOrEqual | CompareOp::GreaterOrEqual) => {
            Predicate::compare(property, CompareOp::Equal, Value::Null)
        }
        (Operand::Constant(Value::Null), _) => Predicate::False,
        _ if property.nullable => {
            Predicate::and([Predicate::compare(property, CompareOp::NotEqual, Value::Null), part])
        }
        _ => part,
    }
}

pub(super) fn is_number(ty: PropertyType) -> bool {
    matches!(
        ty,
        PropertyType::Int | PropertyType::Float | PropertyType::Double | PropertyType::Decimal
    )
}

pub(super) fn is_text(ty: PropertyType) -> bool {
    matches!(ty, PropertyType::String | PropertyType::Binary)
}

pub(super) fn check_operator(
    op: CompareOp,
    ty: PropertyType,
    position: usize,
) -> Result<(), QueryError> {
    let defined = match op {
        CompareOp::Equal | CompareOp::NotEqual => true,
        CompareOp::Less
        | CompareOp::LessOrEqual
        | CompareOp::Greater
        | CompareOp::GreaterOrEqual => ty != PropertyType::Link,
        CompareOp::BeginsWith | CompareOp::EndsWith | CompareOp::Contains | CompareOp::Like => {
            is_text(ty)
        }
    };
    if defined {
        return Ok(());
    }
    Err(QueryError::BadOperator { operator: op.symbol(), ty: type_name(ty), position })
}

fn link_target<'c>(class: &'c ClassSchema, property: &PropertyRef) -> &'c Name {
    let target = class.properties[property.index].target.as_ref();
    target.expect("a checked schema gives links a target")
}

fn check_link_class(
    property: &PropertyRef,
    target: &Name,
    class: &Name,
    position: usize,
) -> Result<(), QueryError> {
    if target == class {
        return Ok(());
    }
    let path = property.name.to_string();
    Err(QueryError::LinkClass { path, target: target.clone(), class: class.clone(), position })
}
