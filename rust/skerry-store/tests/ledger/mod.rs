//! Transactions with known content, for the process that writes them and the test that checks them.
//!
//! Transaction n either is local (four entries created, the counter set to n, the four entries of
//! transaction n − 10 deleted) or, when n is a multiple of three, an integration (one object with
//! key n, and the download cursor set to n).

use std::path::Path;
use std::time::Duration;

use skerry_model::{
    Changeset, ClassSchema, Content, FileIdent, Instruction, Name, ObjectId, ObjectKey, ObjectRef,
    Property, PropertyType, QueryVersion, Schema, ServerVersion, Stamp, Value,
};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, Subscription, UpdatePolicy};
use skerry_store::{EncryptionKey, Realm, StoreError};

/// Entries of one transaction.
pub(crate) const ENTRIES: i64 = 4;
/// How many transactions later its entries are deleted.
pub(crate) const LIFETIME: i64 = 10;
/// Name of a file that is encrypted.
pub(crate) const SEALED_NAME: &str = "sealed.realm";
/// Longer than any of this takes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// Class of the entries.
pub(crate) fn entry_class() -> Name {
    "Entry".into()
}

/// Class of the counter.
pub(crate) fn counter_class() -> Name {
    "Counter".into()
}

/// Class of what integrations create.
pub(crate) fn remote_class() -> Name {
    "Remote".into()
}

/// Key of the only counter.
pub(crate) fn counter_key() -> ObjectKey {
    ObjectKey::String("the one".into())
}

/// The three classes.
pub(crate) fn schema() -> Schema {
    let class = |name: Name, key: PropertyType, others: Vec<Property>| ClassSchema {
        embedded: false,
        name,
        primary_key: "_id".into(),
        properties: [vec![Property::scalar("_id", key, false)], others].concat(),
    };
    Schema::new([
        class(
            entry_class(),
            PropertyType::Int,
            vec![Property::scalar("payload", PropertyType::Binary, false)],
        ),
        class(
            counter_class(),
            PropertyType::String,
            vec![Property::scalar("count", PropertyType::Int, false)],
        ),
        class(remote_class(), PropertyType::Int, Vec::new()),
    ])
    .expect("the schema is right")
}

/// What an entry holds: mostly little, sometimes enough to fill many pages.
pub(crate) fn payload(key: i64) -> Value {
    let length = if key % 29 == 0 { 60_000 } else { 20 + key % 50 };
    let fill = u8::try_from(key % 251).expect("below 251");
    Value::binary(vec![fill; usize::try_from(length).expect("keys are positive")])
}

/// The key of a file, which is encrypted if its name says so.
pub(crate) fn key_of(path: &Path) -> Option<EncryptionKey> {
    let is_sealed = path.file_name().is_some_and(|name| name == SEALED_NAME);
    is_sealed.then(|| EncryptionKey::new(&[0xa5; 64]).expect("it has 64 bytes"))
}

/// Opens the realm file, and subscribes if it is new.
pub(crate) fn open(path: &Path) -> Result<Realm, StoreError> {
    let options = Options {
        schema: schema(),
        synced: true,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: key_of(path),
    };
    let realm = Realm::open(path, &options)?;
    if realm.snapshot()?.subscriptions()?.version == QueryVersion(0) {
        let item = |byte: u8, class: Name| Subscription {
            id: ObjectId([byte; 12]),
            name: None,
            class,
            query: "TRUEPREDICATE".to_owned(),
            created_ms: 0,
            updated_ms: 0,
        };
        let items = vec![item(1, entry_class()), item(2, counter_class())];
        match realm.commit_subscriptions(items, QueryVersion(0)) {
            // Somebody else has opened the new file at the same time.
            Ok(_) | Err(StoreError::StaleSubscriptionSet { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(realm)
}

/// The newest transaction of either kind.
pub(crate) fn newest(realm: &Realm) -> Result<i64, StoreError> {
    let snapshot = realm.snapshot()?;
    let counter = snapshot.get(&counter_class(), &counter_key())?;
    let local = match counter.as_deref() {
        Some([_, Content::Value(Value::Int(count))]) => *count,
        _ => 0,
    };
    Ok(local.max(snapshot.progress()?.sync.download_server_version.0))
}

/// Commits transaction `n`.
pub(crate) fn commit(realm: &Realm, n: i64) -> Result<(), StoreError> {
    if n % 3 == 0 { integrate(realm, n) } else { write(realm, n) }
}

fn write(realm: &Realm, n: i64) -> Result<(), StoreError> {
    let mut txn = realm.begin_write(TIMEOUT)?;
    for key in n * ENTRIES..(n + 1) * ENTRIES {
        let values = [(Name::from("payload"), payload(key))];
        txn.create(&entry_class(), &ObjectKey::Int(key), &values, &[], UpdatePolicy::Error)?;
    }
    let count = [(Name::from("count"), Value::Int(n))];
    txn.create(&counter_class(), &counter_key(), &count, &[], UpdatePolicy::All)?;
    let old = n - LIFETIME;
    for key in old * ENTRIES..(old + 1) * ENTRIES {
        txn.delete(&entry_class(), &ObjectKey::Int(key))?;
    }
    txn.commit(Stamp(n))?;
    Ok(())
}

fn integrate(realm: &Realm, n: i64) -> Result<(), StoreError> {
    let mut integration = realm.begin_integration(TIMEOUT)?;
    let object = ObjectRef::new(remote_class(), ObjectKey::Int(n));
    let changeset = Changeset { instructions: vec![Instruction::CreateObject { object }] };
    integration.apply(&changeset, ServerVersion(n), FileIdent(5), Stamp(n))?;
    let mut cursors = integration.progress().sync;
    cursors.latest_server_version = ServerVersion(n);
    integration.set_progress(cursors)?;
    integration.commit()?;
    Ok(())
}

/// Adds one to the counter `times` times, one transaction each.
pub(crate) fn add_up(realm: &Realm, times: u32) -> Result<(), StoreError> {
    for _ in 0..times {
        let mut txn = realm.begin_write(TIMEOUT)?;
        let (class, key) = (counter_class(), counter_key());
        if txn.get(&class, &key)?.is_none() {
            txn.create(&class, &key, &[], &[], UpdatePolicy::Error)?;
        }
        txn.add_integer(&class, &key, &"count".into(), 1)?;
        txn.commit(Stamp(0))?;
    }
    Ok(())
}
