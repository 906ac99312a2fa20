//! Steps as data, and a generator of random ones.

use super::{DEVICES, KEYS, USERS};

/// Queries that devices subscribe to; the empty one is no subscription at all.
pub const QUERIES: [&str; 11] = [
    "",
    "TRUEPREDICATE",
    "level <= 4",
    "level > 2",
    "level IN {1, 3, 5}",
    "owner == \"u0\" OR level == 7",
    "ANY tags == \"1\"",
    "\"2\" IN tags OR level == 0",
    "NOT ANY tags IN {\"3\", \"4\"}",
    "tags.@count > 1",
    "place GEOWITHIN geoBox([0.5, 0.5], [3.5, 3.5])",
];

/// What the one role allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Open,
    /// All may be read, one's own written.
    ReadAllWriteOwn,
    /// One's own only.
    ReadOwnWriteOwn,
    /// One's own, and what anybody has tagged "1": also read and written, that tag included.
    Shared,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Open, Self::ReadAllWriteOwn, Self::ReadOwnWriteOwn, Self::Shared];
}

/// An edit of one object.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "named after the fields of the world's class")]
pub enum Op {
    Create { key: i64, level: i64, owner: usize },
    SetLevel { key: i64, level: i64 },
    SetOwner { key: i64, owner: usize },
    SetNote { key: i64, note: i64 },
    SetParent { key: i64, parent: Option<i64> },
    Add { key: i64, amount: i64 },
    Delete { key: i64 },
    Inside { key: i64, change: Change },
}

/// An edit inside an object. Positions and keys are taken as far as they exist.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "named after the properties of the world's class")]
pub enum Change {
    TagIn { index: u32, tag: i64 },
    TagSet { index: u32, tag: i64 },
    TagMove { from: u32, to: u32 },
    TagOut { index: u32 },
    TagsClear,
    PeerIn { index: u32, peer: i64 },
    PeerOut { index: u32 },
    MarkIn { mark: i64 },
    MarkOut { mark: i64 },
    Put { name: &'static str, value: i64 },
    PutLink { name: &'static str, to: i64 },
    Take { name: &'static str },
    Part,
    PartSize { size: i64 },
    PartNote { index: u32, note: i64 },
    AnyList,
    AnyDictionary,
    AnyNumber { value: i64 },
    AnyIn { index: u32, value: i64 },
    AnyPut { name: &'static str, value: i64 },
    AnyClear,
    Place,
    PlaceNone,
    PlaceKind { is_point: bool },
    PlaceIn { index: u32, at: i64 },
    PlaceSet { index: u32, at: i64 },
    PlaceOut { index: u32 },
    PlaceVisit { index: u32, visit: i64 },
}

/// One thing that happens.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named after what happens")]
pub enum Step {
    Write { device: usize, ops: Vec<Op>, skew_ms: i64 },
    Subscribe { device: usize, query: usize },
    Connect { device: usize },
    Cut { device: usize },
    Exchange { device: usize, up: usize, down: usize },
    ExchangeAll,
    CrashServer,
    ChangeRole { role: Role },
    CrashDevice { device: usize },
    Wait { ms: i64 },
}

/// A small generator of numbers (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("below a usize")
    }

    fn small(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(u64::from(bound))).expect("below a u32")
    }

    fn signed(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(bound.unsigned_abs())).expect("below an i64")
    }
}

/// `count` random steps, after a subscription of every device.
pub fn steps(random: &mut Random, count: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = (0..DEVICES)
        .flat_map(|device| {
            [
                Step::Subscribe { device, query: 1 + random.index(QUERIES.len() - 1) },
                Step::Connect { device },
            ]
        })
        .collect();
    steps.extend((0..count).map(|_| step(random)));
    steps
}

