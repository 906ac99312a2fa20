//! The server's engine: sessions, views, rules, integration and compensation on a store (design 6).
//!
//! [`Engine`] is fed whole batches of frames from all connections and integrates them in one store
//! transaction (group commit); nothing is acknowledged before that transaction is durable. It opens no sockets,
//! and reads no clock: `now` is handed in, and randomness comes from a source that the caller hands in.

mod bootstrap;
mod busy;
mod config;
mod engine;
mod error;
mod events;
mod fanout;
mod fields;
mod judge;
mod pump;
pub mod rules;
mod server_schema;
mod session;
mod shared;
mod stream;
pub mod timeline;
mod tuning;
mod upload;
pub mod view;
mod wire;

pub use config::{ConfigError, EngineConfig};
pub use engine::{ConnectionId, Engine, EngineError, Output};
pub use error::UploadError;
pub use tuning::Tuning;
