//! The client's end of the protocol: machines for sessions and connections, and the agent that
//! runs them on realm files.

pub mod agent;
mod attached;
pub mod backoff;
mod checks;
pub mod connection;
pub mod event;
pub mod facts;
pub mod integrate;
mod sending;
pub mod session;
pub mod table;

pub use agent::{Agent, PollResult};
pub use backoff::{Delays, Random};
pub use connection::{ClientConnection, ConnectionEvent};
pub use event::{Direction, SessionState, SyncEvent, SyncEventKind};
pub use facts::{LocalFacts, SetFacts};
pub use session::{Action, ClientSession, Outgoing, Report, Run, Violation};
pub use table::Phase;
