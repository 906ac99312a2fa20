//! What observers say is what an application sees: the changes lead from what there was to what there
//! is, and nothing that differs is left out, whoever wrote, whatever is observed.
#![allow(missing_docs, unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

#[path = "observe/seen.rs"]
mod seen;
#[path = "observe/world.rs"]
mod world;

use proptest::prelude::*;
use skerry_model::{CollectionType, Content, Name, ObjectKey, PathElement};
use skerry_store::observe::{
    CollectionChange, CollectionObserver, IndexRange, ListChanges, ObjectChange, ObjectObserver,
    ResultsObserver,
};
use skerry_store::realm::Snapshot;

use seen::{Seen, paths_hash};
use world::{World, commit};

const QUERIES: [&str; 14] = [
    "TRUEPREDICATE",
    "n > 2",
    "s == 'a' OR tags.@count > 1",
    "owner.name == 'a'",
    "ANY items.n == 1",
    "@links.@count > 0",
    "next == nil",
    "part.size > 1 OR peers.@count > 0",
    "n >= 0 SORT(n DESC)",
    "TRUEPREDICATE SORT(owner.name ASC, n DESC) LIMIT(3)",
    "n < 3 DISTINCT(n)",
    "TRUEPREDICATE LIMIT(3)",
    "TRUEPREDICATE SORT(s ASC)",
    "next == $0",
];

const KEY_PATHS: [Option<&[&str]>; 8] = [
    None,
    Some(&["n"]),
    Some(&["owner.name", "s"]),
    Some(&["*"]),
    Some(&["items.next.n", "owner.*"]),
    Some(&["part.who.name", "tags"]),
    Some(&["*.*"]),
    Some(&[]),
];

fn key_paths(number: usize) -> Option<Vec<String>> {
    KEY_PATHS[number].map(|paths| paths.iter().map(|path| (*path).to_owned()).collect())
}

fn arguments(text: &str) -> Vec<skerry_query::Argument> {
    let link = skerry_model::Value::link("Item", ObjectKey::Int(1));
    if text.contains("$0") { vec![link.into()] } else { Vec::new() }
}

fn indices(ranges: &[IndexRange]) -> Vec<usize> {
    assert!(ranges.windows(2).all(|two| two[0].start + two[0].length < two[1].start), "{ranges:?}");
    ranges.iter().flat_map(|range| range.start..range.start + range.length).collect()
}

/// Checks changes of a list against the lists, whose elements may look different to an application.
fn check_list<T: PartialEq + Clone + std::fmt::Debug>(
    (old, new): (&[T], &[T]),
    differs: impl Fn(usize, usize) -> bool,
    changes: &ListChanges,
) {
    let deletions = indices(&changes.deletions);
    let insertions = indices(&changes.insertions);
    let modified: Vec<(usize, usize)> = indices(&changes.old_modifications)
        .into_iter()
        .zip(indices(&changes.modifications))
        .collect();
    assert_eq!(modified.len(), indices(&changes.modifications).len());
    let mut list: Vec<T> = old.to_vec();
    for &(before, after) in &modified {
        list[before] = new[after].clone();
    }
    for &index in deletions.iter().rev() {
        list.remove(index);
    }
    for &index in &insertions {
        list.insert(index, new[index].clone());
    }
    assert_eq!(list, new, "{changes:?}");
    let old_kept = (0..old.len()).filter(|index| !deletions.contains(index));
    let new_kept = (0..new.len()).filter(|index| !insertions.contains(index));
    for pair in old_kept.zip(new_kept) {
        assert!(!differs(pair.0, pair.1) || modified.contains(&pair), "{pair:?} {changes:?}");
    }
}

/// The results of a query as they were seen last.
struct Results {
    text: &'static str,
    paths: usize,
    observer: ResultsObserver,
    keys: Vec<ObjectKey>,
    hashes: Vec<u64>,
}

