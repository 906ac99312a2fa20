//! The protocol `skerry.sync.v1` (docs/protocol.md): messages, codec, error table and the
//! server's machines.

pub mod codec;
pub mod errors;
pub mod message;
pub mod server_connection;
pub mod server_session;

pub use codec::{
    CodecError, decode_client_message, decode_server_message, encode_client_message,
    encode_server_message,
};
pub use errors::{Action, ProtocolErrorCode};
pub use message::{
    Backoff, BatchState, Bind, ClientError, ClientIdent, ClientMessage, Download, DownloadEntry,
    ErrorMessage, LogMessage, Mark, Ping, Pong, Query, QueryError, QueryMap, RejectedUpdate,
    ServerIdent, ServerMessage, SessionReason, Upload, UploadEntry,
};
pub use server_connection::{Delivery, ServerConnection, ServerEvent};
pub use server_session::{ServerSession, ServerSessionState};

/// The websocket subprotocol of this codec.
pub const SUBPROTOCOL: &str = "skerry.sync.v1";
