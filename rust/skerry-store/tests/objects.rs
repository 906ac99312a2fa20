//! The object tables: exact values, apply semantics, additive schema, dangling links.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::*;
use skerry_model::{
    ClassSchema, Decimal128, Instruction, Misfit, ObjectId, ObjectKey, ObjectRef, Property,
    PropertyType, Schema, TableKind, Timestamp, Uuid, Value,
};
use skerry_store::{Fault, ObjectTables, StoreError};

fn edge_values(ty: PropertyType) -> Vec<Value> {
    match ty {
        PropertyType::Int => [0, 1, -1, i64::MIN, i64::MAX, 1 << 53].map(Value::Int).into(),
        PropertyType::Bool => vec![Value::Bool(true), Value::Bool(false)],
        PropertyType::Double => vec![
            Value::Double(0.0),
            Value::Double(-0.0),
            Value::Double(1.0),
            Value::Double(-7.25),
            Value::Double(f64::MIN_POSITIVE / 4.0),
            Value::Double(f64::MAX),
            Value::Double(f64::INFINITY),
            Value::Double(f64::NEG_INFINITY),
            Value::Double(f64::NAN),
            Value::Double(f64::from_bits(0xfff8_0000_0000_1234)),
            Value::Double(9_007_199_254_740_993.0),
        ],
        PropertyType::String => {
            ["", "a", "a\0b", "0", "1e3", "\u{10ffff}é"].map(Value::string).into()
        }
        PropertyType::Binary => vec![Value::binary([]), Value::binary([0, 255, 0])],
        PropertyType::Timestamp => {
            [(0, 0), (-1, -500_000_000), (0, -1), (i64::MAX, 999_999_999), (i64::MIN, 0)]
                .map(|(s, ns)| Value::Timestamp(Timestamp::new(s, ns).unwrap()))
                .into()
        }
        PropertyType::ObjectId => vec![Value::ObjectId(ObjectId([7; 12]))],
        PropertyType::Uuid => vec![Value::Uuid(Uuid([9; 16]))],
        PropertyType::Decimal => ["0", "-0", "1.50", "1.5", "1E+6000", "-9.99E-6000", "NaN"]
            .map(|text| Value::Decimal(text.parse::<Decimal128>().unwrap()))
            .into(),
        other => panic!("{other:?} is no scalar type of the test schema"),
    }
}

#[test]
fn every_value_is_read_back_bit_for_bit() {
    let (connection, mut tables) = memory_tables();
    tables.apply(&connection, &create(all(1))).unwrap();
    let schema = schema();
    for (name, ty) in SCALARS {
        for field in [name.to_owned(), format!("{name}?")] {
            let position = schema.class("All").unwrap().position(&field).unwrap();
            for value in edge_values(ty) {
                tables.apply(&connection, &set(all(1), &field, value.clone())).unwrap();
                let read = tables.read_object(&connection, &"All".into(), &ObjectKey::Int(1));
                assert_eq!(read.unwrap().unwrap()[position], value, "{field}");
            }
        }
    }
}

#[test]
fn a_new_object_has_zero_values_and_nulls() {
    let (connection, mut tables) = memory_tables();
    tables.apply(&connection, &create(all(3))).unwrap();
    let values = tables.read_object(&connection, &"All".into(), &ObjectKey::Int(3)).unwrap();
    for (property, value) in schema().class("All").unwrap().properties.iter().zip(values.unwrap()) {
        if &*property.name == "_id" {
            assert_eq!(value, Value::Int(3));
        } else if property.nullable {
            assert_eq!(value, Value::Null, "{}", property.name);
        } else {
            assert_eq!(value, property.ty.zero(), "{}", property.name);
        }
    }
}

#[test]
fn dates_sort_as_bytes_as_they_do_in_time() {
    let mut dates: Vec<Timestamp> =
        [(-2, 0), (-1, -999), (-1, 0), (0, -5), (0, 0), (0, 5), (1, 0), (1, 7), (2, 0)]
            .map(|(s, ns)| Timestamp::new(s, ns).unwrap())
            .into();
    dates.reverse();
    dates.sort_by_key(|date| skerry_store::objects::timestamp_to_bytes(*date));
    assert!(dates.is_sorted());
}

