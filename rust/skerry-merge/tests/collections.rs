//! Rules for lists, sets, dictionaries, embedded objects and collections in mixed by worked examples,
//! and the corrections of the engine that docs/merge.md calls E1 to E8, always from both sides and
//! also by place.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use skerry_merge::{
    Author, Entry, MergeError, merge_by_place, merge_object, merge_pair, merge_sequences,
};
use skerry_model::{
    ClassSchema, CollectionType, FileIdent, Instruction, ObjectKey, ObjectRef, Path, PathElement,
    Payload, Property, PropertyType, Schema, Stamp, UpdateSide, Value,
};

const OLDER: Author = Author { stamp: Stamp(10), ident: FileIdent(3) };
const NEWER: Author = Author { stamp: Stamp(20), ident: FileIdent(2) };

fn schema() -> Schema {
    let item = ClassSchema {
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::links("places", CollectionType::Dictionary, "Address"),
            Property::links("home", CollectionType::Single, "Address"),
        ],
        embedded: false,
    };
    let address = ClassSchema {
        name: "Address".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("zip", PropertyType::Int, false),
            Property::links("inner", CollectionType::Single, "Address"),
        ],
        embedded: true,
    };
    Schema::new([item, address]).unwrap()
}

/// A path from words: a number is a position.
fn at(words: &str) -> Path {
    let mut words = words.split(' ');
    let object = ObjectRef::new("Item", ObjectKey::Int(1));
    let field = words.next().unwrap();
    let element = |word: &str| match word.parse() {
        Ok(index) => PathElement::Index(index),
        Err(_) => PathElement::Key(word.into()),
    };
    Path::new(object, field, words.map(element).collect::<Vec<_>>())
}

fn int(value: i64) -> Payload {
    Payload::Value(Value::Int(value))
}

fn put(path: &str, value: Payload) -> Instruction {
    Instruction::Update { path: at(path), value, side: UpdateSide::IsDefault(false) }
}

fn insert(path: &str, prior_size: u32) -> Instruction {
    Instruction::ArrayInsert { path: at(path), value: int(1), prior_size }
}

fn erase(path: &str, prior_size: u32) -> Instruction {
    Instruction::ArrayErase { path: at(path), prior_size }
}

fn shift(path: &str, to: u32, prior_size: u32) -> Instruction {
    Instruction::ArrayMove { path: at(path), to, prior_size }
}

fn set(path: &str, value: i64, prior_size: u32) -> Instruction {
    let side = UpdateSide::prior_size(prior_size);
    Instruction::Update { path: at(path), value: int(value), side }
}

fn clear(path: &str, collection: CollectionType) -> Instruction {
    Instruction::Clear { path: at(path), collection }
}

fn put_in(value: Value) -> Instruction {
    Instruction::SetInsert { path: at("set"), value }
}

fn take_out(value: Value) -> Instruction {
    Instruction::SetErase { path: at("set"), value }
}

fn list(path: &str) -> Instruction {
    put(path, Payload::List)
}

fn dictionary(path: &str) -> Instruction {
    put(path, Payload::Dictionary)
}

/// A way of merging.
type Way = fn(&Schema, &mut [Entry], &mut [Entry]);

/// Merges what the older and the newer did: with either as ours, pair by pair and by place.
#[track_caller]
fn assert_merge(
    (older, newer): (&[Instruction], &[Instruction]),
    (older_after, newer_after): (&[Instruction], &[Instruction]),
) {
    let older = [Entry::new(OLDER, older.to_vec())];
    let newer = [Entry::new(NEWER, newer.to_vec())];
    let schema = schema();
    let pairs: Way =
        |schema, a, b| drop(merge_sequences(schema, a, b, merge_pair).expect("they merge"));
    let places: Way = |schema, a, b| drop(merge_by_place(schema, a, b).expect("they merge"));
    for (name, way) in [("pair by pair", pairs), ("by place", places)] {
        let (mut a, mut b) = (older.clone(), newer.clone());
        way(&schema, &mut a, &mut b);
        assert_eq!(
            (&*a[0].instructions, &*b[0].instructions),
            (older_after, newer_after),
            "{name}"
        );
        let (mut a, mut b) = (older.clone(), newer.clone());
        way(&schema, &mut b, &mut a);
        assert_eq!(
            (&*a[0].instructions, &*b[0].instructions),
            (older_after, newer_after),
            "{name}, the other way round"
        );
    }
}

