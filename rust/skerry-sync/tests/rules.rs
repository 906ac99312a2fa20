//! Roles and expressions (server 1): what is compiled, what is refused, and with which words.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use skerry_model::{ClassSchema, Content, Name, ObjectKey, Property, PropertyType, Schema, Value};
use skerry_query::{FieldRow, NoObjects};
use skerry_sync::server::rules::{Condition, RoleSet, UserValues};
use skerry_sync::server::{ConfigError, EngineConfig};

fn item() -> ClassSchema {
    ClassSchema {
        embedded: false,
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::ObjectId, false),
            Property::scalar("ownerId", PropertyType::String, true),
            Property::scalar("complexity", PropertyType::Int, false),
        ],
    }
}

fn queryable() -> BTreeSet<String> {
    ["ownerId", "complexity"].into_iter().map(str::to_owned).collect()
}

fn known(user: &Json) -> UserValues {
    UserValues {
        user: user.clone(),
        values: json!({"admins": ["a", "b"]}),
        environment: json!({"tag": "production"}),
    }
}

fn role(json: &Json) -> RoleSet {
    RoleSet::parse(&json!([json]), &queryable(), "roles").expect("the role is well-formed")
}

fn matches(condition: &Condition, owner: Option<&str>, complexity: i64) -> bool {
    let fields: [(Name, Content); 2] = [
        ("ownerId".into(), owner.map_or(Value::Null, Value::string).into()),
        ("complexity".into(), Value::Int(complexity).into()),
    ];
    let key = ObjectKey::Int(1);
    let (schema, item) = (Schema::new([item()]).expect("the class is well-formed"), item());
    condition.bind(&schema, &item).matches(&FieldRow { key: &key, fields: &fields }, &NoObjects)
}

fn filters(read: &Json, write: &Json) -> Json {
    json!({"name": "r", "apply_when": {}, "document_filters": {"read": read, "write": write},
           "read": true, "write": true})
}

#[test]
fn write_implies_read_and_user_values_are_put_in() {
    let roles = role(&filters(&json!(false), &json!({"ownerId": "%%user.id"})));
    let session = roles.select(&known(&json!({"id": "me"}))).unwrap();
    for condition in [&session.read, &session.write] {
        assert!(matches(condition, Some("me"), 0));
        assert!(!matches(condition, Some("you"), 0));
        assert!(!matches(condition, None, 0));
    }
}

#[test]
fn the_first_role_that_applies_decides() {
    let admin = json!({"name": "admin", "apply_when": {"%%user.custom_data.isAdmin": true},
        "document_filters": {"read": true, "write": true}, "read": true, "write": true});
    let user = json!({"name": "user", "apply_when": {"%%user.id": {"$in": "%%values.admins"}},
        "document_filters": {"read": {"complexity": {"$gte": 2, "%lt": 5}}, "write": false},
        "read": true, "write": true});
    let roles = RoleSet::parse(&json!([admin, user]), &queryable(), "roles").unwrap();
    let chosen =
        roles.select(&known(&json!({"id": "a", "custom_data": {"isAdmin": true}}))).unwrap();
    assert_eq!(chosen.name, "admin");
    let chosen = roles.select(&known(&json!({"id": "a", "custom_data": {}}))).unwrap();
    assert_eq!(chosen.name, "user");
    assert!(matches(&chosen.read, None, 2) && matches(&chosen.read, None, 4));
    assert!(!matches(&chosen.read, None, 1) && !matches(&chosen.read, None, 5));
    assert!(!matches(&chosen.write, None, 3), "a literal false forbids all writing");
    assert!(roles.select(&known(&json!({"id": "stranger"}))).is_none());
}

