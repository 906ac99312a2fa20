//! The configuration of the sync engine, as JSON text made by the loader of the App Services export.
//!
//! The loader has checked shapes of files; what is checked here is what only the engine knows: expressions,
//! queryable fields, schemas. Every refusal names the place, and the loader maps it back to file and key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use skerry_model::{CollectionType, PropertyType, Schema, SchemaError};
use skerry_query::QueryableKind;

use super::rules::{RoleSet, SessionRole, UserValues};
use super::server_schema;
use super::tuning::Tuning;

/// A refused configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ConfigError {
    /// Where, such as `collections[0].roles[1].document_filters.read`.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl ConfigError {
    /// An error at a place.
    pub fn new(path: &str, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }
}

/// Longest that a changeset's stamp may lie in the future by default: a day, in milliseconds.
const CLOCK_SKEW_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// The checked configuration.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// Whether clients may add classes and properties.
    pub development_mode: bool,
    /// Sent in errors (sync-engine 4.6).
    pub is_recovery_mode_disabled: bool,
    /// Refuse changesets stamped further in the future than this, in milliseconds (design 4).
    pub clock_skew_max_ms: i64,
    /// Sizes of pieces.
    pub tuning: Tuning,
    /// Classes that the server defines itself.
    pub schema: Schema,
    queryable: BTreeSet<String>,
    class_queryable: BTreeMap<String, BTreeSet<String>>,
    class_roles: BTreeMap<String, RoleSet>,
    default_roles: RoleSet,
    values: Json,
    environment: Json,
}

impl EngineConfig {
    /// Checks and compiles the configuration.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let json: Json = serde_json::from_str(text)
            .map_err(|error| ConfigError::new("", format!("is not JSON: {error}")))?;
        let queryable = names(&json["queryable_fields"], "queryable_fields")?;
        let mut config = Self {
            development_mode: json["sync"]["development_mode_enabled"] == Json::Bool(true),
            is_recovery_mode_disabled: json["sync"]["is_recovery_mode_disabled"]
                == Json::Bool(true),
            clock_skew_max_ms: json["max_clock_skew_ms"].as_i64().unwrap_or(CLOCK_SKEW_MAX_MS),
            tuning: Tuning::parse(&json["tuning"])?,
            values: json["values"].clone(),
            environment: json["environment"].clone(),
            ..Self::default()
        };
        let mut all_queryable = queryable.clone();
        let collections = json["collections"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_collections = &json["collection_queryable_fields"];
        for (i, collection) in collections.iter().enumerate() {
            let Some(class) = collection["class"].as_str() else {
                return Err(ConfigError::new(&format!("collections[{i}].class"), "takes a name"));
            };
            let path = format!("collection_queryable_fields.{class}");
            let mut fields = names(&of_collections[class], &path)?;
            fields.extend(queryable.iter().cloned());
            all_queryable.extend(fields.iter().cloned());
            let roles = &collection["roles"];
            if roles.as_array().is_some_and(|roles| !roles.is_empty()) {
                let path = format!("collections[{i}].roles");
                let set = RoleSet::parse(roles, &fields, &path)?;
                config.class_roles.insert(class.to_owned(), set);
            }
            config.class_queryable.insert(class.to_owned(), fields);
        }
        if let Some(classes) = of_collections.as_object() {
            for (class, fields) in classes {
                let own = names(fields, &format!("collection_queryable_fields.{class}"))?;
                config
                    .class_queryable
                    .entry(class.clone())
                    .or_insert_with(|| queryable.clone())
                    .extend(own);
            }
        }
        if !json["default_roles"].is_null() {
            config.default_roles =
                RoleSet::parse(&json["default_roles"], &all_queryable, "default_roles")?;
        }
        config.queryable = queryable;
        config.schema = server_schema::parse(collections)?;
        config.check_queryable(of_collections)?;
        Ok(config)
    }

    /// Checks that the queryable fields of the classes that the server defines can be queried
    /// (server 2.3). A global name means nothing in a class where it is of a type that never is; of
    /// a collection's own names each must be.
    fn check_queryable(&self, of_collections: &Json) -> Result<(), ConfigError> {
        for class in self.schema.classes().filter(|class| !class.embedded) {
            let path = format!("collection_queryable_fields.{}", class.name);
            let own = names(&of_collections[&*class.name], &path)?;
            let fields = class.properties.iter().filter(|field| own.contains(&*field.name));
            for property in fields {
                if QueryableKind::of(&self.schema, property).is_some() {
                    continue;
                }
                let is_embedded = property
                    .target
                    .as_ref()
                    .and_then(|target| self.schema.class(target))
                    .is_some_and(|target| target.embedded);
                let what = match (property.collection, property.ty) {
                    (CollectionType::Single, PropertyType::Mixed) => "mixed",
                    (CollectionType::Single, _) if is_embedded => {
                        "an embedded object that is no GeoJSON point"
                    }
                    (CollectionType::Single, _) => "a link",
                    (CollectionType::List, _) => "an array of what is not primitive",
                    (CollectionType::Set, _) => "a set",
                    (CollectionType::Dictionary, _) => "a dictionary",
                };
                let (class, field) = (&class.name, &property.name);
                let reason =
                    format!("\"{field}\" of class \"{class}\" cannot be queried: it is {what}");
                return Err(ConfigError::new(&path, reason));
            }
        }
        Ok(())
    }

    /// The queryable fields of a class, without `_id`, which always is one.
    pub fn queryable(&self, class: &str) -> &BTreeSet<String> {
        self.class_queryable.get(class).unwrap_or(&self.queryable)
    }

    /// The role of a user in a class (server 1.2): the class's own roles if it has any, else the default ones,
    /// never both.
    pub fn role(&self, class: &str, user: &Json) -> Option<SessionRole> {
        let roles = self.class_roles.get(class).unwrap_or(&self.default_roles);
        roles.select(&UserValues {
            user: user.clone(),
            values: self.values.clone(),
            environment: self.environment.clone(),
        })
    }
}

fn names(json: &Json, path: &str) -> Result<BTreeSet<String>, ConfigError> {
    let items = match json {
        Json::Null => return Ok(BTreeSet::new()),
        Json::Array(items) => items,
        _ => return Err(ConfigError::new(path, "takes an array of names")),
    };
    items
        .iter()
        .enumerate()
        .map(|(i, item)| {
            let name = item.as_str().filter(|name| !name.is_empty());
            name.map(str::to_owned)
                .ok_or_else(|| ConfigError::new(&format!("{path}[{i}]"), "takes a name"))
        })
        .collect()
}

impl From<(String, SchemaError)> for ConfigError {
    fn from((path, error): (String, SchemaError)) -> Self {
        Self { path, reason: error.to_string() }
    }
}
