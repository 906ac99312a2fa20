//! What a client sees: its queries met with what its user may read, decided on queryable fields alone
//! (design 6).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Value as Json, json};
use skerry_model::{Content, Name, ObjectKey, ObjectRef, Schema};
use skerry_query::subscription::{SubscriptionError, check_subscription};
use skerry_query::{NoObjects, Predicate, PropertyRef, Row};
use skerry_store::server::FieldValues;

use super::EngineConfig;
use super::rules::Condition;

/// A view as it is remembered: queries by class, and the read rule that was in force with them.
///
/// Its text is canonical, so equal views have equal text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewDefinition {
    /// Query by class, as on the wire (sync-engine 4.3).
    pub queries: BTreeMap<String, String>,
    /// Read rule by class, for the classes queried.
    pub read: BTreeMap<String, Condition>,
}

/// A view ready for use.
#[derive(Debug, Default)]
pub struct View {
    classes: FxHashMap<Name, Predicate>,
}

/// Where an object is for a client at some version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It does not exist.
    Absent,
    /// It exists and is in the view.
    Inside,
    /// It exists outside the view.
    Outside,
}

impl ViewDefinition {
    /// The view of a user with these queries, under the rules of now.
    pub fn new(queries: BTreeMap<String, String>, config: &EngineConfig, user: &Json) -> Self {
        let read = queries
            .keys()
            .map(|class| {
                let rule = config.role(class, user).map(|role| role.read);
                (class.clone(), rule.unwrap_or(Condition::Constant(false)))
            })
            .collect();
        Self { queries, read }
    }

    /// The text that the store keeps.
    pub fn to_text(&self) -> String {
        let read: BTreeMap<&String, Json> =
            self.read.iter().map(|(class, rule)| (class, rule.to_json())).collect();
        json!({"queries": self.queries, "read": read}).to_string()
    }

    /// Reads what [`ViewDefinition::to_text`] wrote; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(text).ok()?;
        let queries = json.get("queries")?.as_object()?.iter();
        let queries =
            queries.map(|(class, query)| Some((class.clone(), query.as_str()?.to_owned())));
        let read = json.get("read")?.as_object()?.iter();
        let read = read.map(|(class, rule)| Some((class.clone(), Condition::from_json(rule)?)));
        Some(Self { queries: queries.collect::<Option<_>>()?, read: read.collect::<Option<_>>()? })
    }

    /// Compiles the view for a schema. Queries use the server's dialect, on queryable fields (server 3).
    pub fn compile(
        &self,
        schema: &Schema,
        config: &EngineConfig,
    ) -> Result<View, SubscriptionError> {
        let mut classes = FxHashMap::default();
        for (name, query) in &self.queries {
            let fields: Vec<&str> = config.queryable(name).iter().map(String::as_str).collect();
            let query = check_subscription(schema, name, query, &fields)?;
            let class = schema.class(name).expect("the check has found the class");
            let read =
                self.read.get(name).map_or(Predicate::False, |rule| rule.bind(schema, class));
            classes.insert(class.name.clone(), Predicate::and([query, read]));
        }
        Ok(View { classes })
    }
}

impl View {
    /// Whether an object with these queryable values is in the view.
    pub fn contains(&self, object: &ObjectRef, fields: &FieldValues) -> bool {
        let predicate = self.classes.get(&object.class);
        predicate.is_some_and(|predicate| {
            predicate.matches(&FieldValuesRow { key: &object.key, fields }, &NoObjects)
        })
    }

    /// Where the object is.
    pub fn presence(&self, object: &ObjectRef, fields: Option<&FieldValues>) -> Presence {
        match fields {
            None => Presence::Absent,
            Some(fields) if self.contains(object, fields) => Presence::Inside,
            Some(_) => Presence::Outside,
        }
    }

    /// The classes of the view with their conditions, in no particular order.
    pub fn classes(&self) -> impl Iterator<Item = (&Name, &Predicate)> {
        self.classes.iter()
    }

    /// The condition of a class; `False` for a class that is not queried.
    pub fn predicate(&self, class: &Name) -> Predicate {
        self.classes.get(class).cloned().unwrap_or(Predicate::False)
    }
}

/// An object reduced to its queryable fields, as a row for predicates.
pub(super) struct FieldValuesRow<'a> {
    pub(super) key: &'a ObjectKey,
    pub(super) fields: &'a FieldValues,
}

impl Row for FieldValuesRow<'_> {
    fn key(&self) -> &ObjectKey {
        self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        match self.fields.get(property.index) {
            Some(content) => Cow::Borrowed(content),
            None if &*property.name == "_id" => Cow::Owned(Content::Value(self.key.clone().into())),
            None => Cow::Owned(Content::NULL),
        }
    }
}

/// Compiled views by text: sessions with equal views share one.
#[derive(Debug, Default)]
pub struct ViewCache {
    views: FxHashMap<String, Arc<View>>,
    schema: Arc<Schema>,
}

/// Compiled views kept at most, before the cache starts anew.
const VIEWS_MAX: usize = 10_000;

impl ViewCache {
    /// Takes note of the schema of now; forgets everything when it has changed.
    pub fn set_schema(&mut self, schema: &Arc<Schema>) {
        if !Arc::ptr_eq(schema, &self.schema) {
            self.views.clear();
            self.schema = Arc::clone(schema);
        }
    }

    /// The schema that views are compiled for.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The compiled view of a definition.
    pub fn get(
        &mut self,
        definition: &ViewDefinition,
        config: &EngineConfig,
    ) -> Result<Arc<View>, SubscriptionError> {
        let text = definition.to_text();
        if let Some(view) = self.views.get(&text) {
            return Ok(Arc::clone(view));
        }
        let view = Arc::new(definition.compile(&self.schema, config)?);
        if self.views.len() >= VIEWS_MAX {
            self.views.clear();
        }
        self.views.insert(text, Arc::clone(&view));
        Ok(view)
    }
}
