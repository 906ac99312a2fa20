//! What the engine keeps of a bound session, besides the protocol machine.

use std::collections::VecDeque;

use skerry_model::{ClientVersion, FileIdent, QueryVersion, ServerVersion};
use skerry_store::server::ClientRecord;

use super::bootstrap::Bootstrap;
use super::judge::BoundRoles;
use super::timeline::Timeline;

/// A session that has identified itself.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) ident: FileIdent,
    /// The client file's record as of the last transaction.
    pub(super) record: ClientRecord,
    pub(super) timeline: Timeline,
    pub(super) roles: BoundRoles,
    /// Everything up to here has been sent, or found to be nothing for this client.
    pub(super) sent: ServerVersion,
    /// The download cursor that the client was told last.
    pub(super) told: ServerVersion,
    /// The client's newest version integrated at `sent`.
    pub(super) client_version: ClientVersion,
    /// The set that the newest bootstrap sent was for.
    pub(super) query_version: QueryVersion,
    /// Bootstraps to be sent, in order.
    pub(super) bootstraps: VecDeque<Bootstrap>,
    /// MARK requests with the version that was newest when they came.
    pub(super) marks: VecDeque<(i64, ServerVersion)>,
    /// Whether a DOWNLOAD is owed even if there is nothing to download.
    pub(super) download_due: bool,
    /// The client missed the bootstrap of a set that it has to ask for again; until then its stream rests.
    pub(super) awaits_query: bool,
}

impl Session {
    /// A session of a client that stands at this download cursor.
    pub(super) fn new(
        record: ClientRecord,
        timeline: Timeline,
        cursor: (ServerVersion, ClientVersion),
        query_version: QueryVersion,
    ) -> Self {
        Self {
            ident: record.ident,
            record,
            timeline,
            roles: BoundRoles::default(),
            sent: cursor.0,
            told: cursor.0,
            client_version: cursor.1,
            query_version,
            bootstraps: VecDeque::new(),
            marks: VecDeque::new(),
            download_due: true,
            awaits_query: false,
        }
    }

    /// Whether anything is to be sent when the newest version is `head`.
    pub(super) fn has_work(&self, head: ServerVersion) -> bool {
        !self.awaits_query
            && (self.download_due
                || self.sent < head
                || !self.bootstraps.is_empty()
                || !self.marks.is_empty())
    }
}