#[test]
fn adding_wraps_and_skips_null() {
    let (connection, mut tables) = memory_tables();
    let read = |tables: &ObjectTables, field: &str| {
        let position = schema().class("All").unwrap().position(field).unwrap();
        let values = tables.read_object(&connection, &"All".into(), &ObjectKey::Int(1));
        values.unwrap().unwrap()[position].clone()
    };
    tables.apply(&connection, &create(all(1))).unwrap();
    tables.apply(&connection, &set(all(1), "int", Value::Int(i64::MAX))).unwrap();
    tables.apply(&connection, &add(all(1), "int", 2)).unwrap();
    assert_eq!(read(&tables, "int"), Value::Int(i64::MIN + 1));
    tables.apply(&connection, &add(all(1), "int?", 2)).unwrap();
    assert_eq!(read(&tables, "int?"), Value::Null);
}

#[test]
fn links_dangle_while_their_target_is_absent_and_come_back() {
    let (connection, mut tables) = memory_tables();
    let steps = [
        create(named("a")),
        set(named("a"), "peer", link(named("b"))),
        create(named("b")),
        set(named("b"), "peer", link(ObjectRef::new("Named", ObjectKey::Null))),
        erase(named("b")),
        erase(named("b")),
    ];
    for step in &steps {
        tables.apply(&connection, step).unwrap();
    }
    assert!(!tables.exists(&connection, &"Named".into(), &named("b").key).unwrap());
    let holders = tables.holders(&connection, &named("b")).unwrap();
    assert_eq!(holders, [(named("a"), "peer".into())]);

    tables.apply(&connection, &create(named("b"))).unwrap();
    tables.apply(&connection, &create(ObjectRef::new("Named", ObjectKey::Null))).unwrap();
    tables.apply(&connection, &create(ObjectRef::new("Named", ObjectKey::Null))).unwrap();
    assert_eq!(tables.count(&connection, &"Named".into()).unwrap(), 3, "one null key only");
    let a = tables.read_object(&connection, &"Named".into(), &named("a").key).unwrap().unwrap();
    assert_eq!(a, [Value::string("a"), link(named("b")), Value::Null]);
    let b = tables.read_object(&connection, &"Named".into(), &named("b").key).unwrap().unwrap();
    assert_eq!(b[1], Value::Null, "the re-created object does not inherit old links");
    assert_eq!(
        tables.keys(&connection, &"Named".into()).unwrap(),
        [named("a").key, named("b").key, ObjectKey::Null]
    );
}

#[test]
fn what_does_not_fit_is_a_named_fault() {
    let (connection, mut tables) = memory_tables();
    tables.apply(&connection, &create(all(1))).unwrap();
    let mut fault_of = |instruction: Instruction| match tables.apply(&connection, &instruction) {
        Err(StoreError::BadInstruction { fault, .. }) => fault,
        other => panic!("{instruction:?}: {other:?}"),
    };
    assert_eq!(fault_of(set(all(2), "int", Value::Int(1))), Fault::NoSuchObject);
    assert_eq!(fault_of(add(all(2), "int", 1)), Fault::NoSuchObject);
    assert_eq!(fault_of(create(ObjectRef::new("Nope", ObjectKey::Int(1)))), Fault::NoSuchClass);
    let wrong_key = ObjectRef::new("All", ObjectKey::String("1".into()));
    assert!(matches!(
        fault_of(create(wrong_key)),
        Fault::Misfit(Misfit::WrongKeyType { found: "string", .. })
    ));
    let null_key = ObjectRef::new("All", ObjectKey::Null);
    assert!(matches!(
        fault_of(erase(null_key)),
        Fault::Misfit(Misfit::WrongKeyType { found: "null", .. })
    ));
    assert!(matches!(
        fault_of(set(all(1), "nope", Value::Int(1))),
        Fault::Misfit(Misfit::NoSuchProperty { property }) if &*property == "nope"
    ));
    assert!(matches!(
        fault_of(set(all(1), "int", Value::string("1"))),
        Fault::Misfit(Misfit::TypeMismatch { found: "string", .. })
    ));
    assert!(matches!(
        fault_of(set(all(1), "int", Value::Null)),
        Fault::Misfit(Misfit::NotNullable { .. })
    ));
    assert!(matches!(
        fault_of(set(all(1), "next", link(named("a")))),
        Fault::Misfit(Misfit::WrongLinkTarget { .. })
    ));
    assert!(matches!(
        fault_of(set(all(1), "next", link(ObjectRef::new("All", ObjectKey::Null)))),
        Fault::Misfit(Misfit::WrongKeyType { .. })
    ));
    assert!(matches!(fault_of(set(all(1), "_id", Value::Int(2))), Fault::PrimaryKeyUpdate { .. }));
    assert!(matches!(
        fault_of(add(all(1), "string", 2)),
        Fault::Misfit(Misfit::TypeMismatch { .. })
    ));
}

