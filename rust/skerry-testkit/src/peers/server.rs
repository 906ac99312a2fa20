//! The server peer: one history, a lookup per object, reciprocal forms only where a merge changed
//! something (sync-engine 3.5, design 5). Every client's view is everything.

use std::collections::BTreeMap;

use skerry_merge::{Author, Entry, Outcome, merge_object, merge_sequences};
use skerry_model::{
    Changeset, ClientVersion, FileIdent, Instruction, Name, ObjectRef, ServerVersion, Stamp,
};

use crate::peers::{Download, DownloadEntry, Merging, PeerError, Upload};
use crate::state::State;

/// What an instruction is about: no rule reaches from one of these to another, as long as nothing
/// is erased from the schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Class(Name),
    Object(ObjectRef),
}

/// An entry of the server's history. The entry of version v is at position v − 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Who and when.
    pub author: Author,
    /// Version on the author's side.
    pub client_version: ClientVersion,
    /// The server version on which the author had made it.
    pub base: ServerVersion,
    /// What the author uploaded.
    pub original: Changeset,
    /// What was applied.
    pub changeset: Changeset,
}

/// What the server keeps for one client.
#[derive(Clone, Debug, Default)]
struct ClientRecord {
    /// Last version integrated.
    version: ClientVersion,
    /// Base of its last upload.
    base: ServerVersion,
    /// Forms of others' entries that merging with this client's uploads has changed.
    reciprocal: BTreeMap<(ServerVersion, Subject), Vec<Instruction>>,
}

/// A server in memory.
#[derive(Clone, Debug)]
pub struct Server {
    merging: Merging,
    state: State,
    history: Vec<HistoryEntry>,
    /// Versions that touch a subject, ascending.
    touched: BTreeMap<Subject, Vec<ServerVersion>>,
    clients: BTreeMap<FileIdent, ClientRecord>,
}

fn subject(instruction: &Instruction) -> Subject {
    match instruction.object() {
        Some(object) => Subject::Object(object.clone()),
        None => Subject::Class(instruction.class().clone()),
    }
}

/// Positions of instructions by subject.
fn by_subject(changeset: &Changeset) -> BTreeMap<Subject, Vec<usize>> {
    let mut positions: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
    for (at, instruction) in changeset.instructions.iter().enumerate() {
        positions.entry(subject(instruction)).or_default().push(at);
    }
    positions
}

impl Server {
    pub(super) fn new(merging: Merging) -> Self {
        Self {
            merging,
            state: State::default(),
            history: Vec::new(),
            touched: BTreeMap::new(),
            clients: BTreeMap::new(),
        }
    }

    /// What it holds.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its whole history.
    pub fn history(&self) -> &[HistoryEntry] {
        &self.history
    }

    /// Base of the client's last upload, past which reciprocal forms are kept.
    pub fn base_of(&self, client: FileIdent) -> ServerVersion {
        self.clients.get(&client).map_or(ServerVersion(0), |record| record.base)
    }

    /// The forms stored for a client, by version and in the order of subjects.
    pub fn stored_reciprocals(
        &self,
        client: FileIdent,
    ) -> impl Iterator<Item = (ServerVersion, &[Instruction])> {
        let stored = self.clients.get(&client).into_iter().flat_map(|r| r.reciprocal.iter());
        stored.map(|((version, _), instructions)| (*version, instructions.as_slice()))
    }

    /// The instructions of an entry in a client's reciprocal form, in the order of subjects.
    pub fn reciprocal(&self, client: FileIdent, version: ServerVersion) -> Vec<Instruction> {
        let subjects = self.touched.iter().filter(|(_, versions)| versions.contains(&version));
        subjects.flat_map(|(subject, _)| self.form(client, version, subject)).collect()
    }

    /// The server's own change.
    pub(super) fn append_own(&mut self, at: Stamp, changeset: Changeset) -> Result<(), PeerError> {
        self.state.apply_all(&changeset.instructions)?;
        self.append(HistoryEntry {
            author: Author::new(at, FileIdent::SERVER),
            client_version: ClientVersion(0),
            base: self.head(),
            original: changeset.clone(),
            changeset,
        });
        Ok(())
    }

    /// Integrates one uploaded changeset, which takes one version also when nothing of it is left.
    pub(super) fn integrate(&mut self, upload: Upload) -> Result<(), PeerError> {
        let client = upload.author.ident;
        let record = self.clients.entry(client).or_default();
        if upload.version <= record.version {
            return Ok(());
        }
        record.base = upload.base;
        record.reciprocal.retain(|(version, _), _| *version > upload.base);
        let mut merged: Vec<_> = upload.changeset.instructions.iter().cloned().map(Some).collect();
        for (subject, positions) in by_subject(&upload.changeset) {
            self.merge_subject(&upload, &subject, &positions, &mut merged)?;
        }
        let changeset = Changeset { instructions: merged.into_iter().flatten().collect() };
        self.state.apply_all(&changeset.instructions)?;
        self.clients.entry(client).or_default().version = upload.version;
        self.append(HistoryEntry {
            author: upload.author,
            client_version: upload.version,
            base: upload.base,
            original: upload.changeset,
            changeset,
        });
        Ok(())
    }

