//! RQL, the Realm Query Language: one parser and one meaning (design 4, sync-engine 8).
//!
//! A text goes through `lexer` → `parser` (an untyped [`ast`]) → `check` (names resolved, literals
//! adapted) and becomes a typed [`Predicate`] with its sort, distinct and limit descriptors. That
//! typed form is what is evaluated on rows, translated to SQL by the store, indexed by the server
//! and printed again for the wire. How values compare is written once, in [`compare`].
//!
//! Invariant: what has been checked cannot fail later. Evaluation is two-valued and total, and no
//! text, however hostile, makes any step panic or use stack or memory out of proportion.
//!
//! What is one property of the object against constants stays a plain [`Predicate`], which can be
//! indexed, translated and kept in columns; everything else is [`Evaluated`], and goes over the
//! [`expression`]s of both sides (`walk` follows the paths, `values` gives what is there).
//!
//! The crate reads no storage and knows no protocol: other objects come through [`Objects`].

mod adapt;
mod aggregate;
mod arithmetic;
pub mod ast;
mod check;
pub mod compare;
mod date;
mod descriptor;
pub mod error;
mod eval;
pub mod evaluated;
pub mod expression;
pub mod geo;
pub mod index;
mod lexer;
pub mod like;
pub mod limits;
mod literal;
mod order;
mod parser;
pub mod predicate;
mod print;
mod print_expression;
mod query;
mod running;
pub mod subscription;
pub mod text;
mod token;
pub mod types;
mod values;
mod walk;

pub use descriptor::{Descriptor, Direction, SortKey};
pub use error::{QueryError, QueryErrorKind};
pub use eval::{FieldRow, NoObjects, Objects, Row};
pub use evaluated::Evaluated;
pub use order::{SortOrder, SortPlace};
pub use parser::parse;
pub use predicate::{CompareOp, Operand, Predicate, PropertyRef, ValueSet};
pub use query::{AllExist, Argument, Query, Targets};
pub use running::Running;
pub use subscription::{
    QueryableKind, SubscriptionError, check_locally, check_subscription, combine,
};
pub use text::{TextError, TextQuery, tokens};
