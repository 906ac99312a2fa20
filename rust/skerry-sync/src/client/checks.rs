//! What a client checks in a DOWNLOAD before it believes it (sync-engine 4.5).

use skerry_model::{FileIdent, ServerVersion};

use super::facts::LocalFacts;
use crate::protocol::Download;

/// Checks versions and origins; the error says which value is wrong and why.
pub(crate) fn check_download(download: &Download, facts: &LocalFacts) -> Result<(), String> {
    check_cursors(download, facts)?;
    let own = facts.ident.map_or(FileIdent::LOCAL, |(ident, _)| ident);
    let (mut server, mut client) =
        (facts.progress.download_server_version, facts.progress.download_client_version);
    for entry in &download.entries {
        within(
            "server version of an entry",
            entry.server_version,
            server,
            download.dl_server_version,
        )?;
        within(
            "client version of an entry",
            entry.client_version,
            client,
            download.dl_client_version,
        )?;
        if entry.server_version == ServerVersion(0) {
            return Err("an entry with server version 0".to_owned());
        }
        if entry.origin <= FileIdent::LOCAL || entry.origin == own {
            return Err(format!("an entry with origin {}", entry.origin));
        }
        (server, client) = (entry.server_version, entry.client_version);
    }
    Ok(())
}

fn check_cursors(download: &Download, facts: &LocalFacts) -> Result<(), String> {
    let known = &facts.progress;
    let latest = download.latest_server_version;
    if latest < known.latest_server_version {
        return Err(format!(
            "latest server version {latest} after {}",
            known.latest_server_version
        ));
    }
    within("server version", download.dl_server_version, known.download_server_version, latest)?;
    // Not what this connection has sent: an earlier one may have sent more than was acknowledged.
    within(
        "accepted client version",
        download.ul_client_version,
        known.upload_client_version,
        facts.last_version,
    )?;
    within(
        "integrated client version",
        download.dl_client_version,
        known.download_client_version,
        download.ul_client_version,
    )?;
    within(
        "base of the accepted version",
        download.ul_server_version,
        ServerVersion(0),
        download.dl_server_version,
    )
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    what: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), String> {
    if value < least || value > most {
        return Err(format!("{what} {value} is not from {least} to {most}"));
    }
    Ok(())
}