#[track_caller]
fn assert_passes(older: &[Instruction], newer: &[Instruction]) {
    assert_merge((older, newer), (older, newer));
}

#[test]
fn at_one_position_the_older_insertion_stands_first() {
    assert_merge(
        (&[insert("list 1", 2)], &[insert("list 1", 2)]),
        (&[insert("list 1", 3)], &[insert("list 2", 3)]),
    );
}

#[test]
fn runs_of_insertions_do_not_interleave() {
    let run = || [insert("list 0", 0), insert("list 1", 1)];
    let older = [insert("list 0", 2), insert("list 1", 3)];
    let newer = [insert("list 2", 2), insert("list 3", 3)];
    assert_merge((&run(), &run()), (&older, &newer));
}

#[test]
fn an_insertion_stays_in_its_place_beside_an_erasure() {
    assert_merge(
        (&[insert("list 1", 2)], &[erase("list 0", 2)]),
        (&[insert("list 0", 1)], &[erase("list 0", 3)]),
    );
    assert_merge(
        (&[insert("list 0", 2)], &[erase("list 0", 2)]),
        (&[insert("list 0", 1)], &[erase("list 1", 3)]),
    );
}

#[test]
fn an_element_is_erased_once_and_sets_of_it_go() {
    assert_merge((&[erase("list 1", 3)], &[erase("list 1", 3)]), (&[], &[]));
    assert_merge((&[erase("list 1", 3)], &[set("list 1", 7, 3)]), (&[erase("list 1", 3)], &[]));
    assert_merge((&[set("list 1", 7, 3)], &[erase("list 1", 3)]), (&[], &[erase("list 1", 3)]));
    assert_merge(
        (&[erase("list 0", 3)], &[set("list 2", 7, 3)]),
        (&[erase("list 0", 3)], &[set("list 1", 7, 2)]),
    );
}

#[test]
fn a_set_follows_a_moved_element_and_of_two_moves_the_newer_is_kept() {
    assert_merge(
        (&[shift("list 0", 2, 3)], &[set("list 0", 7, 3)]),
        (&[shift("list 0", 2, 3)], &[set("list 2", 7, 3)]),
    );
    assert_merge(
        (&[shift("list 0", 2, 3)], &[shift("list 0", 1, 3)]),
        (&[], &[shift("list 2", 1, 3)]),
    );
    // Both want the same: nothing is left to do.
    assert_merge((&[shift("list 0", 2, 3)], &[shift("list 0", 2, 3)]), (&[], &[]));
}

#[test]
fn a_clear_wins_over_elements_and_of_two_clears_the_newer_is_kept() {
    let all = || clear("list", CollectionType::List);
    assert_merge((&[all()], &[insert("list 0", 0)]), (&[all()], &[]));
    assert_merge((&[insert("list 0", 0)], &[all()]), (&[], &[all()]));
    assert_merge(
        (&[all(), insert("list 0", 0)], &[all(), insert("list 0", 0)]),
        (&[], &[all(), insert("list 0", 0)]),
    );
}

#[test]
fn what_comes_after_a_clear_does_not_meet_a_list_of_which_nothing_is_left() {
    let newer = [set("list 1", 8, 2), clear("list", CollectionType::List), insert("list 0", 0)];
    assert_merge((&[set("list 1", 7, 2)], &newer), (&[], &newer));
    // Also when what is replaced is further up.
    let null = put("home", Payload::Value(Value::Null));
    let new = put("home", Payload::ObjectValue);
    let newer = [set("home lines 1", 8, 2), null, new, insert("home lines 0", 0)];
    assert_merge((&[set("home lines 1", 7, 2)], &newer), (&[], &newer));
}

#[test]
fn set_edits_of_one_value_are_decided_by_time_and_others_pass() {
    let (x, y) = (|| Value::string("x"), || Value::string("y"));
    assert_merge((&[put_in(x())], &[put_in(x())]), (&[], &[put_in(x())]));
    assert_merge((&[put_in(x())], &[take_out(x())]), (&[], &[take_out(x())]));
    assert_passes(&[put_in(x())], &[take_out(y())]);
    let all = || clear("set", CollectionType::Set);
    assert_merge((&[put_in(x())], &[all()]), (&[], &[all()]));
    assert_merge((&[all()], &[put_in(x())]), (&[all()], &[]));
}

