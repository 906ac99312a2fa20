//! Writing paths, operations and everything else that only the evaluator decides as text again.

use std::fmt::{self, Display, Formatter, Write};

use crate::ast::{Aggregate, ArithmeticOp, Quantifier};
use crate::evaluated::{Evaluated, TextMatch, Within};
use crate::expression::{
    Arithmetic, Comparison, End, Expr, Hop, PathExpr, PathOperation, Selector, Subquery,
};
use crate::print::{constant, write_constant, write_name};

impl Display for Evaluated {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(Comparison { left, op, right, case_insensitive }) => {
                let fold = if *case_insensitive { "[c]" } else { "" };
                write!(f, "{left} {}{fold} {right}", op.symbol())
            }
            Self::Text(TextMatch { path, query }) => {
                let words = skerry_model::Value::string(query.source());
                write!(f, "{path} TEXT {}", constant(&words))
            }
            Self::Within(Within { path, region }) => write!(f, "{path} GEOWITHIN {region}"),
        }
    }
}

impl Display for Quantifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "ANY",
            Self::All => "ALL",
            Self::None => "NONE",
        })
    }
}

fn write_quantifier(f: &mut Formatter<'_>, quantifier: Option<Quantifier>) -> fmt::Result {
    quantifier.map_or(Ok(()), |quantifier| write!(f, "{quantifier} "))
}

fn write_list<T>(
    f: &mut Formatter<'_>,
    quantifier: Option<Quantifier>,
    elements: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    write_quantifier(f, quantifier)?;
    f.write_char('{')?;
    for (i, element) in elements.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write(f, element)?;
    }
    f.write_char('}')
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write_constant(f, value),
            Self::List { quantifier, values } => {
                write_list(f, *quantifier, values, |f, value| write_constant(f, value))
            }
            Self::Types { is_list: false, types, .. } => {
                types.first().map_or(Ok(()), |types| types.fmt(f))
            }
            Self::Types { quantifier, types, .. } => {
                write_list(f, *quantifier, types, |f, types| types.fmt(f))
            }
            Self::Path(path) => path.fmt(f),
            Self::Subquery(subquery) => {
                let Subquery { path, variable, predicate } = &**subquery;
                write!(f, "SUBQUERY({path}, ")?;
                write_name(f, variable)?;
                write!(f, ", {predicate}).@count")
            }
            Self::Arithmetic(arithmetic) => {
                let Arithmetic { left, op, right } = &**arithmetic;
                write_operand(f, left, binds(*op))?;
                f.write_str(match op {
                    ArithmeticOp::Add => " + ",
                    ArithmeticOp::Subtract => " - ",
                    ArithmeticOp::Multiply => " * ",
                    ArithmeticOp::Divide => " / ",
                })?;
                write_operand(f, right, binds(*op) + 1)
            }
        }
    }
}

/// How tightly an operator binds.
fn binds(op: ArithmeticOp) -> u8 {
    match op {
        ArithmeticOp::Add | ArithmeticOp::Subtract => 0,
        ArithmeticOp::Multiply | ArithmeticOp::Divide => 1,
    }
}

/// A side of an operator, in parentheses only if it binds less than `least`: each pair of them is a
/// level of nesting.
fn write_operand(f: &mut Formatter<'_>, expr: &Expr, least: u8) -> fmt::Result {
    match expr {
        Expr::Arithmetic(arithmetic) if binds(arithmetic.op) < least => write!(f, "({expr})"),
        expr => expr.fmt(f),
    }
}

impl Display for PathExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { quantifier, hops, end, operation, .. } = self;
        write_quantifier(f, *quantifier)?;
        let mut separator = "";
        for hop in hops {
            f.write_str(separator)?;
            separator = ".";
            match hop {
                Hop::Link { property, selector, .. } => {
                    property.fmt(f)?;
                    selector.as_ref().map_or(Ok(()), |selector| selector.fmt(f))?;
                }
                Hop::Backlinks { class, property, .. } => {
                    f.write_str("@links.")?;
                    write_name(f, class)?;
                    write!(f, ".{property}")?;
                }
            }
        }
        match end {
            End::Objects => {}
            End::Property { property, selectors } => {
                write!(f, "{separator}{property}")?;
                selectors.iter().try_for_each(|selector| selector.fmt(f))?;
            }
            End::Incoming(_) => write!(f, "{separator}@links")?,
        }
        match operation {
            None => Ok(()),
            Some(PathOperation::Count) => f.write_str(".@count"),
            Some(PathOperation::Type) => f.write_str(".@type"),
            Some(PathOperation::Length) => f.write_str(".length"),
            Some(PathOperation::Aggregate(aggregate, property)) => {
                f.write_str(match aggregate {
                    Aggregate::Min => ".@min",
                    Aggregate::Max => ".@max",
                    Aggregate::Sum => ".@sum",
                    Aggregate::Average => ".@avg",
                })?;
                property.as_ref().map_or(Ok(()), |property| write!(f, ".{property}"))
            }
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => write!(f, "[{position}]"),
            Self::First => f.write_str("[FIRST]"),
            Self::Last => f.write_str("[LAST]"),
            Self::Every => f.write_str("[*]"),
            // The grammar has no escapes: a key with both quotes or a backslash cannot be written.
            Self::Key(key) if key.contains('"') => write!(f, "['{key}']"),
            Self::Key(key) => write!(f, "[\"{key}\"]"),
            Self::Name(name) => {
                f.write_char('.')?;
                write_name(f, name)
            }
            Self::Keys => f.write_str(".@keys"),
            Self::Values => f.write_str(".@values"),
        }
    }
}