#[test]
fn operators_mean_what_they_say() {
    let cases = [
        (json!({"complexity": {"$in": [1, 2]}}), 1, true),
        (json!({"complexity": {"$in": [1, 2]}}), 3, false),
        (json!({"complexity": {"$nin": [1, 2]}}), 3, true),
        (json!({"complexity": {"$ne": 3}}), 3, false),
        (json!({"$or": [{"complexity": 1}, {"complexity": {"%gt": 8}}]}), 9, true),
        (json!({"%and": [{"complexity": {"$gt": 1}}, {"complexity": {"$lte": 2}}]}), 2, true),
        (json!({"$not": {"complexity": 4}}), 4, false),
        (json!({"ownerId": {"$exists": false}}), 0, true),
        (json!({"%nor": [{"complexity": 1}, {"complexity": 2}]}), 3, true),
        (json!({"%nor": [{"complexity": 1}, {"complexity": 2}]}), 2, false),
        (json!({"complexity": {"$not": {"$gt": 3}}}), 3, true),
        (json!({"complexity": {"$not": {"$gt": 3}, "$lt": 9}}), 4, false),
        (json!({"complexity": {"$in": []}}), 3, false),
        (json!({"complexity": {"$nin": []}}), 3, true),
        (json!({"complexity": {"$in": ["%%user.level", 9, "%%user.missing"]}}), 7, true),
        (json!({"complexity": {"$in": ["%%user.level", 9, "%%user.missing"]}}), 0, false),
        (json!({"complexity": {"$gt": {"$numberDouble": "2.5"}}}), 3, true),
        (json!({"complexity": {"$numberLong": "3"}}), 3, true),
        (json!({"%%root.complexity": 3}), 3, true),
        (json!({"complexity": {"$ne": "%%user.missing"}}), 3, true),
        (json!({"ownerId": "%%user.missing"}), 0, false),
        (json!({"complexity": "3"}), 3, false),
        (json!({}), 3, true),
    ];
    for (expression, complexity, expected) in cases {
        let session = role(&filters(&expression, &json!(false)));
        let session = session.select(&known(&json!({"id": "me", "level": 7}))).unwrap();
        assert_eq!(matches(&session.read, None, complexity), expected, "{expression}");
    }
}

#[test]
fn what_is_known_of_the_user_is_tested_when_the_session_starts() {
    let user = json!({"id": "me", "type": "server", "data": {"email": "a@b.c"},
        "custom_data": {"teams": ["red", "blue"], "level": 3, "nested": {"deep": null}},
        "identities": [{"id": "1", "providerType": "anon-user"}, {"id": "2", "providerType": "api-key"}]});
    let cases = [
        (json!({"%%user.type": "server"}), true),
        (json!({"%%user.data.email": {"%exists": true}}), true),
        (json!({"%%user.custom_data.nested.deep": {"%exists": true}}), false),
        (json!({"%%user.custom_data.teams": "red"}), true),
        (json!({"%%user.custom_data.teams": {"$in": ["green", "blue"]}}), true),
        (json!({"%%user.custom_data.teams": {"$nin": ["green", "blue"]}}), false),
        (json!({"%%user.custom_data.teams": {"$ne": "green"}}), true),
        (json!({"%%user.custom_data.teams.1": "blue"}), true),
        (json!({"%%user.custom_data.teams.0": "blue"}), false),
        (json!({"%%user.custom_data.level": {"$numberDouble": "3"}}), true),
        (json!({"%%user.custom_data.level": {"$gte": 3, "$lt": 4}}), true),
        (json!({"%%user.custom_data.level": {"$gt": "2"}}), false),
        (json!({"%%user.identities.providerType": "anon-user"}), true),
        (json!({"%%user.identities.providerType": "local-userpass"}), false),
        (json!({"%%user.id": {"$in": "%%values.admins"}}), false),
        (json!({"%%environment.tag": "production"}), true),
        (json!({"%%true": true, "%%false": {"$ne": true}}), true),
        (json!({"%%true": "%%user.missing"}), false),
        (json!({"%not": {"%%user.custom_data.banned": true}}), true),
    ];
    for (expression, expected) in cases {
        let mut role = filters(&json!(true), &json!(true));
        role["apply_when"] = expression.clone();
        let set = RoleSet::parse(&json!([role]), &queryable(), "roles").unwrap();
        assert_eq!(set.select(&known(&user)).is_some(), expected, "{expression}");
    }
}

