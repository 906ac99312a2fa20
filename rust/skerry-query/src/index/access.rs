//! What an object must have to match a condition: where the index lays the condition down.
//!
//! Invariant: an object that matches has one of the branch's accesses, and one that has an access
//! matches if it meets the rest. An access is as selective as can be said without knowing the objects:
//! two equalities before one, equality before a stretch between two values, that before one with an
//! open end. No branch needs more keys than its condition has constants, but for a constant factor,
//! and what would need more is evaluated on every object.

use skerry_model::{CollectionType, PropertyType, Value};

use super::axis::{Axis, Cut, Ordered, Point, Span, is_nan, points};
use crate::compare::{self, Rule};
use crate::predicate::{CompareOp, Operand, Predicate, PropertyRef, ValueSet};

/// Most keys of one condition.
const KEYS_MAX: usize = 65_536;

/// Most keys of one combination of two properties.
const PAIR_KEYS_MAX: usize = 64;

/// Most combinations of two properties of one class: each is looked up for every object.
const PAIRS_MAX: usize = 64;

/// Parts of a conjunction among which an access is looked for; what follows is evaluated.
const PARTS_MAX: usize = 64;

/// Two properties, by ascending position.
pub(super) type PropertyPair = [PropertyRef; 2];

/// Something that an object may have.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// The property has one of the values.
    Equal { property: PropertyRef, points: Vec<Point> },
    /// The two properties have one of the combinations of values.
    Pair { properties: PropertyPair, points: Vec<[Point; 2]> },
    /// The property lies in the span of its axis.
    Range { property: PropertyRef, spans: Vec<(Axis, Span)> },
}

/// How objects reach a branch.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// Every object does.
    Always,
    /// Those that have one of these.
    Through(Vec<Access>),
}

/// A part of a condition: whatever matches one of them matches the condition.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) reach: Reach,
    /// What is left to be evaluated; `None` when reaching the branch decides.
    pub(super) rest: Option<Predicate>,
}

/// Decides where conditions go.
#[derive(Debug)]
pub(super) struct Planner {
    /// The combinations that the class has, or is going to have.
    pairs: Vec<PropertyPair>,
}

/// A choice of accesses for a conjunction.
struct Choice {
    accesses: Vec<Access>,
    /// The parts that the accesses decide, by position.
    decided: Vec<usize>,
}

/// Accesses of one condition, and whether they decide it.
struct Leaf {
    accesses: Vec<Access>,
    is_decided: bool,
}

impl Access {
    pub(super) fn keys(&self) -> usize {
        match self {
            Self::Equal { points, .. } => points.len(),
            Self::Pair { points, .. } => points.len(),
            Self::Range { spans, .. } => spans.len(),
        }
    }

    /// The lower, the more selective.
    fn rank(&self) -> u8 {
        match self {
            Self::Pair { .. } => 1,
            Self::Equal { property, .. } if property.ty != PropertyType::Bool => 2,
            Self::Range { spans, .. } if spans.iter().all(|(_, span)| span.is_bounded()) => 3,
            Self::Equal { .. } => 4,
            Self::Range { .. } => 5,
        }
    }
}

impl Branch {
    /// A branch that is evaluated on every object.
    fn always(predicate: Predicate) -> Self {
        let rest = (predicate != Predicate::True).then_some(predicate);
        Self { reach: Reach::Always, rest }
    }

    /// Number of places where it is laid down.
    pub(super) fn keys(&self) -> usize {
        match &self.reach {
            Reach::Always => 1,
            Reach::Through(accesses) => accesses.iter().map(Access::keys).sum(),
        }
    }
}

impl Planner {
    /// For a class that has these combinations.
    pub(super) fn new(pairs: impl Iterator<Item = PropertyPair>) -> Self {
        Self { pairs: pairs.collect() }
    }

