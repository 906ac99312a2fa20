//! The client end of the protocol.
