//! The error codes and actions of the protocol (sync-engine 4.6, 4.7; server 7.2).
//!
//! Numbers, names and texts are Realm's, so that applications and stock clients find what they
//! know. The table is one macro call: a code cannot lack a text or a default.

use std::fmt;

/// What the receiver of an ERROR should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The peers disagree about the protocol.
    ProtocolViolation,
    /// The application did what it must not, or the action is not known.
    ApplicationBug,
    /// Tell the application; the session goes on.
    Warning,
    /// Try again after the back-off.
    Transient,
    /// Delete the local file.
    DeleteRealm,
    /// Reset the local file, recovering local changes.
    ClientReset,
    /// Reset the local file without recovery.
    ClientResetNoRecovery,
    /// Change to Flexible Sync.
    MigrateToFlx,
    /// Change back to partitions.
    RevertToPbs,
    /// Refresh the access token, then reconnect.
    RefreshUser,
    /// Ask for the server's location again, then reconnect.
    RefreshLocation,
    /// Log the user out.
    LogOutUser,
    /// Migrate to another schema version.
    MigrateSchema,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ProtocolViolation,
        Self::ApplicationBug,
        Self::Warning,
        Self::Transient,
        Self::DeleteRealm,
        Self::ClientReset,
        Self::ClientResetNoRecovery,
        Self::MigrateToFlx,
        Self::RevertToPbs,
        Self::RefreshUser,
        Self::RefreshLocation,
        Self::LogOutUser,
        Self::MigrateSchema,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProtocolViolation => "ProtocolViolation",
            Self::ApplicationBug => "ApplicationBug",
            Self::Warning => "Warning",
            Self::Transient => "Transient",
            Self::DeleteRealm => "DeleteRealm",
            Self::ClientReset => "ClientReset",
            Self::ClientResetNoRecovery => "ClientResetNoRecovery",
            Self::MigrateToFlx => "MigrateToFLX",
            Self::RevertToPbs => "RevertToPBS",
            Self::RefreshUser => "RefreshUser",
            Self::RefreshLocation => "RefreshLocation",
            Self::LogOutUser => "LogOutUser",
            Self::MigrateSchema => "MigrateSchema",
        }
    }

    /// Reads a name; whatever is not known is the application's bug (sync-engine 4.6).
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|action| action.name() == name).unwrap_or(Self::ApplicationBug)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! error_codes {
    ($($number:literal $variant:ident $name:literal $text:literal $action:ident $retry:literal;)+) => {
        /// A code of the protocol; 100 to 199 concern a connection, 200 to 299 a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProtocolErrorCode {
            $(#[doc = $text] $variant,)+
        }

        impl ProtocolErrorCode {
            /// All of them, ascending.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number on the wire.
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $number),+ }
            }

            /// The name in logs, such as `bad_changeset`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The name in the errors of applications, such as `BadChangeset`.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The text that is sent when there is no better one.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The action that is sent when the sender decides nothing else.
            pub fn default_action(self) -> Action {
                match self { $(Self::$variant => Action::$action),+ }
            }

            /// Whether trying again can help, when the sender decides nothing else.
            pub fn default_try_again(self) -> bool {
                match self { $(Self::$variant => $retry),+ }
            }

            /// The code of that number, if there is one.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

