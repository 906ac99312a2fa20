//! Realm files in temporary folders.

use std::path::Path;
use std::time::Duration;

use skerry_model::{Name, ObjectId, QueryVersion, Stamp, Value};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{
    Options, QUERY_CACHE_DEFAULT_BYTES, Subscription, UpdatePolicy, WriteTxn,
};
use skerry_store::{FileFault, Realm, StoreError};

/// Long enough for anything that is going to happen.
pub const TIMEOUT: Duration = Duration::from_secs(20);

pub fn options(synced: bool) -> Options {
    Options {
        schema: super::schema(),
        synced,
        synchronous: Synchronous::Full,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    }
}

pub fn open(path: &Path, synced: bool) -> Realm {
    Realm::open(path, &options(synced)).unwrap()
}

pub fn subscription(class: &str, query: &str) -> Subscription {
    Subscription {
        id: ObjectId([1; 12]),
        name: None,
        class: class.into(),
        query: query.into(),
        created_ms: 5,
        updated_ms: 6,
    }
}

/// A synced realm in which objects of both classes may be created.
pub fn subscribed(path: &Path) -> Realm {
    let realm = open(path, true);
    let items = vec![subscription("All", "TRUEPREDICATE"), subscription("Named", "TRUEPREDICATE")];
    realm.commit_subscriptions(items, QueryVersion(0)).unwrap();
    realm
}

pub fn create_all(txn: &mut WriteTxn, key: i64, values: &[(&str, Value)]) -> bool {
    let object = super::all(key);
    let values: Vec<(Name, Value)> =
        values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    txn.create(&object.class, &object.key, &values, &[], UpdatePolicy::All).unwrap()
}

/// One committed transaction.
pub fn write<T>(realm: &Realm, now: i64, edit: impl FnOnce(&mut WriteTxn) -> T) -> T {
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    let result = edit(&mut txn);
    txn.commit(Stamp(now)).unwrap();
    result
}

/// What is wrong with the file as a whole; the error names it.
pub fn fault<T: std::fmt::Debug>(path: &Path, result: Result<T, StoreError>) -> FileFault {
    match result {
        Err(StoreError::File { file, fault }) => {
            assert_eq!(file, path);
            fault
        }
        other => panic!("{other:?}"),
    }
}
