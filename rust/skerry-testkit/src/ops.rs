//! What an application does in a transaction, and the instructions that come of it.
//!
//! The emission follows sync-engine 1.4: a creation is followed by one Update for each value, also
//! a redundant write is an Update, and deleting an object first nullifies the links to it that
//! exist where it is deleted.

use skerry_model::{
    Instruction, Link, Name, ObjectKey, ObjectRef, Path, Payload, UpdateSide, Value,
};

use crate::state::State;

/// An edit of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// The object.
    pub object: ObjectRef,
    /// What is done to it.
    pub edit: Edit,
}

/// What is done to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Creates it and sets properties, as defaults or not.
    Create {
        /// Values by property, set one by one in this order.
        values: Vec<(Name, Value)>,
        /// Whether the values are defaults of a new object.
        is_default: bool,
    },
    /// Deletes it.
    Delete,
    /// Sets a property, also to a link or null.
    Set {
        /// The property.
        field: Name,
        /// Its value.
        value: Value,
        /// Whether the value is the default of a new object.
        is_default: bool,
    },
    /// Adds to an int property.
    AddInt {
        /// The property.
        field: Name,
        /// The increment.
        value: i64,
    },
}

impl Op {
    /// Whether an application could do this: only objects that exist are edited and linked to,
    /// only those that do not are created, and only what holds an int is added to.
    pub fn is_possible(&self, state: &State) -> bool {
        let ObjectRef { class, key } = &self.object;
        let exists = state.contains(class, key);
        let resolves = |value: &Value| match value {
            Value::Link(Link { class, key }) => state.contains(class, key),
            _ => true,
        };
        match &self.edit {
            Edit::Create { values, .. } => {
                let own = Value::Link(Link { class: class.clone(), key: key.clone() });
                !exists && values.iter().all(|(_, value)| *value == own || resolves(value))
            }
            Edit::Delete => exists,
            Edit::Set { value, .. } => exists && resolves(value),
            Edit::AddInt { field, .. } => {
                matches!(state.value(class, key, field), Some(Value::Int(_)))
            }
        }
    }

    /// The instructions that the edit produces on that state.
    pub fn instructions(&self, state: &State) -> Vec<Instruction> {
        let object = || self.object.clone();
        let update = |path: Path, value: &Value, is_default: bool| Instruction::Update {
            path,
            value: Payload::Value(value.clone()),
            side: UpdateSide::IsDefault(is_default),
        };
        let property = |field: &Name| Path::property(object(), field.clone());
        match &self.edit {
            Edit::Create { values, is_default } => {
                let sets = values.iter().map(|(field, v)| update(property(field), v, *is_default));
                std::iter::once(Instruction::CreateObject { object: object() })
                    .chain(sets)
                    .collect()
            }
            Edit::Delete => {
                let ObjectRef { class, key } = &self.object;
                let links = state.links_to(class, key).into_iter();
                links
                    .map(|path| update(path, &Value::Null, false))
                    .chain([Instruction::EraseObject { object: object() }])
                    .collect()
            }
            Edit::Set { field, value, is_default } => {
                vec![update(property(field), value, *is_default)]
            }
            Edit::AddInt { field, value } => {
                vec![Instruction::AddInteger { path: property(field), value: *value }]
            }
        }
    }
}

/// A link value.
pub fn link(class: &str, key: ObjectKey) -> Value {
    Value::Link(Link { class: class.into(), key })
}