#[test]
fn converters_make_typed_ids_of_text_and_back() {
    let oid = "0123456789abcdef01234567";
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let user = json!({"oid": {"$oid": oid}, "uuid": {"$uuid": uuid}, "id": oid, "text": uuid});
    for (left, right) in [
        ("%%user.oid", json!({"%stringToOid": "%%user.id"})),
        ("%%user.oid", json!({"$stringToOid": oid})),
        ("%%user.id", json!({"%oidToString": "%%user.oid"})),
        ("%%user.uuid", json!({"%stringToUuid": "%%user.text"})),
        ("%%user.text", json!({"%uuidToString": {"$uuid": uuid}})),
    ] {
        let mut role = filters(&json!(true), &json!(true));
        role["apply_when"] = json!({left: right});
        let set = RoleSet::parse(&json!([role]), &queryable(), "roles").unwrap();
        assert!(set.select(&known(&user)).is_some(), "{left} {right}");
    }
    // Twelve bytes of text are an object id too.
    let session = role(&filters(&json!({"_id": {"%stringToOid": "twelve bytes"}}), &json!(false)));
    let session = session.select(&known(&user)).unwrap();
    let expected = json!(["_id", "eq", {"$oid": "7477656c7665206279746573"}]);
    assert_eq!(session.read.to_json(), expected);
}

#[test]
fn a_null_field_is_never_less_than_a_value() {
    let session = role(&filters(&json!({"ownerId": {"$lt": "z"}}), &json!(false)));
    let session = session.select(&known(&json!({"id": "me"}))).unwrap();
    assert!(!matches(&session.read, None, 0));
    assert!(matches(&session.read, Some("a"), 0));
}

#[test]
fn what_sync_cannot_use_is_refused_by_place_and_reason() {
    let good = filters(&json!(true), &json!(true));
    let with = |key: &str, value: Json| {
        let mut role = good.clone();
        role[key] = value;
        role
    };
    let cases = [
        (with("document_filter", json!({})), "roles[0].document_filter: unknown key"),
        (with("fields", json!({})), "not supported yet"),
        (with("read", json!({"a": 1})), "roles[0].read: must be true or false"),
        (with("apply_when", json!({"ownerId": 1})), "apply_when cannot name the document field"),
        (filters(&json!({"price": 1}), &json!(true)), "\"price\" is not a queryable field"),
        (filters(&json!({"ownerId": "%%prev.x"}), &json!(true)), "cannot be used with sync"),
        (filters(&json!({"ownerId": {"$where": 1}}), &json!(true)), "unknown operator \"$where\""),
        (filters(&json!({"complexity": {"$in": 3}}), &json!(true)), "takes an array"),
        (
            filters(&json!({"%%true": {"%function": {"name": "f"}}}), &json!(true)),
            "roles[0].document_filters.read.%%true.%function: %function can only be used in apply_when",
        ),
        (
            with("apply_when", json!({"%%true": {"%function": {"name": "f", "arguments": []}}})),
            "roles[0].apply_when.%%true.%function: %function is not supported yet",
        ),
        (filters(&json!({"$where": {}}), &json!(true)), "operator \"where\" cannot stand here"),
        (filters(&json!({"complexity": {"$gt": [1]}}), &json!(true)), "takes a single value"),
        (filters(&json!({"complexity": {"$exists": 1}}), &json!(true)), "takes true or false"),
        (
            filters(&json!({"complexity": {"a": 1, "b": 2}}), &json!(true)),
            "an object is not a value",
        ),
        (
            filters(&json!({"_id": {"%stringToOid": "short"}}), &json!(true)),
            "roles[0].document_filters.read._id.%stringToOid: \"%stringToOid\" cannot convert \"short\"",
        ),
        (
            filters(&json!({"_id": {"%stringToOid": {"%oidToString": "%%user.id"}}}), &json!(true)),
            "cannot convert",
        ),
        (json!({"name": "r", "read": true}), "document_filters: is required"),
    ];
    for (role, expected) in cases {
        let error = RoleSet::parse(&json!([role]), &queryable(), "roles").unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should contain {expected}");
    }
}

