//! The agent answers what other processes ask of it in the file.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::server::{S, World, open_realm};
use skerry_store::Realm;
use skerry_store::realm::DownloadRequests;
use tempfile::{TempDir, tempdir};

/// The agent's realm, that of another process, and the agent with its server.
fn started() -> (TempDir, Realm, Realm, World) {
    let dir = tempdir().unwrap();
    let (realm, other) = (open_realm(&dir, "a.skerry"), open_realm(&dir, "a.skerry"));
    let world = World::new();
    world.agent.attach(realm.clone()).unwrap();
    (dir, realm, other, world)
}

fn marks(world: &World) -> usize {
    world.client_names().iter().filter(|name| **name == "MARK").count()
}

#[test]
fn a_request_of_another_process_is_answered_after_a_mark() {
    let (_dir, _realm, other, mut world) = started();
    world.connect();
    world.settle();
    let before = marks(&world);
    assert_eq!(other.request_download().unwrap(), 1);
    assert_eq!(other.request_download().unwrap(), 2);
    assert_eq!(other.download_requests().unwrap(), DownloadRequests { asked: 2, answered: 0 });
    world.settle();
    assert_eq!(other.download_requests().unwrap(), DownloadRequests { asked: 2, answered: 2 });
    assert_eq!(marks(&world), before + 1, "one for both");
    world.settle();
    assert_eq!(marks(&world), before + 1, "and no more");
}

#[test]
fn requests_wait_for_the_server_and_for_the_next_agent() {
    let (_dir, realm, other, mut world) = started();
    assert_eq!(other.request_download().unwrap(), 1);
    world.settle();
    assert_eq!(other.download_requests().unwrap().answered, 0, "there is no connection");
    world.agent.detach(S);
    world.settle();
    drop(realm);

    let mut next = World::new();
    assert_eq!(next.agent.attach(other.clone()).unwrap(), S);
    next.connect();
    next.settle();
    assert_eq!(other.download_requests().unwrap(), DownloadRequests { asked: 1, answered: 1 });
}

#[test]
fn a_request_is_asked_of_the_server_again_when_the_connection_was_lost() {
    let (_dir, _realm, other, mut world) = started();
    world.connect();
    world.settle();
    other.request_download().unwrap();
    world.agent.disconnected();
    world.settle();
    assert_eq!(other.download_requests().unwrap().answered, 0);
    world.connect();
    world.settle();
    assert_eq!(other.download_requests().unwrap().answered, 1);
}
