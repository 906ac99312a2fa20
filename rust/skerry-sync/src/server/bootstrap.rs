//! Bootstraps: what a change of the view brings and takes away (sync-engine 5.2, 5.3).
//!
//! A bootstrap is read page by page from a snapshot taken at its version, so that whatever is written
//! meanwhile follows it in the stream. Usually only the view changes; when a client comes back that missed
//! an earlier bootstrap, its stream since then is part of this one.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use skerry_model::{ClientVersion, FileIdent, Name, ObjectRef, QueryVersion, ServerVersion};
use skerry_query::Predicate;
use skerry_store::StoreError;
use skerry_store::server::Read;

use super::EngineConfig;
use super::fields::QueryableFields;
use super::stream::{WholeObjects, Window, synthetic};
use super::timeline::Timeline;
use super::tuning::Tuning;
use super::wire::pack_instructions;
use crate::protocol::DownloadEntry;

/// A bootstrap under way.
pub(super) struct Bootstrap {
    pub(super) version: ServerVersion,
    pub(super) query_version: QueryVersion,
    /// The state at `version`.
    pub(super) snapshot: Box<dyn Read + Send>,
    /// Whether the history up to the version before goes out first, in steady state. Not when the client
    /// missed an earlier change of its view: then all of it is staged together.
    pub(super) flush_first: bool,
    scan: Option<Scan>,
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap").field("version", &self.version).finish_non_exhaustive()
    }
}

struct Scan {
    classes: VecDeque<(Name, Predicate)>,
    position: i64,
    after: ServerVersion,
    touched: FxHashSet<ObjectRef>,
    objects: WholeObjects,
    client_version: ClientVersion,
    started: Vec<DownloadEntry>,
    rows_done: u64,
    rows_total: u64,
    anything_sent: bool,
}

/// A part of a bootstrap.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) entries: Vec<DownloadEntry>,
    pub(super) client_version: ClientVersion,
    pub(super) is_last: bool,
    /// Share of the rows read, 0.0 to 1.0.
    pub(super) progress: f64,
}

impl Bootstrap {
    pub(super) fn new(
        version: ServerVersion,
        query_version: QueryVersion,
        snapshot: Box<dyn Read + Send>,
        flush_first: bool,
    ) -> Self {
        Self { version, query_version, snapshot, flush_first, scan: None }
    }

    /// Whether a part of it has been produced.
    pub(super) fn has_begun(&self) -> bool {
        self.scan.is_some()
    }

    /// Produces the next part. `after` and `client_version` are the client's cursor before the bootstrap.
    pub(super) fn next_part(
        &mut self,
        timeline: &Timeline,
        config: &EngineConfig,
        ident: FileIdent,
        after: ServerVersion,
        client_version: ClientVersion,
    ) -> Result<Part, StoreError> {
        if self.scan.is_none() {
            let scan = self.start(timeline, config.tuning, ident, after, client_version)?;
            self.scan = Some(scan);
        }
        let scan = self.scan.as_mut().expect("made just above");
        let mut entries = std::mem::take(&mut scan.started);
        let mut is_last = scan.classes.is_empty();
        while !is_last && entries.is_empty() {
            scan.page(&*self.snapshot, timeline, config, self.version)?;
            is_last = scan.classes.is_empty();
            let (version, client_version) = (self.version, scan.client_version);
            let closed = scan.objects.take_closed().into_iter();
            entries.extend(closed.map(|changeset| synthetic(version, client_version, changeset)));
        }
        if is_last {
            let rest = std::mem::replace(&mut scan.objects, WholeObjects::new(config.tuning));
            let rest = rest.finish()?.into_iter();
            let (version, client_version) = (self.version, scan.client_version);
            entries.extend(rest.map(|changeset| synthetic(version, client_version, changeset)));
            if entries.is_empty() && !scan.anything_sent {
                // A bootstrap has at least one entry, be it empty (sync-engine 5.2).
                entries.push(synthetic(version, client_version, pack_instructions(Vec::new())?));
            }
        }
        scan.anything_sent |= !entries.is_empty();
        let progress = if is_last { 1.0 } else { ratio(scan.rows_done, scan.rows_total) };
        Ok(Part { entries, client_version: scan.client_version, is_last, progress })
    }

