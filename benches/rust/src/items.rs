//! The rows of the reference workload "one million Items", made by its generator.
//!
//! Class `Item` is without `tags`, a list of three texts, unless it is asked for: most benches measure rows
//! of scalars.

use std::time::Duration;

use skerry_model::{
    ClassSchema, CollectionType, Name, ObjectId, ObjectKey, Property, PropertyType, Schema, Stamp,
    Timestamp, Value,
};
use skerry_store::realm::{Realm, Subscription, UpdatePolicy};

/// Seconds since 1970 at the beginning of 2020, where ids and dates start.
const YEAR_2020_S: u32 = 1_577_836_800;

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// `_id`.
    pub id: [u8; 12],
    /// `ownerId`, 24 characters.
    pub owner: String,
    /// `itemName`, 16 to 24 characters.
    pub name: String,
    /// `complexity`, 0 to 9.
    pub complexity: i64,
    /// `price`.
    pub price: f64,
    /// `created`, in ms since 1970.
    pub created_ms: i64,
    /// `tags`: numbers below 100, each behind "tag".
    pub tags: [u32; 3],
}

struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).expect("below a u32")
    }
}

/// The owner of that number, 0 to 999.
pub fn owner(number: u32) -> String {
    let mut draw = Lcg(1_000_003 * (u64::from(number) + 1));
    (0..24).map(|_| char::from(b"0123456789abcdef"[usize_of(draw.below(1 << 31) & 15)])).collect()
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).expect("a usize has 32 bits at least")
}

/// The row of that number.
pub fn item(number: u32) -> Item {
    let mut draw = Lcg(u64::from(number).wrapping_mul(2_654_435_761).wrapping_add(42));
    draw.next();
    draw.next();
    let owner = owner(draw.below(1000));
    let length = 16 + draw.below(9);
    let name = (0..length)
        .map(|_| match draw.below(27) {
            26 => ' ',
            letter => char::from_u32(u32::from(b'a') + letter).expect("a letter"),
        })
        .collect();
    let complexity = i64::from(draw.below(10));
    let price = f64::from(draw.below(10_000)) / 100.0;
    let created_ms = (i64::from(YEAR_2020_S) + i64::from(draw.below(157_680_000))) * 1000;
    let tags = [draw.below(100), draw.below(100), draw.below(100)];
    let mut id = [0xa5; 12];
    id[..4].copy_from_slice(&(YEAR_2020_S + number).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    Item { id, owner, name, complexity, price, created_ms, tags }
}

/// Class `Item`, without `tags`.
pub fn schema() -> Schema {
    Schema::new([ClassSchema {
        embedded: false,
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::ObjectId, false),
            Property::scalar("ownerId", PropertyType::String, false),
            Property::scalar("itemName", PropertyType::String, false),
            Property::scalar("complexity", PropertyType::Int, false),
            Property::scalar("price", PropertyType::Double, false),
            Property::scalar("created", PropertyType::Timestamp, false),
        ],
    }])
    .expect("the schema is valid")
}

/// Class `Item`, whole.
pub fn schema_with_tags() -> Schema {
    let mut item = schema().class("Item").expect("it is the one class").clone();
    let tags = Property::scalar("tags", PropertyType::String, false);
    item.properties.push(Property { collection: CollectionType::List, ..tags });
    Schema::new([item]).expect("the schema is valid")
}

impl Item {
    /// The primary key.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::ObjectId(ObjectId(self.id))
    }

    /// The other properties, by name.
    pub fn values(&self) -> [Value; 5] {
        [
            Value::string(self.owner.as_str()),
            Value::string(self.name.as_str()),
            Value::Int(self.complexity),
            Value::Double(self.price),
            Value::Timestamp(Timestamp::from_unix_ms(self.created_ms)),
        ]
    }
}

/// Names of the class and of what [`Item::values`] gives.
#[derive(Clone, Debug)]
pub struct Names {
    /// `Item`.
    pub class: Name,
    /// The properties.
    pub fields: [Name; 5],
}

impl Default for Names {
    fn default() -> Self {
        let fields = ["ownerId", "itemName", "complexity", "price", "created"].map(Name::from);
        Self { class: "Item".into(), fields }
    }
}

impl Names {
    /// The values of a row, each with its name.
    pub fn pairs(&self, item: &Item) -> [(Name, Value); 5] {
        let mut fields = self.fields.iter().cloned();
        item.values().map(|value| (fields.next().expect("as many names as values"), value))
    }
}

/// Writes rows into a realm file in transactions of `size`. With an owner, all rows get that one.
pub fn insert(realm: &Realm, rows: std::ops::Range<u32>, size: usize, owner: Option<&str>) {
    let names = Names::default();
    let numbers: Vec<u32> = rows.collect();
    for chunk in numbers.chunks(size) {
        let mut txn = realm.begin_write(Duration::from_mins(1)).expect("the lock is free");
        for &number in chunk {
            let mut item = item(number);
            if let Some(owner) = owner {
                owner.clone_into(&mut item.owner);
            }
            txn.create(&names.class, &item.key(), &names.pairs(&item), &[], UpdatePolicy::Error)
                .expect("the row is new");
        }
        txn.commit(Stamp(1)).expect("the file can be written");
    }
}

/// Subscribes to class `Item`, as version 1 of the file's sets.
pub fn subscribe(realm: &Realm, query: &str) {
    let items = Subscription {
        id: ObjectId([7; 12]),
        name: Some("items".to_owned()),
        class: "Item".into(),
        query: query.to_owned(),
        created_ms: 0,
        updated_ms: 0,
    };
    let latest = realm.snapshot().and_then(|snapshot| snapshot.subscriptions());
    let latest = latest.expect("the sets can be read").version;
    realm.commit_subscriptions(vec![items], latest).expect("nobody else changes it");
}

/// Rows of the larger workloads: `SKERRY_BENCH_ROWS`, or 100,000.
pub fn rows() -> u32 {
    std::env::var("SKERRY_BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_are_those_of_the_reference() {
        assert_eq!(owner(7), "fb2c78c38a3c9338e6e9057d");
        let first = item(0);
        assert_eq!(first.owner, "39a825abee744355ada2ec32");
        assert_eq!(first.name, "lzraicbfpbbbhcqn lpibd");
        assert_eq!((first.complexity, first.price), (6, 36.22));
        assert_eq!((first.created_ms, first.tags), (1_681_627_452_000, [85, 74, 26]));
        let third = item(2);
        assert_eq!(third.id[..4], [0x5e, 0x0b, 0xe1, 0x02]);
        assert_eq!((third.complexity, third.price), (1, 14.38));
    }

    #[test]
    fn the_rows_match_as_often_as_those_of_the_reference() {
        let items: Vec<Item> = (0..100_000).map(item).collect();
        let count = |holds: &dyn Fn(&Item) -> bool| items.iter().filter(|item| holds(item)).count();
        assert_eq!(count(&|item| item.complexity <= 4), 49_997);
        assert_eq!(count(&|item| item.owner == owner(7)), 99);
        assert_eq!(count(&|item| item.name.contains("abc")), 90);
        assert_eq!(count(&|item| (10.0..=20.0).contains(&item.price)), 10_148);
        assert_eq!(count(&|item| item.tags.contains(&42)), 3_042);
    }
}
