use std::cell::Cell;

use skerry_model::{
    Changeset, ClientVersion, CollectionType, FileIdent, Instruction, Name, ObjectKey, ObjectRef,
    Path, PathElement, Payload, PropertyType, Schema, Stamp, TableKind, UpdateSide, Value,
};

use super::{Incoming, LocalChanges};
use crate::{Author, MergeError, Slot, merge_pair};

const OWN: FileIdent = FileIdent(2);

fn item(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

fn set(key: i64, value: i64) -> Instruction {
    Instruction::Update {
        path: Path::property(item(key), "n"),
        value: Payload::Value(Value::Int(value)),
        side: UpdateSide::IsDefault(false),
    }
}

fn erase(key: i64) -> Instruction {
    Instruction::EraseObject { object: item(key) }
}

fn incoming(stamp: i64, instructions: Vec<Instruction>) -> Incoming {
    Incoming { author: Author::new(Stamp(stamp), FileIdent(3)), changeset: instructions.into() }
}

/// Changes of the versions 11, 12, …, all stamped 10.
fn pending(changesets: Vec<Vec<Instruction>>) -> LocalChanges {
    let mut local = LocalChanges::new();
    for (version, instructions) in (11..).zip(changesets) {
        local.push(ClientVersion(version), Stamp(10), &instructions.into()).unwrap();
    }
    local
}

fn reciprocal(local: &LocalChanges, version: i64) -> Vec<Instruction> {
    local.reciprocal(ClientVersion(version)).unwrap().instructions
}

#[test]
fn both_sides_are_rewritten_and_only_the_changed_versions_reported() {
    let mut local = pending(vec![vec![set(1, 1), set(2, 1)], vec![set(3, 1)], vec![set(1, 2)]]);
    let mut theirs = [incoming(5, vec![set(3, 9)]), incoming(20, vec![set(1, 9), set(4, 9)])];
    let dirty = local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(dirty, [ClientVersion(11), ClientVersion(13)]);
    assert_eq!(theirs[0].changeset, Changeset::default());
    assert_eq!(theirs[1].changeset.instructions, [set(1, 9), set(4, 9)]);
    assert_eq!(reciprocal(&local, 11), [set(2, 1)]);
    assert_eq!(reciprocal(&local, 12), [set(3, 1)]);
    assert_eq!(reciprocal(&local, 13), []);
    assert_eq!(local.reciprocal(ClientVersion(14)), None);
}

#[test]
fn changes_up_to_the_base_take_no_part() {
    let mut local = pending(vec![vec![set(1, 1)], vec![set(2, 1)]]);
    let mut theirs = [incoming(5, vec![set(1, 9), set(2, 9)])];
    let dirty = local.integrate(&Schema::default(), OWN, ClientVersion(11), &mut theirs).unwrap();
    // The stamps would let version 11 win, but the server had it when it made the incoming one.
    assert_eq!(theirs[0].changeset.instructions, [set(1, 9)]);
    assert!(dirty.is_empty());
}

#[test]
fn a_later_download_meets_the_reciprocal_form() {
    let mut local = pending(vec![vec![set(1, 1)]]);
    let mut newer = [incoming(20, vec![set(1, 2)])];
    assert_eq!(
        local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut newer).unwrap().len(),
        1
    );
    // Older than the local change, but that one is gone: this update was made after version 20's.
    let mut older = [incoming(5, vec![set(1, 3)])];
    assert!(
        local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut older).unwrap().is_empty()
    );
    assert_eq!(older[0].changeset.instructions, [set(1, 3)]);
}

#[test]
fn acknowledged_changes_leave_nothing_behind() {
    let mut local =
        pending(vec![vec![set(1, 1), set(2, 1)], vec![set(1, 2)], vec![set(1, 3), set(3, 1)]]);
    let mut theirs = [incoming(20, vec![erase(1)])];
    local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(local.index.len(), 2);
    local.acknowledge_through(ClientVersion(12));
    assert_eq!((local.len(), local.index.len()), (1, 1));
    let mut theirs = [incoming(30, vec![set(3, 9)])];
    let dirty = local.integrate(&Schema::default(), OWN, ClientVersion(12), &mut theirs).unwrap();
    assert_eq!(dirty, [ClientVersion(13)]);
    local.acknowledge_through(ClientVersion(99));
    assert_eq!((local.len(), local.index.len()), (0, 0));
}

#[test]
fn versions_must_increase_also_after_a_clear() {
    let mut local = pending(vec![vec![set(1, 1)]]);
    local.clear();
    assert!(local.is_empty());
    let pushed = ClientVersion(11);
    let error = local.push(pushed, Stamp(0), &Changeset::default());
    assert_eq!(error, Err(MergeError::VersionOrder { last: pushed, pushed }));
    local.push(ClientVersion(12), Stamp(0), &Changeset::default()).unwrap();
    assert!(local.is_empty());
}

