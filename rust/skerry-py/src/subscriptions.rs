//! `SubscriptionSetData`: a stored subscription set.

use pyo3::prelude::*;
use skerry_model::ObjectId;
use skerry_store::realm::{Subscription, SubscriptionSet};

use crate::errors::CoreError;

/// Id in hex, name, class, query, time of creation and of the last change in ms since 1970.
pub(crate) type Item = (String, Option<String>, String, String, i64, i64);

/// One version of the subscription set.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct SubscriptionSetData {
    set: SubscriptionSet,
}

impl From<SubscriptionSet> for SubscriptionSetData {
    fn from(set: SubscriptionSet) -> Self {
        Self { set }
    }
}

#[pymethods]
impl SubscriptionSetData {
    #[getter]
    fn version(&self) -> i64 {
        self.set.version.0
    }

    #[getter]
    fn state(&self) -> &'static str {
        self.set.state.name()
    }

    #[getter]
    fn error_message(&self) -> Option<&str> {
        self.set.error_message.as_deref()
    }

    #[getter]
    fn items(&self) -> Vec<Item> {
        let items = self.set.items.iter().cloned();
        items
            .map(|item| {
                let (id, class) = (item.id.to_string(), item.class.to_string());
                (id, item.name, class, item.query, item.created_ms, item.updated_ms)
            })
            .collect()
    }
}

/// Subscriptions from Python.
pub(crate) fn to_subscriptions(items: Vec<Item>) -> Result<Vec<Subscription>, CoreError> {
    items
        .into_iter()
        .map(|(id, name, class, query, created_ms, updated_ms)| {
            let Some(id) = ObjectId::parse(&id) else {
                return Err(CoreError::BadArgument {
                    argument: "items",
                    reason: format!("an id has 24 hexadecimal digits, not {id:?}"),
                });
            };
            Ok(Subscription { id, name, class: class.into(), query, created_ms, updated_ms })
        })
        .collect()
}