#[test]
fn set_values_are_compared_by_content_and_as_elements() {
    // E1: two texts of one length are two values.
    assert_passes(&[take_out(Value::string("x"))], &[take_out(Value::string("y"))]);
    // E5: 1 and 1.0 are one element.
    let (one, also) = (put_in(Value::Int(1)), put_in(Value::Double(1.0)));
    assert_merge((&[one], std::slice::from_ref(&also)), (&[], std::slice::from_ref(&also)));
}

#[test]
fn what_is_inside_an_element_follows_it() {
    assert_merge(
        (&[insert("list 0", 2)], &[put("list 1 zip", int(7))]),
        (&[insert("list 0", 2)], &[put("list 2 zip", int(7))]),
    );
    assert_merge(
        (&[erase("list 1", 2)], &[put("list 1 zip", int(7))]),
        (&[erase("list 1", 2)], &[]),
    );
    // E2: also through a move, which stays as it is.
    assert_merge(
        (&[shift("list 0", 1, 2)], &[put("list 0 zip", int(7))]),
        (&[shift("list 0", 1, 2)], &[put("list 1 zip", int(7))]),
    );
    // E4: a Clear of a collection in the list.
    let inner = |path| clear(path, CollectionType::List);
    assert_merge(
        (&[insert("list 0", 1)], &[inner("list 0")]),
        (&[insert("list 0", 1)], &[inner("list 1")]),
    );
}

#[test]
fn making_an_embedded_object_is_transparent_and_null_is_not() {
    let new = || put("home", Payload::ObjectValue);
    let null = || put("home", Payload::Value(Value::Null));
    let (zip, inner) = (put("home zip", int(1)), put("home inner", Payload::ObjectValue));
    assert_merge(
        (&[new(), zip.clone()], &[new(), inner.clone()]),
        (std::slice::from_ref(&zip), &[new(), inner]),
    );
    assert_merge((&[null()], &[new(), zip.clone()]), (&[null()], &[]));
    assert_merge((&[zip], &[null(), new()]), (&[], &[null(), new()]));
}

#[test]
fn an_embedded_object_at_a_dictionary_key_is_replaced() {
    // E3: the newer object is kept whole, and edits of the one that was replaced are dropped.
    let new = || put("places k", Payload::ObjectValue);
    let zip = || put("places k zip", int(1));
    assert_merge((&[new(), zip()], &[new()]), (&[], &[new()]));
    assert_merge((&[new()], &[new(), zip()]), (&[], &[new(), zip()]));
    assert_merge((&[zip()], &[new()]), (&[], &[new()]));
    assert_merge((&[new()], &[zip()]), (&[new()], &[]));
    // A property of the embedded object there is "create if missing", as everywhere.
    assert_passes(
        &[put("places k inner", Payload::ObjectValue)],
        &[put("places k inner zip", int(1))],
    );
}

#[test]
fn collections_of_one_kind_in_a_mixed_merge_and_of_two_kinds_the_newer_is_kept() {
    assert_merge(
        (&[list("any"), insert("any 0", 0)], &[list("any"), insert("any 0", 0)]),
        // E8: where the other side has filled the list, making it is over.
        (&[insert("any 0", 1)], &[insert("any 1", 1)]),
    );
    assert_passes(&[list("any")], &[list("any")]);
    assert_merge(
        (&[list("any"), insert("any 0", 0)], &[dictionary("any"), put("any k", int(1))]),
        (&[], &[dictionary("any"), put("any k", int(1))]),
    );
    let text = || put("any", Payload::Value(Value::string("s")));
    assert_merge(
        (&[text()], &[list("any"), insert("any 0", 0)]),
        (&[], &[list("any"), insert("any 0", 0)]),
    );
    assert_merge((&[list("any"), insert("any 0", 0)], &[text()]), (&[], &[text()]));
}

#[test]
fn a_filled_list_that_its_side_overwrote_does_not_come_back() {
    // E8: the newer list would have to take back elements that are gone on the other side.
    let text = || put("any", Payload::Value(Value::string("s")));
    assert_merge(
        (&[list("any"), insert("any 0", 0), text()], &[list("any"), insert("any 0", 0)]),
        (&[insert("any 0", 1), text()], &[]),
    );
    // One that was empty does.
    assert_merge(
        (&[list("any"), text()], &[list("any"), insert("any 0", 0)]),
        (&[], &[list("any"), insert("any 0", 0)]),
    );
}