#[test]
fn conditions_survive_their_text() {
    let expression = json!({"$or": [{"ownerId": "%%user.id"}, {"complexity": {"$in": [1, 2]}},
        {"$not": {"ownerId": {"$exists": true}}}]});
    let session =
        role(&filters(&expression, &json!(false))).select(&known(&json!({"id": "me"}))).unwrap();
    let read = Condition::from_json(&session.read.to_json()).unwrap();
    assert_eq!(read, session.read);
}

#[test]
fn a_collections_own_roles_replace_the_default_ones() {
    let open = filters(&json!(true), &json!(true));
    let config = json!({
        "queryable_fields": ["ownerId", "complexity"],
        "collections": [{"class": "Item", "roles": [{"name": "own", "apply_when": {"%%user.id": "me"},
            "document_filters": {"read": true, "write": false}, "read": true}]}],
        "default_roles": [open],
    });
    let config = EngineConfig::parse(&config.to_string()).unwrap();
    assert_eq!(config.role("Item", &json!({"id": "me"})).unwrap().name, "own");
    assert!(config.role("Item", &json!({"id": "you"})).is_none(), "no fall-through");
    assert_eq!(config.role("Other", &json!({"id": "you"})).unwrap().name, "r");
}

/// Reads a configuration of one class with these queryable fields, global and of the class.
fn with_queryable(global: &Json, own: &Json) -> Result<EngineConfig, ConfigError> {
    let text = json!({"bsonType": "string"});
    let part =
        json!({"bsonType": "object", "title": "Part", "properties": {"size": {"bsonType": "int"}}});
    let properties = json!({
        "_id": {"bsonType": "int"},
        "name": text,
        "tags": {"bsonType": "array", "items": text},
        "any": {"bsonType": "mixed"},
        "map": {"bsonType": "object", "additionalProperties": true},
        "unique": {"bsonType": "array", "uniqueItems": true, "items": text},
        "part": part,
        "parts": {"bsonType": "array", "items": part},
        "other": {"bsonType": "int"},
        "place": {"bsonType": "object", "title": "Place", "properties": {
            "type": text, "coordinates": {"bsonType": "array", "items": {"bsonType": "double"}}}},
    });
    let relationships = json!({"other": {"ref": "#/relationship/s/d/items", "foreign_key": "_id"}});
    let config = json!({
        "collections": [{"class": "Item", "database": "d", "collection": "items", "schema": {
            "bsonType": "object", "required": ["_id"], "properties": properties},
            "relationships": relationships}],
        "queryable_fields": global,
        "collection_queryable_fields": {"Item": own},
    });
    EngineConfig::parse(&config.to_string())
}

#[test]
fn queryable_fields_that_cannot_be_are_refused_by_class_and_field() {
    for (field, what) in [
        ("any", "mixed"),
        ("map", "a dictionary"),
        ("part", "an embedded object that is no GeoJSON point"),
        ("parts", "an array of what is not primitive"),
        ("unique", "a set"),
        ("other", "a link"),
    ] {
        let error = with_queryable(&json!([]), &json!([field])).unwrap_err();
        assert_eq!(error.path, "collection_queryable_fields.Item");
        let reason = format!("\"{field}\" of class \"Item\" cannot be queried: it is {what}");
        assert_eq!(error.reason, reason);
    }
}

#[test]
fn arrays_of_primitives_and_points_are_queryable() {
    with_queryable(&json!(["tags"]), &json!(["place", "tags"])).unwrap();
}

#[test]
fn a_global_field_means_nothing_in_a_class_where_it_cannot_be_queried() {
    let global = json!(["name", "any", "map", "part", "other", "unique", "elsewhere"]);
    with_queryable(&global, &json!(["name"])).unwrap();
}