    /// The branches of a condition; none if nothing matches it.
    pub(super) fn plan(&mut self, predicate: &Predicate) -> Vec<Branch> {
        let predicate = predicate.clone().simplified();
        let parts = match &predicate {
            Predicate::Or(parts) => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        let mut branches = Vec::with_capacity(parts.len());
        let mut keys = 0;
        for part in parts {
            let Some(branch) = self.branch(part) else {
                return vec![Branch::always(predicate)];
            };
            keys += branch.keys();
            if keys > KEYS_MAX {
                return vec![Branch::always(predicate)];
            }
            if branch.keys() > 0 {
                branches.push(branch);
            }
        }
        branches
    }

    /// `None` when nothing can be said of the objects that match.
    fn branch(&mut self, part: &Predicate) -> Option<Branch> {
        let parts = conjuncts(part);
        let Choice { accesses, decided } = self.choose(parts)?;
        let is_left = |(at, _): &(usize, &Predicate)| !decided.contains(at);
        let rest = parts.iter().enumerate().filter(is_left).map(|(_, part)| part.clone());
        let rest = Predicate::and(rest);
        let rest = (rest != Predicate::True).then_some(rest);
        Some(Branch { reach: Reach::Through(accesses), rest })
    }

    fn choose(&mut self, parts: &[Predicate]) -> Option<Choice> {
        let mut choices: Vec<Choice> = Vec::new();
        for (at, part) in parts.iter().enumerate().take(PARTS_MAX) {
            let Some(Leaf { accesses, is_decided }) = self.leaf(part) else { continue };
            let choice =
                Choice { accesses, decided: is_decided.then_some(at).into_iter().collect() };
            let met = choices.iter_mut().any(|earlier| earlier.meet(&choice));
            if !met {
                choices.push(choice);
            }
        }
        let pair = self.pair(&choices);
        choices.extend(pair);
        choices.into_iter().min_by_key(Choice::cost)
    }

    /// The two most selective equalities of different properties as one.
    fn pair(&mut self, choices: &[Choice]) -> Option<Choice> {
        let mut equalities: Vec<(&PropertyRef, &[Point], &Choice)> =
            choices.iter().filter_map(Choice::equality).collect();
        equalities.sort_by_key(|(property, points, _)| {
            (property.ty == PropertyType::Bool, points.len(), property.index)
        });
        let &first = equalities.first()?;
        let &second = equalities.iter().find(|(property, ..)| *property != first.0)?;
        let [a, b] =
            if first.0.index <= second.0.index { [first, second] } else { [second, first] };
        if a.1.len() * b.1.len() > PAIR_KEYS_MAX {
            return None;
        }
        let properties = [a.0.clone(), b.0.clone()];
        if !self.may_pair(&properties) {
            return None;
        }
        let with_b = |a: &Point| b.1.iter().map(|b| [a.clone(), b.clone()]).collect::<Vec<_>>();
        let points = a.1.iter().flat_map(with_b).collect();
        let decided = a.2.decided.iter().chain(&b.2.decided).copied().collect();
        Some(Choice { accesses: vec![Access::Pair { properties, points }], decided })
    }

    fn may_pair(&mut self, properties: &PropertyPair) -> bool {
        if self.pairs.contains(properties) {
            return true;
        }
        let has_room = self.pairs.len() < PAIRS_MAX;
        if has_room {
            self.pairs.push(properties.clone());
        }
        has_room
    }

    /// `None` when nothing can be said of the objects that match.
    fn leaf(&mut self, part: &Predicate) -> Option<Leaf> {
        match part {
            Predicate::False => Some(Leaf::nothing()),
            Predicate::Compare {
                left: Operand::Property(property),
                op,
                right: Operand::Constant(constant),
                case_insensitive,
            } => {
                let is_text = matches!(constant, Value::String(_) | Value::Binary(_));
                if *case_insensitive && is_text {
                    return None;
                }
                let Predicate::Compare { left, right, .. } = part else { return None };
                comparison(property, *op, constant, Rule::of(left, right))
            }
            Predicate::In { property, values } => membership(property, values),
            Predicate::Or(parts) => {
                let mut whole = Leaf::nothing();
                for part in parts {
                    let inner = conjuncts(part);
                    let choice = self.choose(inner)?;
                    whole.is_decided &= (0..inner.len()).all(|at| choice.decided.contains(&at));
                    whole.accesses.extend(choice.accesses);
                }
                Some(whole)
            }
            Predicate::And(parts) => {
                let choice = self.choose(parts)?;
                let is_decided = (0..parts.len()).all(|at| choice.decided.contains(&at));
                Some(Leaf { accesses: choice.accesses, is_decided })
            }
            Predicate::Evaluated(evaluated) => evaluated.as_any_equal().and_then(any_equal),
            Predicate::True | Predicate::Not(_) | Predicate::Compare { .. } => None,
        }
    }
}

/// That a list has an element equal to one of the values. Evaluated nevertheless on objects that have:
/// elements compare by other rules than columns.
fn any_equal((property, values): (&PropertyRef, &[Value])) -> Option<Leaf> {
    if values.iter().any(is_nan) {
        return None;
    }
    let points = values.iter().flat_map(points).collect();
    Some(Leaf::single(Access::Equal { property: property.clone(), points }, false))
}

fn conjuncts(part: &Predicate) -> &[Predicate] {
    match part {
        Predicate::And(parts) => parts,
        single => std::slice::from_ref(single),
    }
}

impl Leaf {
    /// What no object matches.
    fn nothing() -> Self {
        Self { accesses: Vec::new(), is_decided: true }
    }

    fn single(access: Access, is_decided: bool) -> Self {
        let accesses = if access.keys() == 0 { Vec::new() } else { vec![access] };
        Self { accesses, is_decided }
    }
}

impl Choice {
    /// Selectivity, and then memory. Nothing at all is best: no object matches.
    fn cost(&self) -> (u8, usize) {
        let rank = self.accesses.iter().map(Access::rank).max().unwrap_or(0);
        (rank, self.accesses.iter().map(Access::keys).sum())
    }

