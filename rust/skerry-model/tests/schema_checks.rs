//! What schemas are refused for, and the codes and names of property types.

use skerry_model::{
    ClassSchema, CollectionType, Name, Property, PropertyType, Schema, SchemaError,
};

fn key() -> Property {
    Property::scalar("_id", PropertyType::ObjectId, false)
}

fn class(name: &str, more: Vec<Property>) -> ClassSchema {
    let properties = std::iter::once(key()).chain(more).collect();
    ClassSchema { embedded: false, name: name.into(), primary_key: "_id".into(), properties }
}

fn refused(class: ClassSchema) -> SchemaError {
    Schema::new([class]).expect_err("not a schema")
}

fn name(text: &str) -> Name {
    Name::from(text)
}

#[test]
fn a_good_schema_is_found_again_by_name() {
    let summary = Property::scalar("summary", PropertyType::String, true);
    let item = class("Item", vec![summary.clone(), Property::link("owner", "Person")]);
    let person = class("Person", vec![]);
    let schema = Schema::new([item.clone(), person]).expect("a good schema");
    let names: Vec<&str> = schema.classes().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["Item", "Person"]);
    assert_eq!(schema.class("Item"), Some(&item));
    assert_eq!(schema.class("item"), None);
    assert_eq!(item.property("summary"), Some(&summary));
    assert_eq!(item.position("owner"), Some(2));
    assert_eq!(item.primary_key_property(), &key());
    assert!(!schema.is_empty() && Schema::default().is_empty());
}

#[test]
fn names_are_unique_and_bounded() {
    let twice = Schema::new([class("Item", vec![]), class("Item", vec![])]);
    assert_eq!(twice, Err(SchemaError::DuplicateClass { class: name("Item") }));
    let error = SchemaError::DuplicateProperty { class: name("Item"), property: name("_id") };
    assert_eq!(refused(class("Item", vec![key()])), error);

    for (text, is_good) in [("", false), (&*"x".repeat(57), true), (&*"x".repeat(58), false)] {
        let (actual_bytes, max_bytes) = (text.len(), ClassSchema::NAME_MAX_BYTES);
        let expected = SchemaError::BadName { name: name(text), actual_bytes, max_bytes };
        let result = Schema::new([class(text, vec![])]);
        assert_eq!(result.err(), (!is_good).then_some(expected));
    }
    let long = "x".repeat(64);
    let property = Property::scalar(long.as_str(), PropertyType::Int, false);
    let (actual_bytes, max_bytes) = (64, ClassSchema::PROPERTY_NAME_MAX_BYTES);
    let expected = SchemaError::BadName { name: name(&long), actual_bytes, max_bytes };
    assert_eq!(refused(class("Item", vec![property])), expected);
}

#[test]
fn the_primary_key_is_a_property_of_a_key_type() {
    let mut without = class("Item", vec![]);
    without.primary_key = name("id");
    let expected = SchemaError::MissingPrimaryKey { class: name("Item"), property: name("id") };
    assert_eq!(refused(without), expected);

    for ty in PropertyType::ALL {
        let mut item = class("Item", vec![]);
        item.properties[0].ty = ty;
        let is_key = matches!(
            ty,
            PropertyType::Int | PropertyType::String | PropertyType::ObjectId | PropertyType::Uuid
        );
        assert_eq!(Schema::new([item]).is_ok(), is_key, "{ty:?}");
    }
}

#[test]
fn links_have_a_target_that_exists() {
    let to_nowhere = Property::link("owner", "Person");
    let unknown = SchemaError::UnknownTarget {
        class: name("Item"),
        property: name("owner"),
        target: name("Person"),
    };
    assert_eq!(refused(class("Item", vec![to_nowhere])), unknown);

    let bad_link = SchemaError::BadLink { class: name("Item"), property: name("owner") };
    let without_target = Property::scalar("owner", PropertyType::Link, true);
    assert_eq!(refused(class("Item", vec![without_target])), bad_link);
    let mut not_nullable = Property::link("owner", "Item");
    not_nullable.nullable = false;
    assert_eq!(refused(class("Item", vec![not_nullable])), bad_link);
    let mut int_with_target = Property::link("owner", "Item");
    int_with_target.ty = PropertyType::Int;
    assert_eq!(refused(class("Item", vec![int_with_target])), bad_link);
}

#[test]
fn kinds_that_do_not_exist_are_named() {
    let key = Property::scalar("legacy", PropertyType::GlobalKey, false);
    let (class_name, property, kind) = (name("Item"), name("legacy"), "global key");
    let expected = SchemaError::Unsupported { class: class_name, property, kind };
    assert_eq!(refused(class("Item", vec![key])), expected);

    let mixed = Property::scalar("any", PropertyType::Mixed, false);
    let expected = SchemaError::MixedNotNullable { class: name("Item"), property: name("any") };
    assert_eq!(refused(class("Item", vec![mixed])), expected);
}

#[test]
fn links_in_collections_are_nullable_only_as_values_of_dictionaries() {
    for (collection, nullable) in [
        (CollectionType::List, false),
        (CollectionType::Set, false),
        (CollectionType::Dictionary, true),
    ] {
        let good = Property::links("items", collection, "Item");
        assert_eq!(good.nullable, nullable);
        let bad = Property { nullable: !nullable, ..good.clone() };
        assert!(Schema::new([class("Item", vec![good])]).is_ok(), "{collection:?}");
        let expected = SchemaError::BadLink { class: name("Item"), property: name("items") };
        assert_eq!(refused(class("Item", vec![bad])), expected, "{collection:?}");
    }
}

#[test]
fn embedded_classes_have_no_key_and_are_in_no_set() {
    let zip = Property::scalar("zip", PropertyType::Int, false);
    let address = ClassSchema {
        name: name("Address"),
        primary_key: name(""),
        properties: vec![zip],
        embedded: true,
    };
    let item = |collection| class("Item", vec![Property::links("at", collection, "Address")]);
    for collection in [CollectionType::Single, CollectionType::List, CollectionType::Dictionary] {
        assert!(Schema::new([item(collection), address.clone()]).is_ok(), "{collection:?}");
    }
    let kind = "set of embedded objects";
    let expected = SchemaError::Unsupported { class: name("Item"), property: name("at"), kind };
    assert_eq!(Schema::new([item(CollectionType::Set), address.clone()]), Err(expected));

    let keyed = ClassSchema { primary_key: name("zip"), ..address };
    let (class, property) = (name("Address"), name("zip"));
    assert_eq!(refused(keyed), SchemaError::EmbeddedPrimaryKey { class, property });
}

#[test]
fn types_have_realms_codes_and_names() {
    let expected = [
        (0, "mixed"),
        (1, "int"),
        (2, "bool"),
        (3, "string"),
        (4, "data"),
        (5, "date"),
        (6, "float"),
        (7, "double"),
        (8, "decimal128"),
        (9, "object"),
        (10, "objectId"),
        (11, "uuid"),
        (-1, "globalKey"),
    ];
    assert_eq!(PropertyType::ALL.map(|ty| (ty.code(), ty.name())), expected);
    for ty in PropertyType::ALL {
        assert_eq!(PropertyType::from_code(ty.code().into()), Some(ty));
        assert_eq!(PropertyType::from_name(ty.name()), Some(ty));
    }
    assert_eq!(PropertyType::from_code(12), None);
    assert_eq!(PropertyType::from_code(256), None);
    assert_eq!(PropertyType::from_name("Int"), None);
}
