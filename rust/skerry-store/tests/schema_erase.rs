//! Classes and properties that come and go by instructions: what is refused, and what is left.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::kinds::*;
use common::{create, set};
use rusqlite::Connection;
use skerry_model::{
    CollectionType, Content, Instruction, Misfit, Name, ObjectRef, Path, PathElement, Payload,
    Property, PropertyType, TableKind, UpdateSide, Value,
};
use skerry_store::{Fault, ObjectTables, StoreError};

fn tables_of_kinds() -> (Connection, ObjectTables) {
    let connection = Connection::open_in_memory().unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    tables.ensure_schema(&connection, &kinds()).unwrap();
    (connection, tables)
}

fn fault_of(result: Result<(), StoreError>) -> Fault {
    match result {
        Err(StoreError::BadInstruction { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

fn erase_table(class: &str) -> Instruction {
    Instruction::EraseTable { class: class.into() }
}

fn erase_column(class: &str, field: &str) -> Instruction {
    Instruction::EraseColumn { class: class.into(), field: field.into() }
}

fn add_column(class: &str, property: &Property) -> Instruction {
    let is_dictionary = property.collection == CollectionType::Dictionary;
    Instruction::AddColumn {
        class: class.into(),
        field: property.name.clone(),
        ty: property.ty,
        nullable: property.nullable,
        collection: property.collection,
        target: property.target.clone().map(Box::new),
        key_type: is_dictionary.then_some(PropertyType::String),
    }
}

fn update(object: ObjectRef, field: &str, keys: &[&str], value: Payload) -> Instruction {
    let mut path = Path::property(object, field);
    path.elements = keys.iter().map(|key| PathElement::Key(Name::from(*key))).collect();
    Instruction::Update { path, value, side: UpdateSide::IsDefault(false) }
}

fn content(connection: &Connection, tables: &ObjectTables, field: &str) -> Content {
    let object = thing(1);
    let position = tables.catalogue().class("Thing").unwrap().schema.position(field).unwrap();
    let read = tables.read_object(connection, &object.class, &object.key).unwrap();
    read.unwrap()[position].clone()
}

#[test]
fn what_is_missing_or_needed_cannot_be_erased() {
    let (connection, mut tables) = tables_of_kinds();
    let mut apply = |instruction| fault_of(tables.apply(&connection, &instruction));
    assert_eq!(apply(erase_table("Nothing")), Fault::NoSuchClass);
    assert_eq!(apply(erase_column("Nothing", "x")), Fault::NoSuchClass);
    let property = Name::from("x");
    let missing = Fault::Misfit(Misfit::NoSuchProperty { property });
    assert_eq!(apply(erase_column("Thing", "x")), missing);
    let property = Name::from("_id");
    assert_eq!(apply(erase_column("Thing", "_id")), Fault::PrimaryKeyErase { property });
    for class in ["Thing", "Part"] {
        let refused = apply(erase_table(class));
        assert!(matches!(refused, Fault::ClassInUse { .. }), "{class}: {refused:?}");
    }
}

#[test]
fn an_erased_class_is_gone_with_its_objects_and_may_come_again() {
    let (connection, mut tables) = tables_of_kinds();
    let link = link_to(&other("a"));
    let steps = [create(other("a")), create(thing(1)), set(thing(1), "mixed", link.clone())];
    tables.apply_all(&connection, &steps).unwrap();
    tables.apply(&connection, &erase_table("Other")).unwrap();
    assert!(tables.catalogue().schema().class("Other").is_none());
    assert_eq!(content(&connection, &tables, "mixed"), link, "the link dangles");
    let seen = tables.read_visible(&connection, &"Thing".into(), &thing(1).key).unwrap().unwrap();
    assert_eq!(seen.last().unwrap(), &Content::NULL);

    let instructions = kinds().instructions();
    tables.apply_all(&connection, &instructions).unwrap();
    assert_eq!(tables.count(&connection, &"Other".into()).unwrap(), 0);
    assert_eq!(tables.holders(&connection, &other("a")).unwrap(), [(thing(1), "mixed".into())]);
}

#[test]
fn an_erased_property_is_gone_and_one_of_that_name_begins_with_its_zero() {
    let (connection, mut tables) = tables_of_kinds();
    let steps = [
        create(thing(1)),
        create(thing(2)),
        set(thing(1), "peer", link_to(&thing(2))),
        update(thing(1), "map", &["a"], Payload::Value(link_to(&thing(2)))),
        erase_column("Thing", "peer"),
        erase_column("Thing", "map"),
    ];
    tables.apply_all(&connection, &steps).unwrap();
    assert_eq!(tables.holders(&connection, &thing(2)).unwrap(), []);
    let list = Property::collection("map", CollectionType::List, PropertyType::Int, false);
    tables.apply(&connection, &add_column("Thing", &list)).unwrap();
    assert_eq!(content(&connection, &tables, "map"), Content::List(Vec::new()));
}

#[test]
fn the_content_of_an_erased_property_of_embedded_objects_does_not_come_back() {
    let (connection, mut tables) = tables_of_kinds();
    let steps = [
        create(thing(1)),
        create(thing(2)),
        update(thing(1), "part", &[], Payload::ObjectValue),
        update(thing(1), "part", &["part"], Payload::ObjectValue),
        update(thing(1), "part", &["part", "owner"], Payload::Value(link_to(&thing(2)))),
        erase_column("Part", "owner"),
    ];
    tables.apply_all(&connection, &steps).unwrap();
    assert_eq!(tables.holders(&connection, &thing(2)).unwrap(), []);
    let owner = Property::collection("owner", CollectionType::List, PropertyType::Int, false);
    tables.apply(&connection, &add_column("Part", &owner)).unwrap();
    let Content::Object(part) = content(&connection, &tables, "part") else { panic!("no part") };
    let Content::Object(inner) = &part["part"] else { panic!("no part in the part") };
    assert_eq!(inner["owner"], Content::List(Vec::new()));
}

#[test]
fn a_class_or_property_that_exists_differently_is_a_mismatch() {
    let (connection, mut tables) = tables_of_kinds();
    let mut apply = |instruction| tables.apply(&connection, &instruction);
    let table = |kind| Instruction::AddTable { class: "Thing".into(), kind };
    let refused = fault_of(apply(table(TableKind::Embedded)));
    let key = Some((Name::from("_id"), PropertyType::Int));
    assert_eq!(refused, Fault::TableMismatch { key });
    let top_level = TableKind::TopLevel {
        pk_field: "_id".into(),
        pk_type: PropertyType::Int,
        pk_nullable: false,
        asymmetric: false,
    };
    let part = Instruction::AddTable { class: "Part".into(), kind: top_level };
    assert_eq!(fault_of(apply(part)), Fault::TableMismatch { key: None });
    apply(Instruction::AddTable { class: "Part".into(), kind: TableKind::Embedded }).unwrap();

    let ints = |collection, ty| Property::collection("ints", collection, ty, false);
    apply(add_column("Thing", &ints(CollectionType::List, PropertyType::Int))).unwrap();
    for other in [
        ints(CollectionType::Set, PropertyType::Int),
        ints(CollectionType::List, PropertyType::String),
        Property::links("peers", CollectionType::List, "Other"),
    ] {
        let refused = fault_of(apply(add_column("Thing", &other)));
        assert!(matches!(refused, Fault::ColumnMismatch { .. }), "{refused:?}");
    }
    let keys_of_ints = Instruction::AddColumn {
        class: "Thing".into(),
        field: "new".into(),
        ty: PropertyType::Int,
        nullable: false,
        collection: CollectionType::Dictionary,
        target: None,
        key_type: Some(PropertyType::Int),
    };
    assert!(matches!(fault_of(apply(keys_of_ints)), Fault::BadDefinition { .. }));
}

#[test]
fn embedded_classes_have_no_objects_of_their_own() {
    let (connection, mut tables) = tables_of_kinds();
    let part = ObjectRef::new("Part", skerry_model::ObjectKey::Int(1));
    assert_eq!(fault_of(tables.apply(&connection, &create(part))), Fault::EmbeddedClass);
    let link = Value::link("Part", skerry_model::ObjectKey::Int(1));
    tables.apply(&connection, &create(thing(1))).unwrap();
    let refused = fault_of(tables.apply(&connection, &set(thing(1), "mixed", link)));
    assert!(matches!(refused, Fault::Misfit(Misfit::NoSuchTarget { .. })), "{refused:?}");
}

#[test]
fn another_connection_learns_of_changed_embedded_classes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    let first = Connection::open(&path).unwrap();
    ObjectTables::create(&first).unwrap();
    let mut a = ObjectTables::open(&first).unwrap();
    a.ensure_schema(&first, &kinds()).unwrap();
    let second = Connection::open(&path).unwrap();
    let mut b = ObjectTables::open(&second).unwrap();
    let more = Property::scalar("more", PropertyType::Int, false);
    a.apply(&first, &add_column("Part", &more)).unwrap();
    a.apply(&first, &erase_column("Part", "size")).unwrap();
    b.refresh(&second).unwrap();
    let part = b.catalogue().schema().class("Part").unwrap().clone();
    assert!(part.property("more").is_some() && part.property("size").is_none());
}
