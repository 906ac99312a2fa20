//! The client peer: writes locally, uploads originals, integrates downloads (sync-engine 3.3).

use std::collections::VecDeque;

use skerry_merge::{Author, Incoming, LocalChanges};
use skerry_model::edit::Op;
use skerry_model::{Changeset, ClientVersion, FileIdent, ServerVersion, Stamp};

use crate::peers::{Download, DownloadEntry, Merging, PeerError, Upload};
use crate::places::fit;
use crate::state::State;

/// What happened on a client, kept so that a test can recompute its reciprocal forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It committed this.
    Wrote(Upload),
    /// It integrated this.
    Got(DownloadEntry),
}

/// A client in memory.
#[derive(Clone, Debug)]
pub struct Client {
    ident: FileIdent,
    merging: Merging,
    state: State,
    version: ClientVersion,
    server_version: ServerVersion,
    outgoing: VecDeque<Upload>,
    local: LocalChanges,
    events: Vec<Event>,
}

impl Client {
    pub(super) fn new(ident: FileIdent, merging: Merging) -> Self {
        Self {
            ident,
            merging,
            state: State::default(),
            version: ClientVersion(1),
            server_version: ServerVersion(0),
            outgoing: VecDeque::new(),
            local: LocalChanges::new(),
            events: Vec::new(),
        }
    }

    /// Its file ident.
    pub fn ident(&self) -> FileIdent {
        self.ident
    }

    /// What it holds.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The last server version that it has integrated.
    pub fn server_version(&self) -> ServerVersion {
        self.server_version
    }

    /// Its unacknowledged changes.
    pub fn local(&self) -> &LocalChanges {
        &self.local
    }

    /// All that it committed and integrated, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// One transaction: does what is possible of `ops`, commits, and returns what it did.
    pub fn write(&mut self, at: Stamp, ops: &[Op]) -> Result<Vec<Op>, PeerError> {
        let mut changeset = Changeset::default();
        let mut done = Vec::new();
        for op in ops {
            let Some(op) = fit(&self.state, op) else { continue };
            let Ok(instructions) = op.instructions(&mut self.state) else { continue };
            let Some((first, rest)) = instructions.split_first() else {
                done.push(op);
                continue;
            };
            // An edit of several instructions is possible when its first one is.
            if self.state.apply(first).is_ok() {
                self.state.apply_all(rest)?;
                changeset.instructions.extend(instructions);
                done.push(op);
            }
        }
        self.record(at, changeset)?;
        Ok(done)
    }

    /// Commits instructions. An empty changeset takes a version and is not uploaded.
    pub fn commit(&mut self, at: Stamp, changeset: Changeset) -> Result<(), PeerError> {
        self.state.apply_all(&changeset.instructions)?;
        self.record(at, changeset)
    }

    /// Takes the version of what has been applied.
    fn record(&mut self, at: Stamp, changeset: Changeset) -> Result<(), PeerError> {
        self.version.0 += 1;
        self.local.push(self.version, at, &changeset)?;
        if !changeset.is_empty() {
            let upload = Upload {
                version: self.version,
                base: self.server_version,
                author: Author::new(at, self.ident),
                changeset,
            };
            self.events.push(Event::Wrote(upload.clone()));
            self.outgoing.push_back(upload);
        }
        Ok(())
    }

    /// The next changesets to upload, in original form.
    pub(super) fn take_uploads(&mut self, count: usize) -> Vec<Upload> {
        let count = count.min(self.outgoing.len());
        self.outgoing.drain(..count).collect()
    }

    /// Integrates a whole download, in groups of entries that share a base.
    pub(super) fn integrate(&mut self, download: Download) -> Result<(), PeerError> {
        for group in download.entries.chunk_by(|a, b| a.base == b.base) {
            let mut theirs: Vec<Incoming> = group
                .iter()
                .map(|entry| Incoming { author: entry.author, changeset: entry.changeset.clone() })
                .collect();
            let (schema, base) = (self.state.classes(), group[0].base);
            match self.merging {
                Merging::Product => self.local.integrate(schema, self.ident, base, &mut theirs)?,
                Merging::Pairs(pair) => {
                    self.local.integrate_with(schema, self.ident, base, &mut theirs, pair)?
                }
            };
            for incoming in &theirs {
                self.state.apply_all(&incoming.changeset.instructions)?;
            }
        }
        // The commit of the integration takes a version too, so versions of changes have gaps.
        self.version.0 += 1;
        self.server_version = download.server_version;
        self.local.acknowledge_through(download.client_version);
        self.events.extend(download.entries.into_iter().map(Event::Got));
        Ok(())
    }
}
