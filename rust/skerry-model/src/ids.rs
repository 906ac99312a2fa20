//! Identifiers and counters as distinct types, so that no function takes two bare integers.
//!
//! Ranges and meanings are those of sync-engine 3.1; they must match Realm's from day one
//! (sync-engine 9.6, items 3 to 7 and 14).

macro_rules! int64_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

int64_newtype! {
    /// A commit number of the device's file: strictly increasing, sparse, 0 = none.
    ClientVersion
}
int64_newtype! {
    /// A number of the server's history: one per integrated changeset or synthetic event, 0 = none.
    ServerVersion
}
int64_newtype! {
    /// Identifies one client file: 0 = "self" in a client's history, 1 = server, clients from 2 on.
    FileIdent
}
int64_newtype! {
    /// A random nonzero 63-bit number that accompanies a file ident or the server's history.
    Salt
}
int64_newtype! {
    /// Version of a subscription set; 0 is the implicit empty set of a new file.
    QueryVersion
}
int64_newtype! {
    /// Number of one session on a shared connection, chosen by the client; 0 = the connection.
    SessionIdent
}
int64_newtype! {
    /// Origin timestamp of a changeset: milliseconds since 2015-01-01T00:00:00Z.
    Stamp
}

impl FileIdent {
    /// The client itself, in its own history, before the server has allocated an ident.
    pub const LOCAL: Self = Self(0);
    /// The server.
    pub const SERVER: Self = Self(1);
    /// The smallest ident that a client file can have.
    pub const FIRST_CLIENT: Self = Self(2);
}

impl Stamp {
    /// Unix time of the epoch of stamps, in milliseconds: 2015-01-01T00:00:00Z.
    pub const EPOCH_UNIX_MS: i64 = 1_420_070_400_000;

    /// The stamp of synthetic server events (bootstraps, compensations, entries into a view).
    ///
    /// It is the greatest there is, because a merge keeps the newer of two concurrent erases: were
    /// a pending local erase newer than the erase that opens such an event, it would kill the
    /// creation that follows, and the replicas would part. No client may stamp this high.
    pub const SYNTHETIC: Self = Self(i64::MAX);

    /// The stamp for a Unix time in milliseconds. Saturates at the ends of the range.
    pub fn from_unix_ms(unix_ms: i64) -> Self {
        Self(unix_ms.saturating_sub(Self::EPOCH_UNIX_MS))
    }

    /// The Unix time of this stamp, in milliseconds. Saturates at the ends of the range.
    pub fn to_unix_ms(self) -> i64 {
        self.0.saturating_add(Self::EPOCH_UNIX_MS)
    }
}