    /// The client's newest version integrated at this bootstrap, if nothing of the history before it means
    /// anything to the client: it has seen nothing, nothing was in view before, so what it may see is in the
    /// state, and nothing that it wrote has to be undone.
    fn first_of_its_file(
        &self,
        timeline: &Timeline,
        ident: FileIdent,
        after: ServerVersion,
    ) -> Result<Option<ClientVersion>, StoreError> {
        let before = ServerVersion(self.version.0 - 1);
        if after != ServerVersion(0) || !timeline.is_blank(after, before) {
            return Ok(None);
        }
        if !self.snapshot.compensations(ident, after, self.version)?.is_empty() {
            return Ok(None);
        }
        let record = self.snapshot.client(ident)?;
        Ok(Some(record.map_or(ClientVersion(0), |record| record.client_version)))
    }

    fn start(
        &self,
        timeline: &Timeline,
        tuning: Tuning,
        ident: FileIdent,
        after: ServerVersion,
        client_version: ClientVersion,
    ) -> Result<Scan, StoreError> {
        let read = &*self.snapshot;
        let first = self.first_of_its_file(timeline, ident, after)?;
        let is_new_file = after == ServerVersion(0);
        // What went before the client's stream means nothing to it, and its uploads are judged so too. The
        // first bootstrap of all, which begins the stream, may have been superseded by this one.
        let begins = timeline.begins();
        let after = if begins < self.version { after.max(begins) } else { after };
        let window =
            Window { read, timeline, tuning, ident, after, up_to: self.version, client_version };
        let history = if first.is_some() {
            Vec::new()
        } else {
            read.history(ident, after, self.version, usize::MAX)?
        };
        let touched = window.courses(&history).into_keys().cloned().collect();
        let mut batch = window.emit_all(&history)?;
        batch.client_version = batch.client_version.max(first.unwrap_or_default());
        if is_new_file {
            let schema = read.schema()?.instructions();
            if !schema.is_empty() {
                // Whole and first, in place of the pieces that the history may hold.
                let entry = synthetic(self.version, client_version, pack_instructions(schema)?);
                batch.entries.insert(0, entry);
            }
        }
        let mut classes = VecDeque::new();
        let mut rows_total = 0;
        let (old, new) = (timeline.at(after), timeline.at(self.version));
        let changed =
            timeline.changes(after, self.version).any(|term| !Arc::ptr_eq(&term.view, old));
        let schema = read.schema()?;
        for class in schema.classes() {
            let predicate = Predicate::or([old.predicate(&class.name), new.predicate(&class.name)]);
            if predicate != Predicate::False && changed {
                rows_total += read.count(&class.name, &predicate)?;
                classes.push_back((class.name.clone(), predicate));
            }
        }
        Ok(Scan {
            classes,
            position: 0,
            after,
            touched,
            objects: WholeObjects::new(tuning),
            client_version: batch.client_version,
            started: batch
                .entries
                .into_iter()
                .map(|entry| at_version(entry, self.version))
                .collect(),
            rows_done: 0,
            rows_total,
            anything_sent: false,
        })
    }
}

impl Scan {
    /// Reads a page of objects that were or are in view, and takes note of those that leave or enter.
    fn page(
        &mut self,
        read: &dyn Read,
        timeline: &Timeline,
        config: &EngineConfig,
        version: ServerVersion,
    ) -> Result<(), StoreError> {
        let Some((name, predicate)) = self.classes.front() else { return Ok(()) };
        let page =
            read.find(name, predicate, self.position, config.tuning.bootstrap_page_objects)?;
        let schema = read.schema()?;
        let class = schema.class(name).expect("the scan goes over classes of this schema");
        let queryable = QueryableFields::of(&schema, class, config.queryable(name));
        self.rows_done += page.objects.len() as u64;
        for found in page.objects {
            let object = ObjectRef { class: name.clone(), key: found.key };
            if self.touched.contains(&object) {
                continue;
            }
            let fields = queryable.values(&found.values);
            let course = timeline.course(&object, self.after, version, Some(&fields), []);
            if course.must_be_sent_whole() {
                self.objects.add_contents(&schema, class, &object, &found.values)?;
            } else if course.must_be_erased_at().is_some() {
                self.objects.add_erase(&object)?;
            }
        }
        self.position = page.next.unwrap_or(0);
        if page.next.is_none() {
            self.classes.pop_front();
        }
        Ok(())
    }
}

/// All changesets of a bootstrap share its version (sync-engine 5.2); the bases stay their own.
fn at_version(mut entry: DownloadEntry, version: ServerVersion) -> DownloadEntry {
    entry.server_version = version;
    entry
}

#[allow(clippy::cast_precision_loss, reason = "an estimate for a progress bar")]
fn ratio(done: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { (done as f64 / total as f64).clamp(0.0, 1.0) }
}
