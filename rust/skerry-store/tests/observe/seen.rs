//! What an application sees of objects, up to some links away or along key paths, as one number.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use skerry_model::content::Fields;
use skerry_model::{ClassSchema, Content, Link, Name, ObjectKey, Schema, Value};
use skerry_store::realm::Snapshot;

pub fn hash_of(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Objects of one version.
pub struct Seen<'s> {
    snapshot: &'s Snapshot,
    known: HashMap<(Name, ObjectKey, u32), u64>,
}

impl<'s> Seen<'s> {
    pub fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, known: HashMap::new() }
    }

    /// An object with everything up to `depth` links away.
    pub fn object(&mut self, class: &Name, key: &ObjectKey, depth: u32) -> u64 {
        let place = (class.clone(), key.clone(), depth);
        if let Some(&known) = self.known.get(&place) {
            return known;
        }
        let hash = hash_of(self.properties(class, key, depth));
        self.known.insert(place, hash);
        hash
    }

    /// The same, property by property.
    pub fn properties(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        depth: u32,
    ) -> Option<Vec<(Name, u64)>> {
        let values = self.snapshot.get(class, key).unwrap()?;
        let table = self.snapshot.tables().catalogue().class(class).unwrap();
        let names = table.schema.properties.iter().map(|property| property.name.clone());
        let hashes = values.iter().map(|value| self.content(value, depth));
        Some(names.zip(hashes.collect::<Vec<_>>()).collect())
    }

    pub fn content(&mut self, content: &Content, depth: u32) -> u64 {
        let mut hashes = vec![hash_of(content.encode())];
        let mut links: Vec<Link> = Vec::new();
        content.for_each_link(&mut |link| links.push(link.clone()));
        if depth > 0 {
            hashes.extend(links.iter().map(|link| self.object(&link.class, &link.key, depth - 1)));
        }
        hash_of(hashes)
    }
}

/// What key paths lead to.
pub fn paths_hash(snapshot: &Snapshot, class: &Name, key: &ObjectKey, paths: &[&str]) -> u64 {
    let paths = paths.iter().map(|path| path.split('.').collect::<Vec<_>>());
    let hashes: Vec<u64> = paths.map(|path| object(snapshot, class, key, &path)).collect();
    hash_of(hashes)
}

fn object(snapshot: &Snapshot, class: &Name, key: &ObjectKey, path: &[&str]) -> u64 {
    if path.is_empty() {
        return 0;
    }
    let schema = snapshot.tables().catalogue().schema();
    let values = snapshot.get(class, key).unwrap().unwrap();
    let class = schema.class(class).unwrap();
    let named = class.properties.iter().map(|property| property.name.clone());
    let fields: Fields = named.zip(values).collect();
    inside(snapshot, schema, class, &fields, path)
}

fn inside(
    snapshot: &Snapshot,
    schema: &Schema,
    class: &ClassSchema,
    fields: &Fields,
    path: &[&str],
) -> u64 {
    let Some((&name, rest)) = path.split_first() else { return 0 };
    let mut hashes = Vec::new();
    for property in class.properties.iter().filter(|one| name == "*" || *one.name == *name) {
        let content = &fields[&property.name];
        // An embedded object is told by the property it is in, whichever of its own it was.
        let is_bare = rest.is_empty();
        hashes.push(if is_bare { hash_of(content.encode()) } else { shape(content) });
        let target = property.target.as_ref().and_then(|target| schema.class(target));
        if let Some(target) = target {
            each(content, &mut |content| match content {
                Content::Object(fields) => {
                    hashes.push(inside(snapshot, schema, target, fields, rest));
                }
                Content::Value(Value::Link(link)) => {
                    hashes.push(object(snapshot, &link.class, &link.key, rest));
                }
                _ => {}
            });
        }
    }
    hash_of(hashes)
}

/// Which objects are in it, in which order.
fn shape(content: &Content) -> u64 {
    let mut hashes = Vec::new();
    each(content, &mut |content| match content {
        Content::Object(_) => hashes.push(1),
        other => hashes.push(hash_of(other.encode())),
    });
    hash_of(hashes)
}

fn each(content: &Content, visit: &mut dyn FnMut(&Content)) {
    match content {
        Content::List(elements) => elements.iter().for_each(visit),
        Content::Set(set) => set.iter().for_each(|value| visit(&Content::Value(value.clone()))),
        Content::Dictionary(fields) => fields.values().for_each(visit),
        Content::Value(_) | Content::Object(_) => visit(content),
    }
}