    /// Merges what the upload does to one subject with what others did to it after its base.
    fn merge_subject(
        &mut self,
        upload: &Upload,
        subject: &Subject,
        positions: &[usize],
        merged: &mut [Option<Instruction>],
    ) -> Result<(), PeerError> {
        let client = upload.author.ident;
        let versions = self.concurrent(client, upload.base, subject);
        let mut ours: Vec<Entry> = versions
            .iter()
            .map(|&version| {
                Entry::new(self.entry(version).author, self.form(client, version, subject))
            })
            .collect();
        let instructions = positions.iter().filter_map(|&at| merged[at].take()).collect();
        let mut theirs = [Entry::new(upload.author, instructions)];
        let schema = self.state.classes();
        let outcomes = match self.merging {
            Merging::Product => vec![merge_object(schema, &mut ours, &mut theirs[0])?],
            Merging::Pairs(pair) => merge_sequences(schema, &mut ours, &mut theirs, pair)?,
        };
        let [theirs] = theirs;
        restore(merged, positions, &outcomes, theirs.instructions);
        for (version, entry) in versions.into_iter().zip(ours).filter(|(_, entry)| entry.dirty) {
            let plain = self.entry(version).changeset.instructions.iter();
            let is_plain = plain.filter(|i| self::subject(i) == *subject).eq(&entry.instructions);
            let record = self.clients.entry(client).or_default();
            let key = (version, subject.clone());
            if is_plain {
                record.reciprocal.remove(&key);
            } else {
                record.reciprocal.insert(key, entry.instructions);
            }
        }
        Ok(())
    }

    /// What a client has not seen from `after` on, `count` entries at most.
    pub(super) fn download(
        &self,
        client: FileIdent,
        after: ServerVersion,
        count: usize,
    ) -> Download {
        let mut download = Download {
            entries: Vec::new(),
            server_version: ServerVersion(0),
            client_version: ClientVersion(0),
        };
        for (entry, version) in self.history.iter().zip((1..).map(ServerVersion)) {
            if entry.author.ident == client {
                download.client_version = entry.client_version;
            } else if version > after && !entry.changeset.is_empty() {
                if download.entries.len() == count {
                    break;
                }
                download.entries.push(DownloadEntry {
                    version,
                    base: download.client_version,
                    author: entry.author,
                    changeset: entry.changeset.clone(),
                });
            }
            download.server_version = version;
        }
        download
    }

    fn head(&self) -> ServerVersion {
        ServerVersion(i64::try_from(self.history.len()).expect("a history in memory is short"))
    }

    fn append(&mut self, entry: HistoryEntry) {
        let version = ServerVersion(self.head().0 + 1);
        for subject in by_subject(&entry.changeset).into_keys() {
            self.touched.entry(subject).or_default().push(version);
        }
        self.history.push(entry);
    }

    fn entry(&self, version: ServerVersion) -> &HistoryEntry {
        &self.history[usize::try_from(version.0 - 1).expect("versions start at 1")]
    }

    /// Versions after `base`, by others, that touch the subject.
    fn concurrent(
        &self,
        client: FileIdent,
        base: ServerVersion,
        subject: &Subject,
    ) -> Vec<ServerVersion> {
        let versions = self.touched.get(subject).map_or(&[][..], Vec::as_slice);
        let after = &versions[versions.partition_point(|version| *version <= base)..];
        let by_others = |version: &&ServerVersion| self.entry(**version).author.ident != client;
        after.iter().filter(by_others).copied().collect()
    }

    /// What an entry does to a subject, in a client's reciprocal form.
    fn form(&self, client: FileIdent, version: ServerVersion, of: &Subject) -> Vec<Instruction> {
        let stored = self
            .clients
            .get(&client)
            .and_then(|record| record.reciprocal.get(&(version, of.clone())));
        if let Some(instructions) = stored {
            return instructions.clone();
        }
        let all = self.entry(version).changeset.instructions.iter();
        all.filter(|instruction| subject(instruction) == *of).cloned().collect()
    }
}

/// Puts what a merge has left of a subject's instructions back to where they were.
fn restore(
    merged: &mut [Option<Instruction>],
    positions: &[usize],
    outcomes: &[Outcome],
    instructions: Vec<Instruction>,
) {
    let discarded = |at: &usize| outcomes.iter().any(|outcome| outcome.discarded.contains(at));
    let left = (0..positions.len()).filter(|at| !discarded(at));
    for (at, instruction) in left.zip(instructions) {
        merged[positions[at]] = Some(instruction);
    }
}