#[test]
fn a_failed_integration_changes_neither_side() {
    let erase = |prior_size| Instruction::ArrayErase {
        path: Path::new(item(2), "list", [PathElement::Index(0)]),
        prior_size,
    };
    let mut local = pending(vec![vec![set(1, 1), erase(3)]]);
    let mut theirs = [incoming(20, vec![set(1, 2)]), incoming(21, vec![erase(4)])];
    let before = (format!("{local:?}"), theirs.clone());
    assert_eq!(
        local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs),
        Err(MergeError::ListSizeMismatch {
            class: "Item".into(),
            field: "list".into(),
            one: 3,
            other: 4
        })
    );
    assert_eq!((format!("{local:?}"), theirs), before);
}

#[test]
fn schema_changes_meet_per_class_and_erasing_meets_everything() {
    let table = |class: &str| Instruction::AddTable {
        class: class.into(),
        kind: TableKind::TopLevel {
            pk_field: Name::from("_id"),
            pk_type: PropertyType::Int,
            pk_nullable: false,
            asymmetric: false,
        },
    };
    let mut local = pending(vec![vec![table("Item"), set(1, 1)], vec![table("Other")]]);
    let mut theirs = [incoming(20, vec![table("Other"), set(7, 1)])];
    let dirty = local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(dirty, [ClientVersion(12)]);
    assert_eq!(theirs[0].changeset.instructions, [set(7, 1)]);

    let mut theirs = [incoming(20, vec![Instruction::EraseTable { class: "Item".into() }])];
    let dirty = local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(dirty, [ClientVersion(11)]);
    assert_eq!(theirs[0].changeset.instructions.len(), 1);
    assert_eq!(reciprocal(&local, 11), []);
}

#[test]
fn an_erased_class_takes_properties_with_it_that_the_other_side_adds() {
    let link = |field: &str| Instruction::AddColumn {
        class: "Other".into(),
        field: field.into(),
        ty: PropertyType::Link,
        nullable: true,
        collection: CollectionType::Single,
        target: Some(Box::new("Item".into())),
        key_type: None,
    };
    let erase = || Instruction::EraseTable { class: "Item".into() };
    let column =
        |field: &str| Instruction::EraseColumn { class: "Other".into(), field: field.into() };
    let in_column = Instruction::Update {
        path: Path::property(ObjectRef::new("Other", ObjectKey::Int(1)), "a"),
        value: Payload::Value(Value::Null),
        side: UpdateSide::IsDefault(false),
    };

    let mut theirs = [incoming(20, vec![erase(), set(2, 1)])];
    let mut local = pending(vec![vec![link("a"), in_column], vec![set(1, 1), link("b")]]);
    let dirty = local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(dirty, [ClientVersion(11), ClientVersion(12)]);
    let expected = [column("a"), column("b"), erase(), set(2, 1)];
    assert_eq!(theirs[0].changeset.instructions, expected);
    assert_eq!((reciprocal(&local, 11).len(), reciprocal(&local, 12).len()), (0, 0));

    // And with the erasure pending: what was put before it is found by what comes later.
    let mut local = pending(vec![vec![set(3, 1), erase()]]);
    let mut theirs = [incoming(20, vec![link("a")])];
    local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(theirs[0].changeset.instructions, []);
    assert_eq!(reciprocal(&local, 11), [set(3, 1), column("a"), erase()]);
    let mut theirs = [incoming(30, vec![link("a")])];
    local.integrate(&Schema::default(), OWN, ClientVersion(10), &mut theirs).unwrap();
    assert_eq!(theirs[0].changeset.instructions, []);
}

thread_local! {
    static PAIRS: Cell<usize> = const { Cell::new(0) };
}

fn counting(schema: &Schema, outer: &mut Slot<'_>, inner: &mut Slot<'_>) -> Result<(), MergeError> {
    PAIRS.set(PAIRS.get() + 1);
    merge_pair(schema, outer, inner)
}

#[test]
fn only_what_meets_is_merged_however_much_is_pending() {
    let mut local = pending((0..5_000).map(|key| vec![set(key, 1), set(key, 2)]).collect());
    let elsewhere = (10_000..15_000).map(|key| set(key, 3)).collect();
    let mut theirs = [incoming(20, elsewhere), incoming(21, vec![set(7, 3), set(10_000, 4)])];
    let base = ClientVersion(10);
    let dirty = local.integrate_with(&Schema::default(), OWN, base, &mut theirs, counting).unwrap();
    assert_eq!(PAIRS.get(), 2);
    assert_eq!(dirty, [ClientVersion(18)]);
}
