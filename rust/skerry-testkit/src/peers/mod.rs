//! A server and its clients in memory, exchanging changesets as sync-engine 3 and design 5 say.
//!
//! They do what the real ones do, without sockets, files or views: originals are uploaded with
//! their base, the server integrates them one at a time through a lookup per object, both ends
//! keep reciprocal forms, cursors say what is acknowledged. The merge of pairs can be replaced, so
//! that a test can prove that it would notice a wrong rule.

mod client;
mod server;

pub use client::{Client, Event};
pub use server::{HistoryEntry, Server};

use skerry_merge::{Author, MergeError, PairMerge};
use skerry_model::edit::Op;
use skerry_model::{Changeset, ClientVersion, FileIdent, Instruction, ServerVersion, Stamp};

use crate::state::BadChangeset;

/// What goes wrong between peers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// A merge failed.
    #[error("merge: {0}")]
    Merge(#[from] MergeError),
    /// A merged instruction could not be applied.
    #[error("bad changeset: {0}")]
    Apply(#[from] BadChangeset),
}

/// A local change on its way up, in original form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Version on the client.
    pub version: ClientVersion,
    /// Last server version integrated when it was made.
    pub base: ServerVersion,
    /// Who and when.
    pub author: Author,
    /// The instructions as they were made.
    pub changeset: Changeset,
}

/// An entry of the server's history on its way down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadEntry {
    /// Version on the server.
    pub version: ServerVersion,
    /// Last version of the receiver that the server had integrated when the entry was made.
    pub base: ClientVersion,
    /// Who and when.
    pub author: Author,
    /// The instructions as they are in the server's history.
    pub changeset: Changeset,
}

/// A DOWNLOAD message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The entries, ascending.
    pub entries: Vec<DownloadEntry>,
    /// The server's history is known up to here.
    pub server_version: ServerVersion,
    /// The receiver's last version that the server had integrated at that point.
    pub client_version: ClientVersion,
}

/// Who makes the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaBy {
    /// The server, before all; the clients download it.
    Server,
    /// Each client for itself, in its first write.
    Clients,
}

/// A step of a program. Clients count from 0; client k has file ident k + 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A transaction. Positions are brought into range; what is not possible on the client's state
    /// is left out.
    Write {
        /// The client.
        client: usize,
        /// Its clock.
        at: Stamp,
        /// The edits.
        ops: Vec<Op>,
    },
    /// The server integrates the client's next `count` changesets at most.
    Upload {
        /// The client.
        client: usize,
        /// How many.
        count: usize,
    },
    /// The client integrates the server's next `count` entries at most.
    Download {
        /// The client.
        client: usize,
        /// How many.
        count: usize,
    },
}

/// How peers merge.
#[derive(Clone, Copy, Debug)]
pub enum Merging {
    /// As the product does.
    Product,
    /// Pair by pair, with this merge of pairs.
    Pairs(PairMerge),
}

/// A server and its clients.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The server.
    pub server: Server,
    /// The clients.
    pub clients: Vec<Client>,
    /// Edits that were left out because they were not possible.
    pub skipped: usize,
    /// The steps as they were done: with positions in range, and without what was left out.
    pub done: Vec<Step>,
}

impl Cluster {
    /// Peers with that schema and no objects.
    pub fn new(
        clients: usize,
        schema: &[Instruction],
        by: SchemaBy,
        merging: Merging,
    ) -> Result<Self, PeerError> {
        let idents = (FileIdent::FIRST_CLIENT.0..).map(FileIdent).take(clients);
        let mut cluster = Self {
            server: Server::new(merging),
            clients: idents.map(|ident| Client::new(ident, merging)).collect(),
            skipped: 0,
            done: Vec::new(),
        };
        match by {
            SchemaBy::Server => {
                cluster.server.append_own(Stamp(0), schema.to_vec().into())?;
                (0..clients).try_for_each(|client| cluster.download(client, usize::MAX))?;
            }
            SchemaBy::Clients => {
                for client in &mut cluster.clients {
                    client.commit(Stamp(0), schema.to_vec().into())?;
                }
            }
        }
        Ok(cluster)
    }

    /// Runs the steps in order.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), PeerError> {
        for step in steps {
            match step {
                Step::Write { client, at, ops } => {
                    let done = self.clients[*client].write(*at, ops)?;
                    self.skipped += ops.len() - done.len();
                    self.done.push(Step::Write { client: *client, at: *at, ops: done });
                }
                Step::Upload { client, count } => {
                    self.done.push(step.clone());
                    self.upload(*client, *count)?;
                }
                Step::Download { client, count } => {
                    self.done.push(step.clone());
                    self.download(*client, *count)?;
                }
            }
        }
        Ok(())
    }

    /// The server integrates the client's next `count` changesets at most, one at a time.
    pub fn upload(&mut self, client: usize, count: usize) -> Result<(), PeerError> {
        for upload in self.clients[client].take_uploads(count) {
            self.server.integrate(upload)?;
        }
        Ok(())
    }

    /// The client integrates the server's next `count` entries at most, in one go.
    pub fn download(&mut self, client: usize, count: usize) -> Result<(), PeerError> {
        let client = &mut self.clients[client];
        let download = self.server.download(client.ident(), client.server_version(), count);
        client.integrate(download)
    }

    /// Exchanges all there is, in that order of clients.
    pub fn exchange(&mut self, order: &[usize]) -> Result<(), PeerError> {
        for &client in order {
            self.upload(client, usize::MAX)?;
        }
        for &client in order {
            self.download(client, usize::MAX)?;
        }
        Ok(())
    }

    /// The idents of clients whose state differs from the server's.
    pub fn parted(&self) -> Vec<FileIdent> {
        let equals = |client: &&Client| client.state().equals(self.server.state());
        let parted = self.clients.iter().filter(|client| !equals(client));
        parted.map(Client::ident).collect()
    }
}