#[test]
fn asymmetric_classes_are_refused_by_name() {
    let (connection, mut tables) = memory_tables();
    let kind = TableKind::TopLevel {
        pk_field: "_id".into(),
        pk_type: PropertyType::Int,
        pk_nullable: false,
        asymmetric: true,
    };
    let result = tables.apply(&connection, &Instruction::AddTable { class: "A".into(), kind });
    assert!(matches!(result, Err(StoreError::UnsupportedInstruction(_))), "{result:?}");
}

#[test]
fn schema_grows_and_never_shrinks_or_changes() {
    let (connection, mut tables) = memory_tables();
    assert_eq!(tables.ensure_schema(&connection, &schema()).unwrap(), [], "nothing to add");
    tables.apply(&connection, &create(all(1))).unwrap();

    let mut class = schema().class("All").unwrap().clone();
    class.properties.push(Property::scalar("extra", PropertyType::Double, false));
    class.properties.push(Property::scalar("INT", PropertyType::String, true));
    class.properties.push(Property::link("other", "New"));
    let new = ClassSchema {
        embedded: false,
        name: "New".into(),
        primary_key: "_id".into(),
        properties: vec![Property::scalar("_id", PropertyType::Uuid, false)],
    };
    let grown = Schema::new([class.clone(), new.clone()]).unwrap();
    let instructions = tables.ensure_schema(&connection, &grown).unwrap();
    let names: Vec<_> = instructions.iter().map(Instruction::name).collect();
    assert_eq!(names, ["AddTable", "AddColumn", "AddColumn", "AddColumn"]);
    let values = tables.read_object(&connection, &"All".into(), &ObjectKey::Int(1)).unwrap();
    assert!(values.unwrap().contains(&Value::Double(0.0).into()), "old objects get the zero value");
    // The same instructions, from another replica, change nothing.
    for instruction in &instructions {
        tables.apply(&connection, instruction).unwrap();
    }

    class.properties[1].ty = PropertyType::String;
    let changed = Schema::new([class, new]).unwrap();
    match tables.ensure_schema(&connection, &changed) {
        Err(StoreError::DestructiveChange { class, property: Some(property), .. }) => {
            assert_eq!((&*class, &*property), ("All", "int"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_handle_learns_what_the_first_added() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.db");
    let first = rusqlite::Connection::open(&path).unwrap();
    ObjectTables::create(&first).unwrap();
    let mut a = ObjectTables::open(&first).unwrap();
    let second = rusqlite::Connection::open(&path).unwrap();
    let mut b = ObjectTables::open(&second).unwrap();
    a.ensure_schema(&first, &schema()).unwrap();
    assert!(b.catalogue().class("All").is_none());
    b.refresh(&second).unwrap();
    assert!(b.catalogue().class("All").is_some());
}