error_codes! {
    100 ConnectionClosed "connection_closed" "Connection closed (no error)" Transient true;
    101 OtherError "other_error" "Other connection level error" Transient true;
    102 UnknownMessage "unknown_message" "Unknown type of input message" ProtocolViolation false;
    103 BadSyntax "bad_syntax" "Bad syntax in input message head" ProtocolViolation false;
    104 LimitsExceeded "limits_exceeded" "Limits exceeded in input message" ProtocolViolation false;
    105 WrongProtocolVersion "wrong_protocol_version" "Wrong protocol version (CLIENT)" ProtocolViolation false;
    106 BadSessionIdent "bad_session_ident" "Bad session identifier in input message" ProtocolViolation false;
    107 ReuseOfSessionIdent "reuse_of_session_ident" "Overlapping reuse of session identifier (BIND)" ProtocolViolation false;
    108 BoundInOtherSession "bound_in_other_session" "Client file bound in other session (IDENT)" ProtocolViolation false;
    109 BadMessageOrder "bad_message_order" "Bad input message order" ProtocolViolation false;
    110 BadDecompression "bad_decompression" "Error in decompression (UPLOAD)" ProtocolViolation false;
    111 BadChangesetHeaderSyntax "bad_changeset_header_syntax" "Bad syntax in a changeset header (UPLOAD)" ProtocolViolation false;
    112 BadChangesetSize "bad_changeset_size" "Bad size specified in changeset header (UPLOAD)" ProtocolViolation false;
    113 SwitchToFlxSync "switch_to_flx_sync" "Wrong wire protocol, switch to the flexible sync wire protocol" ProtocolViolation false;
    114 SwitchToPbs "switch_to_pbs" "Wrong wire protocol, switch to the partition-based sync wire protocol" ProtocolViolation false;
    200 SessionClosed "session_closed" "Session closed (no error)" Transient true;
    201 OtherSessionError "other_session_error" "Other session level error" Transient true;
    202 TokenExpired "token_expired" "Access token expired" RefreshUser true;
    203 BadAuthentication "bad_authentication" "Bad user authentication (BIND)" RefreshUser true;
    204 IllegalRealmPath "illegal_realm_path" "Illegal Realm path (BIND)" ApplicationBug false;
    205 NoSuchRealm "no_such_realm" "No such Realm (BIND)" ApplicationBug false;
    206 PermissionDenied "permission_denied" "Permission denied" ApplicationBug false;
    207 BadServerFileIdent "bad_server_file_ident" "Bad server file identifier (IDENT)" ProtocolViolation false;
    208 BadClientFileIdent "bad_client_file_ident" "Bad client file identifier (IDENT)" ClientReset false;
    209 BadServerVersion "bad_server_version" "Bad server version (IDENT, UPLOAD)" ClientReset false;
    210 BadClientVersion "bad_client_version" "Bad client version (IDENT, UPLOAD)" ClientReset false;
    211 DivergingHistories "diverging_histories" "Diverging histories (IDENT)" ClientReset false;
    212 BadChangeset "bad_changeset" "Bad changeset (UPLOAD, ERROR)" ApplicationBug false;
    213 DisabledSession "disabled_session" "Disabled session" ApplicationBug false;
    214 PartialSyncDisabled "partial_sync_disabled" "Partial sync disabled (BIND)" ApplicationBug false;
    215 UnsupportedSessionFeature "unsupported_session_feature" "Unsupported session-level feature" ApplicationBug false;
    216 BadOriginFileIdent "bad_origin_file_ident" "Bad origin file identifier (UPLOAD)" ProtocolViolation false;
    217 BadClientFile "bad_client_file" "Synchronization no longer possible for client-side file" ClientReset false;
    218 ServerFileDeleted "server_file_deleted" "Server file was deleted while session was bound to it" ApplicationBug false;
    219 ClientFileBlacklisted "client_file_blacklisted" "Client file has been blacklisted (IDENT)" ApplicationBug false;
    220 UserBlacklisted "user_blacklisted" "User has been blacklisted (BIND)" ApplicationBug false;
    221 TransactBeforeUpload "transact_before_upload" "Serialized transaction before upload completion" ProtocolViolation false;
    222 ClientFileExpired "client_file_expired" "Client file has expired" ClientReset false;
    223 UserMismatch "user_mismatch" "User mismatch for client file identifier (IDENT)" DeleteRealm false;
    224 TooManySessions "too_many_sessions" "Too many sessions in connection (BIND)" ApplicationBug false;
    225 InvalidSchemaChange "invalid_schema_change" "Invalid schema change (UPLOAD)" ApplicationBug false;
    226 BadQuery "bad_query" "Client query is invalid/malformed (IDENT, QUERY)" ApplicationBug false;
    227 ObjectAlreadyExists "object_already_exists" "Client tried to create an object that already exists outside their view (UPLOAD)" ApplicationBug false;
    228 ServerPermissionsChanged "server_permissions_changed" "Server permissions for this file ident have changed since the last time it was used (IDENT)" ClientReset false;
    229 InitialSyncNotCompleted "initial_sync_not_completed" "Client tried to open a session before initial sync is complete (BIND)" Transient true;
    230 WriteNotAllowed "write_not_allowed" "Client attempted a write that is disallowed by permissions, or modifies an object outside the current query - requires client reset" Warning true;
    231 CompensatingWrite "compensating_write" "Client attempted a write that is disallowed by permissions, or modifies an object outside the current query, and the server undid the change" Warning true;
    232 MigrateToFlx "migrate_to_flx" "Server migrated from PBS to FLX - migrate client to FLX (BIND)" MigrateToFlx true;
    233 BadProgress "bad_progress" "Bad progress information (DOWNLOAD)" ProtocolViolation false;
    234 RevertToPbs "revert_to_pbs" "Server rolled back after PBS->FLX migration - revert FLX client migration (BIND)" RevertToPbs true;
    235 BadSchemaVersion "bad_schema_version" "Client provided invalid schema version" ApplicationBug false;
    236 SchemaVersionChanged "schema_version_changed" "Server published a new valid schema version" MigrateSchema true;
}

impl ProtocolErrorCode {
    /// Whether it concerns the connection; else it concerns one session.
    pub fn is_connection_level(self) -> bool {
        is_connection_level(self.number())
    }
}

impl fmt::Display for ProtocolErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.number())
    }
}

/// Whether the number, known or not, is one for connections.
pub fn is_connection_level(number: u16) -> bool {
    (100..200).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_map_both_ways_and_ascend() {
        for pair in ProtocolErrorCode::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{pair:?}");
        }
        for &code in ProtocolErrorCode::ALL {
            assert_eq!(ProtocolErrorCode::from_number(code.number()), Some(code));
        }
        assert_eq!(ProtocolErrorCode::ALL.len(), 15 + 37);
        assert_eq!(ProtocolErrorCode::from_number(115), None);
    }

    #[test]
    fn unknown_actions_are_the_applications_bug() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), action);
        }
        assert_eq!(Action::from_name(""), Action::ApplicationBug);
        assert_eq!(Action::from_name("SelfDestruct"), Action::ApplicationBug);
    }

    #[test]
    fn a_warning_never_ends_a_session_and_is_only_for_rejected_writes() {
        let warnings: Vec<u16> = ProtocolErrorCode::ALL
            .iter()
            .filter(|code| code.default_action() == Action::Warning)
            .map(|code| code.number())
            .collect();
        assert_eq!(warnings, [230, 231]);
    }
}