#[test]
fn dictionary_keys_are_decided_by_time() {
    let value = |value| put("dict k", value);
    assert_merge((&[value(int(1))], &[value(Payload::Erased)]), (&[], &[value(Payload::Erased)]));
    assert_merge((&[value(Payload::Erased)], &[value(int(1))]), (&[], &[value(int(1))]));
    assert_passes(&[value(int(1))], &[put("dict l", int(2))]);
}

#[test]
fn a_removed_key_does_not_come_back_by_a_clear() {
    let (gone, all) = (|| put("dict k", Payload::Erased), || clear("dict k", CollectionType::List));
    assert_merge((&[gone()], &[all()]), (&[gone()], &[]));
    assert_merge((&[all()], &[gone()]), (&[], &[gone()]));
}

#[test]
fn erasing_a_class_takes_what_is_inside_and_the_properties_that_link_to_it() {
    let erase = || Instruction::EraseTable { class: "Item".into() };
    let mut ours = [Entry::new(OLDER, vec![erase()])];
    let link = Instruction::AddColumn {
        class: "Owner".into(),
        field: "item".into(),
        ty: PropertyType::Link,
        nullable: true,
        collection: CollectionType::Single,
        target: Some(Box::new("Item".into())),
        key_type: None,
    };
    let mut theirs = [Entry::new(NEWER, vec![link, put("home zip", int(1))])];
    let outcomes = merge_sequences(&schema(), &mut ours, &mut theirs, merge_pair).unwrap();
    let column = Instruction::EraseColumn { class: "Owner".into(), field: "item".into() };
    assert_eq!(ours[0].instructions, [column, erase()]);
    assert!(theirs[0].instructions.is_empty() && !outcomes[0].has_additions);
}

#[test]
fn erasing_a_property_takes_what_is_inside_of_every_kind() {
    let erase = || Instruction::EraseColumn { class: "Item".into(), field: "list".into() };
    for inside in [
        insert("list 0", 0),
        Instruction::ArrayErase { path: at("list 0"), prior_size: 1 },
        shift("list 0", 1, 2),
        put("list", Payload::List),
        clear("list", CollectionType::List),
        Instruction::AddInteger { path: at("list"), value: 1 },
        Instruction::SetInsert { path: at("list"), value: Value::Int(1) },
        Instruction::SetErase { path: at("list"), value: Value::Int(1) },
    ] {
        let mut ours = [Entry::new(OLDER, vec![inside.clone()])];
        let mut theirs = Entry::new(NEWER, vec![erase()]);
        merge_object(&schema(), &mut ours, &mut theirs).unwrap();
        assert_eq!((ours[0].instructions.len(), theirs.instructions.len()), (0, 1), "{inside:?}");
    }
}

#[test]
fn sides_that_disagree_on_a_list_are_refused_by_name() {
    let (class, field) = (|| "Item".into(), || "list".into());
    for (a, b) in [
        (insert("list 0", 3), insert("list 0", 4)),
        (erase("list 0", 3), insert("list 0", 4)),
        (set("list 0", 1, 3), set("list 0", 2, 4)),
        (shift("list 0", 1, 3), erase("list 0", 4)),
    ] {
        let mut ours = [Entry::new(OLDER, vec![a.clone()])];
        let mut theirs = Entry::new(NEWER, vec![b]);
        let error = merge_object(&schema(), &mut ours, &mut theirs).unwrap_err();
        let expected =
            MergeError::ListSizeMismatch { class: class(), field: field(), one: 3, other: 4 };
        assert_eq!(error, expected, "{a:?}");
    }
    for bad in [insert("list 4", 3), erase("list 3", 3), shift("list 0", 3, 3), set("list 3", 1, 3)]
    {
        let mut ours = [Entry::new(OLDER, vec![insert("list 0", 3)])];
        let mut theirs = Entry::new(NEWER, vec![bad.clone()]);
        let error = merge_object(&schema(), &mut ours, &mut theirs).unwrap_err();
        assert!(matches!(error, MergeError::IndexOutOfRange { size: 3, .. }), "{bad:?}: {error}");
    }
}
