//! What sessions with the same view share of one round of sending: fan-out is by distinct view (design 6).
//!
//! Invariant: a batch is handed to another session only if that would have collected the same one, but for the
//! client version that it carries: one and the same view over the whole window, and nothing in it that the
//! session's client made or that was made for it alone. The number of batches kept is bounded.

use std::sync::Arc;

use skerry_model::{ClientVersion, FileIdent, ServerVersion};
use skerry_store::StoreError;

use super::fanout::Recent;
use super::stream::{Batch, Window};
use super::view::View;

/// Batches kept at most; those beyond are collected for each session.
const BATCHES_MAX: usize = 16;

/// The batches of one round.
#[derive(Debug, Default)]
pub(super) struct SharedBatches {
    batches: Vec<Shared>,
    /// What has been read already.
    recent: Option<Arc<Recent>>,
}

#[derive(Debug)]
struct Shared {
    view: Arc<View>,
    after: ServerVersion,
    up_to: ServerVersion,
    batch: Batch,
}

impl SharedBatches {
    /// None yet, but perhaps the entries from which they are made.
    pub(super) fn new(recent: Option<Arc<Recent>>) -> Self {
        Self { batches: Vec::new(), recent }
    }

    /// The batch for a window.
    pub(super) fn collect(&mut self, window: Window<'_>) -> Result<Batch, StoreError> {
        let view = window.timeline.at(window.after);
        if window.timeline.changes(window.after, window.up_to).next().is_some() {
            return self.gather(window);
        }
        let found = self.batches.iter().find(|shared| {
            Arc::ptr_eq(&shared.view, view)
                && (shared.after, shared.up_to) == (window.after, window.up_to)
        });
        if let Some(Shared { batch, .. }) = found {
            let (ident, after) = (window.ident, window.after);
            let is_same = !batch.origins.contains(&ident)
                && !window.read.has_private(ident, after, window.up_to)?;
            return if is_same { Ok(handed_on(batch, &window)) } else { self.gather(window) };
        }
        let (view, after, up_to) = (Arc::clone(view), window.after, window.up_to);
        let batch = self.gather(window)?;
        if batch.is_common && self.batches.len() < BATCHES_MAX {
            self.batches.push(Shared { view, after, up_to, batch: batch.clone() });
        }
        Ok(batch)
    }

    /// Collects a batch, from the entries that have been read already if they are those of the window.
    fn gather(&self, window: Window<'_>) -> Result<Batch, StoreError> {
        let Window { read, ident, after, up_to, .. } = window;
        let recent = self.recent.as_ref().and_then(|recent| recent.entries(after, up_to));
        match recent {
            Some(entries) if !read.has_private(ident, after, up_to)? => {
                window.collect_from(entries)
            }
            Some(_) | None => window.collect(),
        }
    }
}

/// The batch with the client version of another client: in a common batch it is the same throughout.
fn handed_on(batch: &Batch, window: &Window<'_>) -> Batch {
    let client_version: ClientVersion = window.client_version;
    let mut batch = batch.clone();
    batch.client_version = client_version;
    for entry in &mut batch.entries {
        entry.client_version = client_version;
    }
    batch
}

/// The authors among `origins`, each once.
pub(super) fn distinct(origins: impl IntoIterator<Item = FileIdent>) -> Vec<FileIdent> {
    let mut found: Vec<FileIdent> = origins.into_iter().collect();
    found.sort_unstable();
    found.dedup();
    found
}