    fn equality(&self) -> Option<(&PropertyRef, &[Point], &Self)> {
        match self.accesses.as_slice() {
            // Only single values are laid down together.
            [Access::Equal { property, points }]
                if property.collection == CollectionType::Single =>
            {
                Some((property, points, self))
            }
            _ => None,
        }
    }

    /// Makes one of two stretches of one property, as BETWEEN has them; tells whether they were such.
    fn meet(&mut self, other: &Self) -> bool {
        let (
            [Access::Range { property, spans }],
            [Access::Range { property: other_property, spans: other_spans }],
        ) = (self.accesses.as_mut_slice(), other.accesses.as_slice())
        else {
            return false;
        };
        let axes = |spans: &[(Axis, Span)]| spans.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        if property != other_property || axes(spans) != axes(other_spans) {
            return false;
        }
        for ((_, span), (_, other)) in spans.iter_mut().zip(other_spans) {
            *span = span.meet(other);
        }
        spans.retain(|(_, span)| !span.is_empty());
        if spans.is_empty() {
            self.accesses.clear();
        }
        self.decided.extend(&other.decided);
        true
    }
}

fn comparison(property: &PropertyRef, op: CompareOp, constant: &Value, rule: Rule) -> Option<Leaf> {
    let is_ordering = match op {
        CompareOp::Equal => false,
        CompareOp::Less
        | CompareOp::LessOrEqual
        | CompareOp::Greater
        | CompareOp::GreaterOrEqual => true,
        CompareOp::NotEqual
        | CompareOp::BeginsWith
        | CompareOp::EndsWith
        | CompareOp::Contains
        | CompareOp::Like => return None,
    };
    if is_nan(constant) {
        // Beside binary numbers only what the rules say of it; in a column nothing relates to it.
        let is_void = rule == Rule::Column && compare::is_binary_nan(constant);
        return is_void.then(Leaf::nothing);
    }
    let property = property.clone();
    if !is_ordering {
        return Some(Leaf::single(
            Access::Equal { property, points: points(constant).collect() },
            true,
        ));
    }
    let spans = points(constant).map(|point| (point.axis, stretch(op, point, rule))).collect();
    // A binary NaN lies among the decimals as their own NaN, but in a column is not less than they are.
    let has_decimal_nan = matches!(constant, Value::Decimal(_))
        && rule == Rule::Column
        && matches!(op, CompareOp::Less | CompareOp::LessOrEqual);
    Some(Leaf::single(Access::Range { property, spans }, !has_decimal_nan))
}

/// What lies in the given relation to a point.
fn stretch(op: CompareOp, point: Point, rule: Rule) -> Span {
    let Point { axis, value } = point;
    let start = || match (axis, rule) {
        // NaN is the smallest number, but in a column it has no order.
        (Axis::Number, Rule::Column) => Cut::After(Ordered(Value::Double(f64::NAN))),
        // Only in a column is null before all text.
        (Axis::Text, Rule::Expression) => Cut::After(Ordered(Value::Null)),
        _ => Cut::Start,
    };
    match op {
        CompareOp::Less => Span { low: start(), high: Cut::Before(value) },
        CompareOp::LessOrEqual => Span { low: start(), high: Cut::After(value) },
        CompareOp::Greater => Span { low: Cut::After(value), high: Cut::End },
        CompareOp::GreaterOrEqual => Span { low: Cut::Before(value), high: Cut::End },
        CompareOp::Equal
        | CompareOp::NotEqual
        | CompareOp::BeginsWith
        | CompareOp::EndsWith
        | CompareOp::Contains
        | CompareOp::Like => Span { low: Cut::Before(value.clone()), high: Cut::After(value) },
    }
}

fn membership(property: &PropertyRef, values: &ValueSet) -> Option<Leaf> {
    if values.iter().any(is_nan) {
        return None;
    }
    let points = values.iter().flat_map(points).collect();
    // Among numbers of several types a decimal may miss its equal, as rounding puts them in another order.
    let mut types: Vec<u8> = values.iter().filter_map(number_type).collect();
    types.dedup();
    let is_decided = types.len() <= 1;
    Some(Leaf::single(Access::Equal { property: property.clone(), points }, is_decided))
}

fn number_type(value: &Value) -> Option<u8> {
    match value {
        Value::Int(_) => Some(0),
        Value::Float(_) => Some(1),
        Value::Double(_) => Some(2),
        Value::Decimal(_) => Some(3),
        Value::Null
        | Value::Bool(_)
        | Value::String(_)
        | Value::Binary(_)
        | Value::Timestamp(_)
        | Value::Link(_)
        | Value::ObjectId(_)
        | Value::Uuid(_) => None,
    }
}
