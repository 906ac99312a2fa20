//! Roles: which one a user has in a class, and what it allows (server 1.2, 1.5).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::condition::Condition;
use super::expression::{Expression, Place, UserValues};
use crate::server::ConfigError;

/// Longest name of a role, in characters (server 1.1).
const NAME_MAX_CHARS: usize = 100;

/// A role as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    name: String,
    apply_when: Expression,
    read_filter: Expression,
    write_filter: Expression,
    read: bool,
    write: bool,
    insert: Expression,
    delete: Expression,
}

/// The roles of a class, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleSet(Vec<Role>);

/// The role of one user in one class, with the user's values in it.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRole {
    /// Its name, for the server's log.
    pub name: String,
    /// What may be read: write implies read (server 1.5).
    pub read: Condition,
    /// What may be written; both the state before and the state after must satisfy it.
    pub write: Condition,
    /// What may be inserted, besides being writable.
    pub insert: Condition,
    /// What may be deleted, besides being writable.
    pub delete: Condition,
}

impl RoleSet {
    /// Checks the JSON array of roles.
    pub fn parse(
        json: &Json,
        queryable: &BTreeSet<String>,
        path: &str,
    ) -> Result<Self, ConfigError> {
        let Json::Array(items) = json else {
            return Err(ConfigError::new(path, "roles are an array"));
        };
        let mut roles: Vec<Role> = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let path = format!("{path}[{i}]");
            let role = Role::parse(item, queryable, &path)?;
            if roles.iter().any(|earlier| earlier.name == role.name) {
                return Err(ConfigError::new(
                    &format!("{path}.name"),
                    format!("role \"{}\" is defined twice", role.name),
                ));
            }
            roles.push(role);
        }
        Ok(Self(roles))
    }

    /// The first role whose `apply_when` holds; `None` = nothing is allowed (server 1.2).
    pub fn select(&self, known: &UserValues) -> Option<SessionRole> {
        let applies = |role: &&Role| role.apply_when.expand(known) == Condition::Constant(true);
        self.0.iter().find(applies).map(|role| role.expand(known))
    }
}

impl Role {
    fn parse(json: &Json, queryable: &BTreeSet<String>, path: &str) -> Result<Self, ConfigError> {
        let Json::Object(object) = json else {
            return Err(ConfigError::new(path, "a role is an object"));
        };
        check_keys(object, path)?;
        let at = |key: &str| format!("{path}.{key}");
        let name = match object.get("name") {
            Some(Json::String(name))
                if !name.is_empty() && name.chars().count() <= NAME_MAX_CHARS =>
            {
                name.clone()
            }
            _ => {
                let reason = format!("a role has a name of 1 to {NAME_MAX_CHARS} characters");
                return Err(ConfigError::new(&at("name"), reason));
            }
        };
        let filters = match object.get("document_filters") {
            Some(Json::Object(filters)) => filters,
            Some(_) => return Err(ConfigError::new(&at("document_filters"), "takes an object")),
            None => {
                return Err(ConfigError::new(
                    &at("document_filters"),
                    "is required: without it the role is not sync-compatible",
                ));
            }
        };
        if let Some(key) = filters.keys().find(|key| *key != "read" && *key != "write") {
            return Err(ConfigError::new(&at(&format!("document_filters.{key}")), "unknown key"));
        }
        let place = Place::Document { queryable };
        let filter = |key: &str| {
            let path = at(&format!("document_filters.{key}"));
            let json = filters.get(key).ok_or_else(|| {
                ConfigError::new(&path, "is required: without it the role is not sync-compatible")
            })?;
            Expression::parse(json, place, &path)
        };
        let flag = |key: &str| match object.get(key) {
            None => Ok(false),
            Some(Json::Bool(value)) => Ok(*value),
            Some(_) => {
                Err(ConfigError::new(&at(key), "must be true or false to be sync-compatible"))
            }
        };
        let optional = |key: &str, place: Place<'_>| match object.get(key) {
            None => Ok(Expression::Constant(true)),
            Some(json) => Expression::parse(json, place, &at(key)),
        };
        Ok(Self {
            name,
            apply_when: optional("apply_when", Place::ApplyWhen)?,
            read_filter: filter("read")?,
            write_filter: filter("write")?,
            read: flag("read")?,
            write: flag("write")?,
            insert: optional("insert", place)?,
            delete: optional("delete", place)?,
        })
    }

    fn expand(&self, known: &UserValues) -> SessionRole {
        let write_filter = self.write_filter.expand(known);
        let read_filter = Condition::any([self.read_filter.expand(known), write_filter.clone()]);
        let when = |allowed: bool, condition: Condition| {
            if allowed { condition } else { Condition::Constant(false) }
        };
        SessionRole {
            name: self.name.clone(),
            // Top-level write is enough to read whole documents (server 1.5).
            read: when(self.read || self.write, read_filter),
            write: when(self.write, write_filter),
            insert: self.insert.expand(known),
            delete: self.delete.expand(known),
        }
    }
}

fn check_keys(object: &Map<String, Json>, path: &str) -> Result<(), ConfigError> {
    const KNOWN: [&str; 8] =
        ["name", "apply_when", "document_filters", "read", "write", "insert", "delete", "search"];
    for (key, value) in object {
        let at = format!("{path}.{key}");
        match key.as_str() {
            "fields" | "additional_fields" => {
                return Err(ConfigError::new(&at, "field-level permissions are not supported yet"));
            }
            "search" if !value.is_boolean() => {
                return Err(ConfigError::new(&at, "takes true or false"));
            }
            known if KNOWN.contains(&known) => {}
            _ => return Err(ConfigError::new(&at, "unknown key")),
        }
    }
    Ok(())
}
