//! From syntax to the typed form: names are resolved, arguments put in, constants adapted to the
//! property that they meet, and what does not compare is refused.

use skerry_model::{
    ClassSchema, CollectionType, Link, Name, ObjectKey, Property, PropertyType, Schema, Value,
};

use crate::adapt::{Raw, type_name};
use crate::ast::{
    Comparison, Condition, Constant, ConstantKind, DescriptorSyntax, Expression, Operator, Path,
    Syntax,
};
use crate::descriptor::{Descriptor, SortKey};
use crate::error::QueryError;
use crate::limits::LIST_MAX_ELEMENTS;
use crate::parser::parse;
use crate::predicate::{CompareOp, Operand, Predicate, PropertyRef};
use crate::query::{Argument, Query, Targets};

/// Prefix that the engine's own texts put before the class in `obj("class_Item", …)`.
const TABLE_PREFIX: &str = "class_";

pub(crate) fn compile(
    schema: &Schema,
    class: &str,
    text: &str,
    arguments: &[Argument],
    targets: &dyn Targets,
) -> Result<Query, QueryError> {
    let Some(class) = schema.class(class) else {
        return Err(QueryError::UnknownClass { class: class.to_owned(), position: 0 });
    };
    let Syntax { condition, descriptors } = parse(text)?;
    let checker = Checker { schema, class, arguments, targets };
    let predicate = checker.condition(&condition)?;
    let descriptors = descriptors.iter().map(|descriptor| checker.descriptor(descriptor));
    Ok(Query {
        class: class.name.clone(),
        predicate,
        descriptors: descriptors.collect::<Result<_, _>>()?,
    })
}

/// The typed form of a condition on objects of `class`.
pub(crate) fn condition(
    schema: &Schema,
    class: &ClassSchema,
    condition: &Condition,
    arguments: &[Argument],
    targets: &dyn Targets,
) -> Result<Predicate, QueryError> {
    Checker { schema, class, arguments, targets }.condition(condition)
}

struct Checker<'a> {
    schema: &'a Schema,
    class: &'a ClassSchema,
    arguments: &'a [Argument],
    targets: &'a dyn Targets,
}

/// One side of a comparison after its names and arguments are resolved.
enum Side {
    Property(PropertyRef),
    Single(Raw),
    List(Vec<Raw>),
}

/// The comparison being checked.
#[derive(Clone, Copy)]
struct Site {
    op: CompareOp,
    case_insensitive: bool,
    position: usize,
}

/// Whether the constant stands on the left of its operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ConstantOn {
    Left,
    Right,
}

