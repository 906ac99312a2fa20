//! The client's end of the protocol: machines for sessions and connections, and the agent that
//! runs them on realm files.

pub mod backoff;
mod checks;
pub mod connection;
pub mod facts;
mod sending;
pub mod session;
pub mod table;

pub use backoff::{Delays, Random};
pub use connection::{ClientConnection, ConnectionEvent};
pub use facts::{LocalFacts, Progress, SetFacts, SetState};
pub use session::{Action, ClientSession, Outgoing, Report, Run, Violation};
pub use table::Phase;