impl Results {
    fn new(snapshot: &Snapshot, text: &'static str, paths: usize) -> Self {
        let (class, arguments) = ("Item".into(), arguments(text));
        let observer = ResultsObserver::new(snapshot, &class, text, &arguments, key_paths(paths));
        let mut observer = observer.unwrap();
        assert_eq!(observer.advance(snapshot).unwrap(), None);
        let (keys, hashes) = Self::look(snapshot, text, paths);
        assert_eq!(observer.len(), keys.len());
        Self { text, paths, observer, keys, hashes }
    }

    fn look(snapshot: &Snapshot, text: &str, paths: usize) -> (Vec<ObjectKey>, Vec<u64>) {
        let class: Name = "Item".into();
        let rows = snapshot.evaluate(&class, text, &arguments(text)).unwrap();
        let keys: Vec<ObjectKey> = rows
            .iter()
            .map(|row| ObjectKey::from_value(row[0].as_value().unwrap()).unwrap())
            .collect();
        let mut seen = Seen::new(snapshot);
        let hash = |key: &ObjectKey| match KEY_PATHS[paths] {
            None => seen.object(&class, key, 4),
            Some(paths) => paths_hash(snapshot, &class, key, paths),
        };
        let hashes = keys.iter().map(hash).collect();
        (keys, hashes)
    }

    fn advance(&mut self, snapshot: &Snapshot) {
        let changes = self.observer.advance(snapshot).unwrap().unwrap_or_default();
        let (keys, hashes) = Self::look(snapshot, self.text, self.paths);
        let differs = |old: usize, new: usize| self.hashes[old] != hashes[new];
        check_list((&self.keys, &keys), differs, &changes);
        assert_eq!(self.observer.len(), keys.len());
        (self.keys, self.hashes) = (keys, hashes);
    }
}

/// An object as it was seen last: the hash of each property.
struct Object {
    paths: usize,
    key: i64,
    observer: ObjectObserver,
    hashes: Option<Vec<(Name, u64)>>,
}

impl Object {
    fn new(snapshot: &Snapshot, key: i64, paths: usize) -> Self {
        let (class, id) = ("Item".into(), ObjectKey::Int(key));
        let observer = ObjectObserver::new(snapshot, &class, &id, key_paths(paths));
        let mut observer = observer.unwrap();
        let hashes = Self::look(snapshot, key, paths);
        let is_gone = hashes.is_none().then_some(ObjectChange::Deleted);
        assert_eq!(observer.advance(snapshot).unwrap(), is_gone);
        Self { paths, key, observer, hashes }
    }

    fn look(snapshot: &Snapshot, key: i64, paths: usize) -> Option<Vec<(Name, u64)>> {
        let class: Name = "Item".into();
        let key = ObjectKey::Int(key);
        match KEY_PATHS[paths] {
            None => Seen::new(snapshot).properties(&class, &key, 4),
            Some(paths) => {
                let properties = Seen::new(snapshot).properties(&class, &key, 0)?;
                let begins = |path: &str, name: &str| {
                    let first = path.split('.').next().unwrap();
                    first == "*" || first == name
                };
                let of = |name: &Name| {
                    let paths = paths.iter().filter(|path| begins(path, name));
                    let here: Vec<String> = paths
                        .map(|path| match path.split_once('.') {
                            Some((_, rest)) => format!("{name}.{rest}"),
                            None => name.to_string(),
                        })
                        .collect();
                    let here: Vec<&str> = here.iter().map(String::as_str).collect();
                    paths_hash(snapshot, &class, &key, &here)
                };
                Some(properties.iter().map(|(name, _)| (name.clone(), of(name))).collect())
            }
        }
    }

