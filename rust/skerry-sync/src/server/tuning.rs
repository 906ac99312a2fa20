//! How much the engine puts into one piece of anything, in one place.
//!
//! The defaults are meant to stay; tests make everything small, so that each way of cutting a stream is taken
//! with a handful of objects.

use serde_json::Value as Json;

use super::ConfigError;
use crate::limits::{ENTRIES_MAX, MESSAGE_SOFT_BYTES};

/// Sizes of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Objects' changes read from the history at once, for one client.
    pub history_touches_max: usize,
    /// Objects read at once for a bootstrap.
    pub bootstrap_page_objects: usize,
    /// Instructions after which a changeset of whole objects is closed.
    pub whole_instructions_soft_max: usize,
    /// Bytes of text and binary data after which it is closed.
    pub whole_payload_soft_bytes: usize,
    /// Size at which a DOWNLOAD is closed (sync-engine 3.4).
    pub message_soft_bytes: usize,
    /// Entries after which a DOWNLOAD is closed.
    pub message_entries_max: usize,
    /// Above this a stretch that must not be cut goes out as a staged bootstrap, in several messages that the
    /// client applies together.
    pub uncut_max_bytes: usize,
    /// Bytes that one session may queue in one go.
    pub session_budget_bytes: usize,
    /// How far the cursor may run ahead, in versions that hold nothing for the client, before it is told.
    pub silent_versions_max: i64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            history_touches_max: 8_192,
            bootstrap_page_objects: 500,
            whole_instructions_soft_max: 1_024,
            whole_payload_soft_bytes: 64 * 1024,
            message_soft_bytes: MESSAGE_SOFT_BYTES,
            message_entries_max: ENTRIES_MAX,
            uncut_max_bytes: 4 * 1024 * 1024,
            session_budget_bytes: 1024 * 1024,
            silent_versions_max: 1_000,
        }
    }
}

impl Tuning {
    /// Reads the `tuning` object of the engine's configuration; what is absent keeps its default.
    pub(super) fn parse(json: &Json) -> Result<Self, ConfigError> {
        let mut tuning = Self::default();
        let Json::Object(object) = json else {
            return if json.is_null() {
                Ok(tuning)
            } else {
                Err(ConfigError::new("tuning", "takes an object"))
            };
        };
        for (key, value) in object {
            let path = format!("tuning.{key}");
            let positive = value.as_u64().and_then(|value| usize::try_from(value).ok());
            let Some(number) = positive.filter(|&number| number > 0) else {
                return Err(ConfigError::new(&path, "takes a positive integer"));
            };
            match key.as_str() {
                "history_touches_max" => tuning.history_touches_max = number,
                "bootstrap_page_objects" => tuning.bootstrap_page_objects = number,
                "whole_instructions_soft_max" => tuning.whole_instructions_soft_max = number,
                "whole_payload_soft_bytes" => tuning.whole_payload_soft_bytes = number,
                "message_soft_bytes" => tuning.message_soft_bytes = number,
                "message_entries_max" => tuning.message_entries_max = number.min(ENTRIES_MAX),
                "uncut_max_bytes" => tuning.uncut_max_bytes = number,
                "session_budget_bytes" => tuning.session_budget_bytes = number,
                "silent_versions_max" => {
                    tuning.silent_versions_max = i64::try_from(number).unwrap_or(i64::MAX);
                }
                _ => return Err(ConfigError::new(&path, "unknown key")),
            }
        }
        Ok(tuning)
    }
}
