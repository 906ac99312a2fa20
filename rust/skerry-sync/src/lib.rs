//! The sync protocol and the two ends of it.
//!
//! [`protocol`] holds the messages of `docs/protocol.md`, their codec and the server's session
//! machines; [`client`] the client's machines and the agent that runs them on a realm file.
//! Every machine is sans-IO: bytes and `now` go in; bytes, events and a deadline come out. Nothing
//! here opens a socket, reads a clock or draws a random number.

pub mod client;
pub mod limits;
pub mod protocol;
pub mod server;