    fn advance(&mut self, snapshot: &Snapshot) {
        let change = self.observer.advance(snapshot).unwrap();
        let Some(before) = self.hashes.take() else {
            assert_eq!(change, None, "nothing follows a deletion");
            *self = Self::new(snapshot, self.key, self.paths);
            return;
        };
        self.hashes = Self::look(snapshot, self.key, self.paths);
        let Some(after) = &self.hashes else {
            assert_eq!(change, Some(ObjectChange::Deleted));
            return;
        };
        let told = match change {
            None => Vec::new(),
            Some(ObjectChange::Updated(names)) => {
                assert!(!names.is_empty());
                names
            }
            Some(ObjectChange::Deleted) => panic!("{} exists", self.key),
        };
        for ((name, hash), (_, now)) in before.iter().zip(after) {
            assert!(hash == now || told.contains(name), "{name} differs, told {told:?}");
        }
    }
}

/// A collection as it was seen last: its elements, and the hash of each.
struct Collection {
    key: i64,
    field: &'static str,
    paths: Option<Vec<String>>,
    observer: CollectionObserver,
    content: Option<(Content, Vec<u64>)>,
}

impl Collection {
    fn new(snapshot: &Snapshot, key: i64, field: &'static str, paths: Option<Vec<String>>) -> Self {
        let (class, id, name) = ("Item".into(), ObjectKey::Int(key), field.into());
        let place: (&Name, &[PathElement]) = (&name, &[]);
        let observer = CollectionObserver::new(snapshot, &class, &id, place, paths.clone());
        let mut observer = observer.unwrap();
        let content = Self::look(snapshot, key, field, paths.as_deref());
        let is_gone = content.is_none().then_some(CollectionChange::Deleted);
        assert_eq!(observer.advance(snapshot).unwrap(), is_gone);
        Self { key, field, paths, observer, content }
    }

    fn look(
        snapshot: &Snapshot,
        key: i64,
        field: &str,
        paths: Option<&[String]>,
    ) -> Option<(Content, Vec<u64>)> {
        let class: Name = "Item".into();
        let values = snapshot.get(&class, &ObjectKey::Int(key)).unwrap()?;
        let table = snapshot.tables().catalogue().class("Item").unwrap();
        let content = values[table.schema.position(field).unwrap()].clone();
        if content.collection() == CollectionType::Single {
            return None;
        }
        let mut seen = Seen::new(snapshot);
        let mut hash = |content: &Content| match paths {
            None => seen.content(content, 4),
            Some(paths) => {
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                let mut hashes = vec![seen.content(content, 0)];
                content.for_each_link(&mut |link| {
                    hashes.push(paths_hash(snapshot, &link.class, &link.key, &paths));
                });
                seen::hash_of(&hashes)
            }
        };
        let hashes = match &content {
            Content::List(list) => list.iter().map(&mut hash).collect(),
            Content::Set(set) => set.iter().map(|v| hash(&Content::Value(v.clone()))).collect(),
            Content::Dictionary(fields) => fields.values().map(&mut hash).collect(),
            Content::Value(_) | Content::Object(_) => Vec::new(),
        };
        Some((content, hashes))
    }

