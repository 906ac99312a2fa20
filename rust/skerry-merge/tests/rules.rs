//! Every rule by a worked example, always from both sides: swapping ours and theirs must give the
//! same result swapped.

use skerry_merge::{Author, Entry, MergeError, merge_object};
use skerry_model::{
    CollectionType, FileIdent, Instruction, Name, ObjectKey, ObjectRef, Path, PathElement, Payload,
    PropertyType, Schema, Stamp, TableKind, UpdateSide, Value,
};

fn item(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

fn place(field: &str) -> Path {
    Path::property(item(1), field)
}

fn inside(field: &str, elements: Vec<PathElement>) -> Path {
    Path::new(item(1), field, elements)
}

fn create(key: i64) -> Instruction {
    Instruction::CreateObject { object: item(key) }
}

fn erase(key: i64) -> Instruction {
    Instruction::EraseObject { object: item(key) }
}

fn update(field: &str, value: Value) -> Instruction {
    let side = UpdateSide::IsDefault(false);
    Instruction::Update { path: place(field), value: Payload::Value(value), side }
}

fn default(field: &str, value: Value) -> Instruction {
    let side = UpdateSide::IsDefault(true);
    Instruction::Update { path: place(field), value: Payload::Value(value), side }
}

fn set(value: i64) -> Instruction {
    update("n", Value::Int(value))
}

fn add(value: i64) -> Instruction {
    Instruction::AddInteger { path: place("n"), value }
}

fn add_table(class: &str, pk_type: PropertyType) -> Instruction {
    let pk_field = Name::from("_id");
    let kind = TableKind::TopLevel { pk_field, pk_type, pk_nullable: false, asymmetric: false };
    Instruction::AddTable { class: class.into(), kind }
}

fn add_column(class: &str, field: &str, ty: PropertyType, target: Option<&str>) -> Instruction {
    Instruction::AddColumn {
        class: class.into(),
        field: field.into(),
        ty,
        nullable: true,
        collection: CollectionType::Single,
        target: target.map(|target| Box::new(target.into())),
        key_type: None,
    }
}

const OLDER: Author = Author { stamp: Stamp(10), ident: FileIdent(3) };
const NEWER: Author = Author { stamp: Stamp(20), ident: FileIdent(2) };

type Merged = Result<(Vec<Instruction>, Vec<Instruction>), MergeError>;

/// Merges what the older and the newer author did, with either of them as ours.
#[track_caller]
fn merge(older: &[Instruction], newer: &[Instruction]) -> Merged {
    let run = |ours: Entry, theirs: Entry| {
        let (mut ours, mut theirs) = ([ours], theirs);
        let before = (ours[0].clone(), theirs.clone());
        let outcome = merge_object(&Schema::default(), &mut ours, &mut theirs);
        let [ours] = ours;
        for (entry, was) in [(&ours, &before.0), (&theirs, &before.1)] {
            assert_eq!(entry.dirty, entry.instructions != was.instructions);
        }
        let discarded = outcome?.discarded;
        assert_eq!(before.1.instructions.len() - discarded.len(), theirs.instructions.len());
        Ok((ours.instructions, theirs.instructions))
    };
    let older = Entry::new(OLDER, older.to_vec());
    let newer = Entry::new(NEWER, newer.to_vec());
    let one = run(older.clone(), newer.clone());
    let other = run(newer, older).map(|(newer, older)| (older, newer));
    match (&one, &other) {
        (Err(_), Err(_)) => {}
        _ => assert_eq!(one, other, "the rule depends on which side is ours"),
    }
    one
}

#[track_caller]
fn assert_merge(
    (older, newer): (&[Instruction], &[Instruction]),
    (older_after, newer_after): (&[Instruction], &[Instruction]),
) {
    assert_eq!(merge(older, newer), Ok((older_after.to_vec(), newer_after.to_vec())));
}

#[track_caller]
fn assert_passes(older: &[Instruction], newer: &[Instruction]) {
    assert_merge((older, newer), (older, newer));
}

#[test]
fn creating_twice_keeps_both() {
    assert_passes(&[create(1), set(1)], &[create(1), update("s", Value::string("two"))]);
}

#[test]
fn an_erase_discards_a_creation_and_its_values_whatever_the_times() {
    assert_merge((&[erase(1)], &[create(1), set(2), add(3)]), (&[erase(1)], &[]));
    assert_merge((&[create(1), set(2), add(3)], &[erase(1)]), (&[], &[erase(1)]));
}

#[test]
fn an_erase_discards_what_is_inside_whatever_it_is() {
    let index = || inside("list", vec![PathElement::Index(0)]);
    let key = inside("map", vec![PathElement::Key("k".into())]);
    let value = Payload::Value(Value::Int(1));
    let contents = [
        Instruction::Update {
            path: key,
            value: Payload::Erased,
            side: UpdateSide::IsDefault(false),
        },
        Instruction::ArrayInsert { path: index(), value, prior_size: 0 },
        Instruction::ArrayMove { path: index(), to: 1, prior_size: 2 },
        Instruction::ArrayErase { path: index(), prior_size: 2 },
        Instruction::Clear { path: place("list"), collection: CollectionType::List },
        Instruction::SetInsert { path: place("set"), value: Value::Int(1) },
        Instruction::SetErase { path: place("set"), value: Value::Int(1) },
    ];
    assert_merge((&contents, &[erase(1)]), (&[], &[erase(1)]));
    assert_merge((&[erase(1)], &contents), (&[erase(1)], &[]));
}

#[test]
fn of_two_erases_the_newer_is_kept_with_what_it_re_creates() {
    assert_merge((&[erase(1)], &[erase(1)]), (&[], &[erase(1)]));
    assert_merge((&[erase(1)], &[erase(1), create(1)]), (&[], &[erase(1), create(1)]));
    assert_merge((&[erase(1), create(1), set(1)], &[erase(1)]), (&[], &[erase(1)]));
}

#[test]
fn re_creation_never_receives_edits_of_the_old_object() {
    let re_creation = [erase(1), create(1), set(1)];
    assert_merge((&re_creation, &[set(9), add(9)]), (&re_creation, &[]));
    assert_merge((&[set(9), add(9)], &re_creation), (&[], &re_creation));
}

#[test]
fn other_objects_and_properties_are_left_alone() {
    assert_passes(&[erase(2)], &[create(1), set(1)]);
    assert_passes(&[set(1)], &[update("m", Value::Int(2))]);
}

#[test]
fn of_two_updates_the_newer_is_kept() {
    assert_merge((&[set(1)], &[set(2)]), (&[], &[set(2)]));
    assert_merge((&[set(1)], &[set(1)]), (&[], &[set(1)]));
    assert_merge((&[set(1)], &[update("n", Value::Null)]), (&[], &[update("n", Value::Null)]));
}

#[test]
fn the_ident_decides_on_equal_stamps() {
    let server = Author::new(Stamp(5), FileIdent::SERVER);
    let client = Author::new(Stamp(5), FileIdent::FIRST_CLIENT);
    let mut ours = [Entry::new(server, vec![set(1)])];
    let mut theirs = Entry::new(client, vec![set(2)]);
    merge_object(&Schema::default(), &mut ours, &mut theirs).unwrap();
    assert!(ours[0].instructions.is_empty() && ours[0].dirty);
    assert_eq!(theirs.instructions, [set(2)]);
}

#[test]
fn nothing_orders_two_changesets_of_one_author_and_stamp() {
    let mut ours = [Entry::new(OLDER, vec![set(1)])];
    let mut theirs = Entry::new(OLDER, vec![set(2)]);
    let error = merge_object(&Schema::default(), &mut ours, &mut theirs);
    assert_eq!(error, Err(MergeError::SameAuthor { author: OLDER }));
    assert_eq!(
        error.unwrap_err().to_string(),
        "two concurrent changesets have the same stamp 10 and origin 3"
    );
    assert_eq!((ours[0].instructions.len(), theirs.instructions.len()), (1, 1));
}

#[test]
fn a_default_loses_to_a_normal_update_whatever_the_times() {
    let default = |value| default("n", Value::Int(value));
    assert_merge((&[set(1)], &[default(2)]), (&[set(1)], &[]));
    assert_merge((&[default(1)], &[set(2)]), (&[], &[set(2)]));
    assert_merge((&[default(1)], &[default(2)]), (&[], &[default(2)]));
}

#[test]
fn increments_commute() {
    assert_passes(&[add(1)], &[add(2)]);
}

#[test]
fn an_increment_is_counted_into_an_older_update_and_lost_to_a_newer_one() {
    assert_merge((&[set(10)], &[add(5), add(1)]), (&[set(16)], &[add(5), add(1)]));
    assert_merge((&[add(5)], &[set(10)]), (&[], &[set(10)]));
    assert_merge((&[set(i64::MAX)], &[add(1)]), (&[set(i64::MIN)], &[add(1)]));
}

#[test]
fn an_increment_survives_any_default() {
    let default = |value| default("n", Value::Int(value));
    assert_merge((&[add(5)], &[default(10)]), (&[add(5)], &[default(15)]));
    assert_merge((&[default(10)], &[add(5)]), (&[default(15)], &[add(5)]));
}

#[test]
fn an_increment_is_remembered_past_an_older_null_and_lost_on_what_is_no_int() {
    let null = || update("n", Value::Null);
    let text = || update("n", Value::string("x"));
    assert_passes(&[null()], &[add(5)]);
    assert_merge((&[add(5)], &[null()]), (&[], &[null()]));
    assert_merge((&[text()], &[add(5)]), (&[text()], &[]));
    assert_merge((&[add(5)], &[text()]), (&[], &[text()]));
}

#[test]
fn an_increment_after_null_counts_in_a_later_update() {
    // Ours sets null and then 7; their newer increment passes the null and is added to the 7.
    let null = update("n", Value::Null);
    assert_merge((&[null.clone(), set(7)], &[add(5)]), (&[null, set(12)], &[add(5)]));
}

#[test]
fn a_link_survives_the_erasure_of_its_target() {
    let link = Value::link("Item", ObjectKey::Int(2));
    assert_passes(&[update("link", link.clone())], &[erase(2)]);
    assert_passes(&[erase(2)], &[update("link", link)]);
}

#[test]
fn equal_schema_additions_cancel() {
    let table = || add_table("Item", PropertyType::Int);
    let column = || add_column("Item", "n", PropertyType::Int, None);
    assert_merge((&[table(), column()], &[table(), column()]), (&[], &[]));
    let other = || add_column("Item", "m", PropertyType::Int, None);
    assert_merge((&[column()], &[column(), other()]), (&[], &[other()]));
}

#[test]
fn different_schema_additions_are_an_error_that_names_them() {
    let tables =
        merge(&[add_table("Item", PropertyType::Int)], &[add_table("Item", PropertyType::String)]);
    assert_eq!(tables, Err(MergeError::TableMismatch { class: "Item".into() }));
    let columns = merge(
        &[add_column("Item", "link", PropertyType::Link, Some("Item"))],
        &[add_column("Item", "link", PropertyType::Link, Some("Owner"))],
    );
    let (class, field) = ("Item".into(), "link".into());
    assert_eq!(columns, Err(MergeError::ColumnMismatch { class, field }));
}

#[test]
fn instructions_on_different_properties_and_classes_do_not_meet() {
    let insert = |field| Instruction::ArrayInsert {
        path: inside(field, vec![PathElement::Index(0)]),
        value: Payload::Value(Value::Int(1)),
        prior_size: 0,
    };
    assert_passes(&[insert("a")], &[insert("b"), set(1), add(1)]);
    let erase_other = Instruction::EraseTable { class: "Other".into() };
    assert_passes(&[erase_other], &[create(1), set(1)]);
}

#[test]
fn a_failure_in_the_middle_changes_nothing() {
    let insert = |prior_size| Instruction::ArrayInsert {
        path: inside("list", vec![PathElement::Index(0)]),
        value: Payload::Value(Value::Int(1)),
        prior_size,
    };
    let mut ours = [Entry::new(OLDER, vec![set(1)]), Entry::new(OLDER, vec![insert(3)])];
    let mut theirs = Entry::new(NEWER, vec![set(2), insert(4)]);
    let before = (ours.clone(), theirs.clone());
    assert!(merge_object(&Schema::default(), &mut ours, &mut theirs).is_err());
    assert_eq!((ours, theirs), before);
}

#[test]
fn the_outcome_tells_which_of_theirs_are_gone() {
    let mut ours = [Entry::new(NEWER, vec![set(1)])];
    let mut theirs = Entry::new(OLDER, vec![create(1), set(2), update("m", Value::Null), add(3)]);
    let outcome = merge_object(&Schema::default(), &mut ours, &mut theirs).unwrap();
    assert_eq!(outcome.discarded.as_slice(), [1, 3]);
    assert_eq!(theirs.instructions, [create(1), update("m", Value::Null)]);
    assert!(!ours[0].dirty && theirs.dirty);
}