fn step(random: &mut Random) -> Step {
    let device = random.index(DEVICES);
    match random.below(100) {
        0..=39 => {
            let mut ops: Vec<Op> = (0..=random.below(3)).map(|_| op(random, device)).collect();
            if random.below(2) == 0 {
                ops.extend(inside(random, device));
            }
            let skew_ms = [0, 0, -60_000, 60_000, 5][random.index(5)];
            Step::Write { device, ops, skew_ms }
        }
        40..=46 => Step::Subscribe { device, query: random.index(QUERIES.len()) },
        47..=56 => Step::Connect { device },
        57..=62 => Step::Cut { device },
        63..=82 => Step::Exchange { device, up: random.index(4), down: random.index(4) },
        83..=91 => Step::ExchangeAll,
        92 => Step::ChangeRole { role: Role::ALL[random.index(Role::ALL.len())] },
        93 => Step::CrashServer,
        94..=96 => Step::CrashDevice { device },
        _ => Step::Wait { ms: random.signed(5_000) },
    }
}

/// Several edits inside one object, which is there for certain.
fn inside(random: &mut Random, device: usize) -> Vec<Op> {
    let (key, level) = (random.signed(KEYS), random.signed(9));
    let mut ops = vec![Op::Create { key, level, owner: device }];
    if random.below(3) == 0 {
        let (east, north) = (random.signed(5), random.signed(5));
        let point = [
            Change::PlaceNone,
            Change::Place,
            Change::PlaceKind { is_point: true },
            Change::PlaceIn { index: 0, at: north },
            Change::PlaceIn { index: 0, at: east },
        ];
        ops.extend(point.map(|change| Op::Inside { key, change }));
    }
    ops.extend((0..=random.below(6)).map(|_| Op::Inside { key, change: change(random) }));
    ops
}

fn op(random: &mut Random, device: usize) -> Op {
    let key = random.signed(KEYS);
    // Mostly the own user, sometimes another: that is a write to be undone, under most roles.
    let owner = if random.below(5) == 0 { random.index(DEVICES) } else { device };
    match random.below(24) {
        12.. => Op::Inside { key, change: change(random) },
        0..=4 => Op::Create { key, level: random.signed(9), owner },
        5 | 6 => Op::SetLevel { key, level: random.signed(9) },
        7 => Op::SetOwner { key, owner },
        8 => Op::SetNote { key, note: random.signed(100) },
        9 => {
            let parent = (random.below(3) > 0).then(|| random.signed(KEYS));
            Op::SetParent { key, parent }
        }
        10 => Op::Add { key, amount: 1 + random.signed(5) },
        _ => Op::Delete { key },
    }
}

fn change(random: &mut Random) -> Change {
    let (index, value) = (random.small(3), random.signed(5));
    let name = ["a", "b", "c"][random.index(3)];
    match random.below(44) {
        0..=5 => Change::TagIn { index, tag: value },
        6 => Change::TagSet { index, tag: value },
        7..=9 => Change::TagMove { from: index, to: random.small(4) },
        10 => Change::TagsClear,
        11..=13 => Change::PeerIn { index, peer: random.signed(KEYS) },
        14 => Change::PeerOut { index },
        15 | 16 => Change::MarkIn { mark: value },
        17 => Change::MarkOut { mark: value },
        18 => Change::Put { name, value },
        19 => Change::PutLink { name, to: random.signed(KEYS) },
        20 => Change::Take { name },
        21 => Change::Part,
        22 => Change::PartSize { size: value },
        23 => Change::PartNote { index, note: value },
        24 => Change::AnyList,
        25 => Change::AnyDictionary,
        26 => Change::AnyNumber { value },
        27 => Change::AnyIn { index, value },
        28 => Change::AnyPut { name, value },
        29 => Change::AnyClear,
        30 | 31 => Change::Place,
        32 => Change::PlaceNone,
        33 => Change::PlaceKind { is_point: value > 0 },
        34 | 35 => Change::PlaceIn { index, at: value },
        36 => Change::PlaceSet { index, at: value },
        37 | 38 => Change::PlaceOut { index },
        39..=42 => Change::TagOut { index },
        _ => Change::PlaceVisit { index, visit: value },
    }
}

impl Op {
    /// The object.
    pub fn key(&self) -> i64 {
        match self {
            Self::Create { key, .. }
            | Self::SetLevel { key, .. }
            | Self::SetOwner { key, .. }
            | Self::SetNote { key, .. }
            | Self::SetParent { key, .. }
            | Self::Add { key, .. }
            | Self::Delete { key }
            | Self::Inside { key, .. } => *key,
        }
    }
}

/// The user id of a device number, as an owner.
pub(super) fn owner_of(number: usize) -> &'static str {
    USERS[number]
}