    fn advance(&mut self, snapshot: &Snapshot) {
        let change = self.observer.advance(snapshot).unwrap();
        let now = Self::look(snapshot, self.key, self.field, self.paths.as_deref());
        let before = std::mem::replace(&mut self.content, now);
        let (Some((old, old_hashes)), Some((new, hashes))) = (before, &self.content) else {
            *self = Self::new(snapshot, self.key, self.field, self.paths.take());
            return;
        };
        if old.collection() != new.collection() {
            assert_eq!(change, Some(CollectionChange::Deleted));
            *self = Self::new(snapshot, self.key, self.field, self.paths.take());
            return;
        }
        match (&old, new) {
            (Content::List(old), Content::List(new)) => {
                let changes = match change {
                    None => ListChanges::default(),
                    Some(CollectionChange::List(changes)) => changes,
                    other => panic!("{other:?}"),
                };
                check_list((old, new), |a, b| old_hashes[a] != hashes[b], &changes);
            }
            (Content::Set(old), Content::Set(new)) => {
                let (insertions, deletions, modifications) = match change {
                    None => Default::default(),
                    Some(CollectionChange::Set { insertions, deletions, modifications }) => {
                        (insertions, deletions, modifications)
                    }
                    other => panic!("{other:?}"),
                };
                let kept = old.iter().filter(|value| !deletions.contains(value));
                let set = kept.chain(&insertions).cloned().collect();
                assert_eq!(*new, set);
                for (value, hash) in old.iter().zip(&old_hashes) {
                    let place = new.iter().position(|one| one == value);
                    let differs = place.is_some_and(|place| hashes[place] != *hash);
                    assert!(!differs || modifications.contains(value));
                }
            }
            (Content::Dictionary(old), Content::Dictionary(new)) => {
                let (insertions, deletions, modifications) = match change {
                    None => Default::default(),
                    Some(CollectionChange::Dictionary { insertions, deletions, modifications }) => {
                        (insertions, deletions, modifications)
                    }
                    other => panic!("{other:?}"),
                };
                for (key, hash) in old.keys().zip(&old_hashes) {
                    let place = new.keys().position(|one| one == key);
                    assert_eq!(place.is_none(), deletions.contains(key));
                    let differs = place.is_some_and(|place| hashes[place] != *hash);
                    assert!(!differs || modifications.contains(key), "{key} {modifications:?}");
                }
                for key in new.keys() {
                    assert_eq!(!old.contains_key(key), insertions.contains(key));
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn collections(snapshot: &Snapshot) -> Vec<Collection> {
    let narrow = || Some(vec!["n".to_owned(), "owner.name".to_owned()]);
    let all = [
        ("items", None),
        ("items", narrow()),
        ("tags", None),
        ("map", None),
        ("peers", None),
        ("peers", Some(vec!["name".to_owned()])),
        ("parts", None),
        ("parts", Some(vec!["who.name".to_owned()])),
        ("mixed", None),
    ];
    let made = all.into_iter().zip([0, 1, 0, 1, 0, 1, 0, 1, 0]);
    made.map(|((field, paths), key)| Collection::new(snapshot, key, field, paths)).collect()
}

/// `PROPTEST_CASES`, or a number that takes seconds.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(96, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn observers_say_what_has_changed(
        first in prop::collection::vec(commit(), 1..4),
        commits in prop::collection::vec((commit(), prop::collection::vec(any::<bool>(), 48)), 1..8),
        offset in 0..KEY_PATHS.len(),
    ) {
        let mut world = World::new();
        for commit in &first {
            world.apply(commit);
        }
        let snapshot = world.snapshot();
        let mut results: Vec<Results> = QUERIES
            .iter()
            .enumerate()
            .map(|(at, text)| Results::new(&snapshot, text, (at + offset) % KEY_PATHS.len()))
            .collect();
        let mut objects: Vec<Object> =
            (0..KEY_PATHS.len()).zip((0..3).cycle()).map(|(at, key)| Object::new(&snapshot, key, at)).collect();
        let mut collections = collections(&snapshot);
        drop(snapshot);
        for (commit, looks) in &commits {
            world.apply(commit);
            let snapshot = world.snapshot();
            let mut looks = looks.iter().copied().cycle();
            for results in results.iter_mut().filter(|_| looks.next().unwrap()) {
                results.advance(&snapshot);
            }
            for object in objects.iter_mut().filter(|_| looks.next().unwrap()) {
                object.advance(&snapshot);
            }
            for collection in collections.iter_mut().filter(|_| looks.next().unwrap()) {
                collection.advance(&snapshot);
            }
        }
        let snapshot = world.snapshot();
        for results in &mut results {
            results.advance(&snapshot);
        }
        for object in &mut objects {
            object.advance(&snapshot);
        }
        for collection in &mut collections {
            collection.advance(&snapshot);
        }
    }
}