impl Checker<'_> {
    fn condition(&self, condition: &Condition) -> Result<Predicate, QueryError> {
        let all = |parts: &[Condition]| {
            parts.iter().map(|part| self.condition(part)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match condition {
            Condition::True => Predicate::True,
            Condition::False => Predicate::False,
            Condition::And(parts) => Predicate::and(all(parts)?),
            Condition::Or(parts) => Predicate::or(all(parts)?),
            Condition::Not(part) => Predicate::negated(self.condition(part)?),
            Condition::Comparison(comparison) => self.comparison(comparison)?,
        })
    }

    fn comparison(&self, comparison: &Comparison) -> Result<Predicate, QueryError> {
        let Comparison { left, operator, case_insensitive, right, position } = comparison;
        let position = *position;
        let (left, right) = (self.side(left)?, self.side(right)?);
        let op = match operator {
            Operator::Between => return self.between(left, right, position),
            Operator::In => match right {
                Side::List(_) => CompareOp::Equal,
                Side::Property(_) | Side::Single(_) => {
                    return Err(QueryError::InNeedsList { position });
                }
            },
            Operator::Compare(op) => *op,
        };
        let site = Site { op, case_insensitive: *case_insensitive, position };
        match (left, right) {
            (Side::Property(left), Side::Property(right)) => self.two_properties(site, left, right),
            (Side::Property(property), Side::Single(constant)) => {
                self.with_constant(site, property, &constant, ConstantOn::Right)
            }
            (Side::Single(constant), Side::Property(property)) => {
                self.with_constant(site, property, &constant, ConstantOn::Left)
            }
            (Side::Property(property), Side::List(list)) => {
                self.with_list(site, &property, &list, ConstantOn::Right)
            }
            (Side::List(list), Side::Property(property)) => {
                self.with_list(site, &property, &list, ConstantOn::Left)
            }
            (Side::Single(_) | Side::List(_), Side::Single(_) | Side::List(_)) => {
                Err(QueryError::TwoConstants { position })
            }
        }
    }

    fn side(&self, expression: &Expression) -> Result<Side, QueryError> {
        match expression {
            Expression::Path(path) => self.property(path).map(Side::Property),
            Expression::List(elements, _) => {
                let elements = elements.iter().map(|element| self.single(element));
                elements.collect::<Result<_, _>>().map(Side::List)
            }
            Expression::Constant(constant) => match &constant.kind {
                ConstantKind::Argument(index) => match self.argument(*index, constant.position)? {
                    Argument::Value(value) => Ok(Side::Single(Raw::Value(value.clone()))),
                    Argument::List(values) if values.len() > LIST_MAX_ELEMENTS => {
                        Err(QueryError::ListTooLong {
                            max_elements: LIST_MAX_ELEMENTS,
                            position: constant.position,
                        })
                    }
                    Argument::List(values) => {
                        Ok(Side::List(values.iter().cloned().map(Raw::Value).collect()))
                    }
                },
                ConstantKind::Literal(_) | ConstantKind::Object { .. } => {
                    self.single(constant).map(Side::Single)
                }
            },
        }
    }

    fn argument(&self, index: usize, position: usize) -> Result<&Argument, QueryError> {
        let given = self.arguments.len();
        self.arguments.get(index).ok_or(QueryError::MissingArgument { index, given, position })
    }

    fn single(&self, constant: &Constant) -> Result<Raw, QueryError> {
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
        let class = self.schema.class(name).or_else(|| self.schema.class(unprefixed?));
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

    fn property(&self, path: &Path) -> Result<PropertyRef, QueryError> {
        let position = path.position;
        let mut class = self.class;
        for (i, name) in path.names.iter().enumerate() {
            let unknown = || QueryError::UnknownProperty {
                class: class.name.clone(),
                property: name.to_string(),
                position,
            };
            let property = class.property(name).ok_or_else(unknown)?;
            if path.names.len() == 1 {
                supported(self.schema, property, position)?;
                return PropertyRef::resolve(class, name).ok_or_else(unknown);
            }
            if i + 1 < path.names.len() {
                let target = property.target.as_deref().and_then(|name| self.schema.class(name));
                class = target.ok_or_else(|| QueryError::NotALink {
                    class: class.name.clone(),
                    property: property.name.clone(),
                    position,
                })?;
            }
        }
        Err(QueryError::NotSupported { what: "a path through a link", position })
    }

    fn between(&self, left: Side, right: Side, position: usize) -> Result<Predicate, QueryError> {
        let limits = match right {
            Side::List(limits) => limits,
            Side::Property(_) | Side::Single(_) => {
                return Err(QueryError::BetweenNeedsTwo { actual: 1, position });
            }
        };
        let [low, high] = limits.as_slice() else {
            return Err(QueryError::BetweenNeedsTwo { actual: limits.len(), position });
        };
        let Side::Property(property) = left else {
            return Err(QueryError::TwoConstants { position });
        };
        let site = |op| Site { op, case_insensitive: false, position };
        let at_least = site(CompareOp::GreaterOrEqual);
        let at_most = site(CompareOp::LessOrEqual);
        Ok(Predicate::and([
            self.with_constant(at_least, property.clone(), low, ConstantOn::Right)?,
            self.with_constant(at_most, property, high, ConstantOn::Right)?,
        ]))
    }

    fn two_properties(
        &self,
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
            let target = |property: &PropertyRef| {
                let target = self.class.properties[property.index].target.clone();
                target.expect("a checked schema gives links a target")
            };
            check_link_class(&left, &target(&left), &target(&right), position)?;
        }
        let case_insensitive = case_insensitive && is_text(left.ty);
        let (left, right) = (Operand::Property(left), Operand::Property(right));
        Ok(Predicate::Compare { left, op, right, case_insensitive })
    }

    fn with_constant(
        &self,
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
        let value = self.adapt(&property, constant, position)?;
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
    fn with_list(
        &self,
        site: Site,
        property: &PropertyRef,
        list: &[Raw],
        side: ConstantOn,
    ) -> Result<Predicate, QueryError> {
        let Site { op, position, .. } = site;
        if op == CompareOp::Equal {
            let values = if property.ty == PropertyType::Link {
                let links = list.iter().map(|element| self.adapt(property, element, position));
                links.collect::<Result<_, _>>()?
            } else {
                list.iter().filter_map(|element| element.adapt_element(property.ty)).collect()
            };
            // The engine ignores [c] where it looks a property up in a list.
            return Ok(Predicate::is_in(property.clone(), values));
        }
        let parts = list.iter().map(|element| {
            match self.with_constant(site, property.clone(), element, side) {
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
        match constant.plain() {
            Value::Null => Ok(Value::Null),
            Value::Link(link) => {
                let target = self.class.properties[property.index].target.as_ref();
                let target = target.expect("a checked schema gives links a target");
                check_link_class(property, target, &link.class, position)?;
                let exists = self.targets.exists(&link);
                Ok(if exists { Value::Link(link) } else { Value::Null })
            }
            _ => Err(unfit()),
        }
    }

    fn descriptor(&self, descriptor: &DescriptorSyntax) -> Result<Descriptor, QueryError> {
        Ok(match descriptor {
            DescriptorSyntax::Sort(keys) => {
                let keys = keys.iter().map(|(path, direction)| {
                    Ok(SortKey { property: self.property(path)?, direction: *direction })
                });
                Descriptor::Sort(keys.collect::<Result<_, QueryError>>()?)
            }
            DescriptorSyntax::Distinct(paths) => {
                let properties = paths.iter().map(|path| self.property(path));
                Descriptor::Distinct(properties.collect::<Result<_, _>>()?)
            }
            DescriptorSyntax::Limit(limit) => Descriptor::Limit(*limit),
        })
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

fn is_number(ty: PropertyType) -> bool {
    matches!(
        ty,
        PropertyType::Int | PropertyType::Float | PropertyType::Double | PropertyType::Decimal
    )
}

fn is_text(ty: PropertyType) -> bool {
    matches!(ty, PropertyType::String | PropertyType::Binary)
}

fn check_operator(op: CompareOp, ty: PropertyType, position: usize) -> Result<(), QueryError> {
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

fn check_link_class(
    property: &PropertyRef,
    target: &Name,
    class: &Name,
    position: usize,
) -> Result<(), QueryError> {
    if target == class {
        return Ok(());
    }
    Err(QueryError::LinkClass {
        property: property.name.clone(),
        target: target.clone(),
        class: class.clone(),
        position,
    })
}

/// Refuses properties of kinds that this version does not evaluate.
fn supported(schema: &Schema, property: &Property, position: usize) -> Result<(), QueryError> {
    if schema.is_scalar(property) && property.ty != PropertyType::Float {
        return Ok(());
    }
    let what = match (property.collection, property.ty) {
        (CollectionType::Single, PropertyType::Mixed) => "a property of type mixed",
        (CollectionType::Single, PropertyType::Float) => "a property of type float",
        (CollectionType::Single, _) => "an embedded object",
        (CollectionType::List, _) => "a list property",
        (CollectionType::Dictionary, _) => "a dictionary property",
        (CollectionType::Set, _) => "a set property",
    };
    Err(QueryError::NotSupported { what, position })
}
