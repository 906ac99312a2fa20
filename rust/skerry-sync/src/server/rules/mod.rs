//! Permissions (server 1): roles of the App Services export, compiled in two steps.
//!
//! [`expression`] checks the JSON once, when the server opens. [`condition`] puts one user's values in, when
//! a session starts, which gives conditions over queryable fields alone; bound to a class they are ordinary
//! query predicates. Values of the user are frozen for the session, documents are not (server 1.5).

pub mod condition;
pub mod expression;
mod field_test;
mod roles;

pub use condition::Condition;
pub use expression::{Expression, UserValues};
pub use roles::{Role, RoleSet, SessionRole};
