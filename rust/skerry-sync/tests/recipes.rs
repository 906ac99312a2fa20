//! The permission recipes of server 1.7, from their JSON to what they decide of documents.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use skerry_model::{
    ClassSchema, CollectionType, Content, Name, ObjectId, ObjectKey, Property, PropertyType,
    Schema, Value,
};
use skerry_query::{FieldRow, NoObjects, Predicate};
use skerry_sync::server::ConfigError;
use skerry_sync::server::rules::{Condition, RoleSet, SessionRole, UserValues};

const OID: &str = "0123456789abcdef01234567";

fn schema() -> Schema {
    let (text, list) = (PropertyType::String, CollectionType::List);
    let class = ClassSchema {
        embedded: false,
        name: "Item".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::ObjectId, false),
            Property::scalar("owner_id", text, true),
            Property::scalar("team", text, true),
            Property::collection("collaborators", list, text, false),
            Property::collection("scores", list, PropertyType::Double, true),
            Property::link("place", "Place"),
        ],
    };
    let place = ClassSchema {
        embedded: true,
        name: "Place".into(),
        primary_key: "".into(),
        properties: vec![
            Property::scalar("type", text, false),
            Property::collection("coordinates", list, PropertyType::Double, false),
        ],
    };
    Schema::new([class, place]).unwrap()
}

fn parse(roles: &Json) -> Result<RoleSet, ConfigError> {
    let queryable = ["owner_id", "team", "collaborators", "scores", "place"];
    let queryable: BTreeSet<String> = queryable.map(str::to_owned).into();
    RoleSet::parse(roles, &queryable, "roles")
}

fn role_of(roles: &Json, user: &Json) -> Option<SessionRole> {
    let known = UserValues {
        user: user.clone(),
        values: json!({"admin_ids": ["ann", "bob"]}),
        environment: json!({"tag": "production", "values": {"open": true}}),
    };
    parse(roles).unwrap().select(&known)
}

/// A document of these fields; what is not there is null, or an empty list.
#[derive(Clone, Default)]
struct Document {
    owner: Option<&'static str>,
    team: Option<&'static str>,
    collaborators: &'static [&'static str],
    scores: &'static [f64],
}

impl Document {
    fn passes(&self, condition: &Condition) -> bool {
        let text = |text: Option<&str>| Content::Value(text.map_or(Value::Null, Value::string));
        let collaborators = self.collaborators.iter().map(|&name| text(Some(name))).collect();
        let scores = self.scores.iter().map(|&score| Value::Double(score).into()).collect();
        let fields: [(Name, Content); 5] = [
            ("owner_id".into(), text(self.owner)),
            ("team".into(), text(self.team)),
            ("collaborators".into(), Content::List(collaborators)),
            ("scores".into(), Content::List(scores)),
            ("_id".into(), Value::ObjectId(ObjectId::parse(OID).unwrap()).into()),
        ];
        let key = ObjectKey::ObjectId(ObjectId::parse(OID).unwrap());
        let (schema, row) = (schema(), FieldRow { key: &key, fields: &fields });
        condition.bind(&schema, schema.class("Item").unwrap()).matches(&row, &NoObjects)
    }
}

fn of(owner: &'static str) -> Document {
    Document { owner: Some(owner), ..Document::default() }
}

/// Whether the user may read and write the document.
fn access(roles: &Json, user: &Json, document: &Document) -> (bool, bool) {
    let Some(role) = role_of(roles, user) else { return (false, false) };
    (document.passes(&role.read), document.passes(&role.write))
}

const ALL: (bool, bool) = (true, true);
const READ: (bool, bool) = (true, false);
const NOTHING: (bool, bool) = (false, false);

fn role(name: &str, apply_when: &Json, read: &Json, write: &Json) -> Json {
    json!({"name": name, "apply_when": apply_when,
        "document_filters": {"read": read, "write": write}, "read": true, "write": true})
}

fn own() -> Json {
    json!({"owner_id": "%%user.id"})
}

fn user(id: &str, custom_data: &Json) -> Json {
    json!({"id": id, "type": "normal", "data": {}, "custom_data": custom_data, "identities": []})
}

#[test]
fn r1_own_data_is_read_and_written() {
    let roles = json!([role("owner-read-write", &json!({}), &own(), &own())]);
    let me = user("me", &json!({}));
    assert_eq!(access(&roles, &me, &of("me")), ALL);
    assert_eq!(access(&roles, &me, &of("you")), NOTHING);
    assert_eq!(access(&roles, &me, &Document::default()), NOTHING);
}

#[test]
fn r2_all_is_read_and_own_data_written() {
    let roles = json!([role("owner-write", &json!({}), &json!(true), &own())]);
    let me = user("me", &json!({}));
    assert_eq!(access(&roles, &me, &of("me")), ALL);
    assert_eq!(access(&roles, &me, &of("you")), READ);
}

#[test]
fn r3_the_first_role_that_applies_makes_the_administrator() {
    let admin = role(
        "admin",
        &json!({"%%user.custom_data.isGlobalAdmin": true}),
        &json!(true),
        &json!(true),
    );
    let other = role("user", &json!({}), &own(), &own());
    let boss = user("boss", &json!({"isGlobalAdmin": true}));
    let me = user("me", &json!({"isGlobalAdmin": false}));
    let roles = json!([admin, other]);
    assert_eq!(access(&roles, &boss, &of("you")), ALL);
    assert_eq!(access(&roles, &me, &of("you")), NOTHING);
    assert_eq!(access(&json!([other, admin]), &boss, &of("you")), NOTHING);
}

#[test]
fn r4_a_feed_shows_whom_the_user_follows() {
    let read = json!({"owner_id": {"$in": "%%user.custom_data.subscribedTo"}});
    let roles = json!([role("owner-read-write", &json!({}), &read, &own())]);
    let me = user("me", &json!({"subscribedTo": ["ann", "bob"]}));
    assert_eq!(access(&roles, &me, &of("ann")), READ);
    assert_eq!(access(&roles, &me, &of("me")), ALL, "writing implies reading");
    assert_eq!(access(&roles, &me, &of("you")), NOTHING);
    for nobody in [json!({"subscribedTo": []}), json!({})] {
        assert_eq!(access(&roles, &user("me", &nobody), &of("ann")), NOTHING);
        assert_eq!(access(&roles, &user("me", &nobody), &Document::default()), NOTHING);
    }
}

#[test]
fn r5_collaborators_are_whom_the_document_names() {
    let either = json!({"$or": [own(), {"collaborators": "%%user.id"}]});
    let roles = json!([role("collaborator", &json!({}), &either, &either)]);
    let document = Document { collaborators: &["ann", "bob"], ..of("owner") };
    for (id, expected) in [("owner", ALL), ("ann", ALL), ("bob", ALL), ("eve", NOTHING)] {
        assert_eq!(access(&roles, &user(id, &json!({})), &document), expected, "{id}");
    }
    assert_eq!(access(&roles, &user("ann", &json!({})), &of("owner")), NOTHING);
}

/// An array passes where one of its elements does; the opposites, where none does.
#[test]
fn operators_mean_elements_of_arrays() {
    let document = Document { collaborators: &["ann", "bob"], scores: &[1.5, 4.0], ..of("x") };
    let empty = of("x");
    for (expression, expected) in [
        (json!({"collaborators": "ann"}), [true, false]),
        (json!({"collaborators": {"$ne": "ann"}}), [false, true]),
        (json!({"collaborators": {"$in": ["eve", "bob"]}}), [true, false]),
        (json!({"collaborators": {"$in": ["eve", 7]}}), [false, false]),
        (json!({"collaborators": {"$in": []}}), [false, false]),
        (json!({"collaborators": {"$nin": ["eve", "bob"]}}), [false, true]),
        (json!({"collaborators": {"$in": "%%user.custom_data.friends"}}), [true, false]),
        (json!({"collaborators": {"$in": "%%user.missing"}}), [false, false]),
        (json!({"collaborators": {"$gt": "b"}}), [true, false]),
        (json!({"collaborators": {"$exists": true}}), [true, true]),
        (json!({"collaborators": {"$exists": false}}), [false, false]),
        (json!({"collaborators": 7}), [false, false]),
        (json!({"collaborators": null}), [false, false]),
        (json!({"scores": 4}), [true, false]),
        (json!({"scores": {"$numberDecimal": "1.5"}}), [true, false]),
        (json!({"scores": {"$lt": 2}}), [true, false]),
        (json!({"scores": {"$gt": 4}}), [false, false]),
        (json!({"scores": {"$in": [9, 1.5]}}), [true, false]),
        (json!({"scores": "1.5"}), [false, false]),
        (json!({"place": {"$exists": true}}), [false, false]),
        (json!({"place": {"$exists": false}}), [true, true]),
        (json!({"place": null}), [true, true]),
        (json!({"place": {"$ne": null}}), [false, false]),
        (json!({"place": {"$nin": [1]}}), [true, true]),
    ] {
        let roles = json!([role("r", &json!({}), &expression, &json!(false))]);
        let me = user("me", &json!({"friends": ["eve", "ann"]}));
        let found = [&document, &empty].map(|document| access(&roles, &me, document).0);
        assert_eq!(found, expected, "{expression}");
    }
}

/// So that an index over conditions knows it for what it is.
#[test]
fn an_array_that_contains_a_value_is_the_condition_of_the_query_language() {
    let contains = json!({"collaborators": {"$in": ["bob", "ann"]}});
    let roles = json!([role("r", &json!({}), &contains, &json!(false))]);
    let schema = schema();
    let read = role_of(&roles, &user("me", &json!({}))).unwrap().read;
    let Predicate::Evaluated(bound) = read.bind(&schema, schema.class("Item").unwrap()) else {
        panic!("{read:?}")
    };
    let (property, values) = bound.as_any_equal().unwrap();
    assert_eq!(&*property.name, "collaborators");
    assert_eq!(values, [Value::string("bob"), Value::string("ann")]);
}

#[test]
fn r6_a_team_is_read_by_its_members_and_written_by_its_administrator() {
    let team = json!({"team": "%%user.custom_data.team"});
    let admin = role("admin", &json!({"%%user.custom_data.isTeamAdmin": true}), &team, &team);
    let roles = json!([admin, role("user", &json!({}), &team, &own())]);
    let document = Document { team: Some("red"), ..of("ann") };
    let member = |id: &str, team: &str, is_admin: bool| {
        user(id, &json!({"team": team, "isTeamAdmin": is_admin}))
    };
    assert_eq!(access(&roles, &member("boss", "red", true), &document), ALL);
    assert_eq!(access(&roles, &member("bob", "red", false), &document), READ);
    assert_eq!(access(&roles, &member("ann", "red", false), &document), ALL);
    assert_eq!(access(&roles, &member("boss", "blue", true), &document), NOTHING);
    assert_eq!(access(&roles, &user("new", &json!({})), &Document::default()), NOTHING);
}

#[test]
fn r7_to_r9_permissions_of_fields_are_refused_by_name() {
    for (key, value) in [
        ("fields", json!({"status": {"write": true}})),
        ("additional_fields", json!({"write": true})),
    ] {
        let mut with = role("r", &json!({}), &json!(true), &json!(true));
        with[key] = value;
        let error = parse(&json!([with])).unwrap_err();
        assert_eq!(error.path, format!("roles[0].{key}"));
        assert_eq!(error.reason, "field-level permissions are not supported yet");
    }
}

#[test]
fn r10_and_r11_inserting_and_writing_can_be_forbidden() {
    let mut no_insert = role("r", &json!({}), &json!(true), &json!(true));
    no_insert["insert"] = json!(false);
    let found = role_of(&json!([no_insert]), &user("me", &json!({}))).unwrap();
    assert_eq!(
        (found.insert, found.delete),
        (Condition::Constant(false), Condition::Constant(true))
    );
    assert_eq!(found.write, Condition::Constant(true));

    let by_filter = role("r", &json!({}), &json!(true), &json!(false));
    let mut by_flag = role("r", &json!({}), &json!(true), &json!(true));
    by_flag["write"] = json!(false);
    for roles in [json!([by_filter]), json!([by_flag])] {
        assert_eq!(access(&roles, &user("me", &json!({})), &of("me")), READ);
    }
}

#[test]
fn r12_and_r17_what_needs_a_document_too_early_is_refused() {
    let mut insert_only = role("r", &json!({}), &json!(true), &json!(true));
    insert_only["write"] = json!({"%%prevRoot": {"%exists": false}});
    let error = parse(&json!([insert_only])).unwrap_err();
    assert_eq!(error.to_string(), "roles[0].write: must be true or false to be sync-compatible");

    let filter = json!({"%%prevRoot": {"%exists": false}});
    let error = parse(&json!([role("r", &json!({}), &json!(true), &filter)])).unwrap_err();
    assert_eq!(error.path, "roles[0].document_filters.write.%%prevRoot");
    assert!(error.reason.contains("cannot be used with sync"), "{error}");

    for email in ["%%user.custom_data.manages", "%%user.data.email"] {
        let manager = role("manager", &json!({"email": email}), &json!(true), &json!(true));
        let error = parse(&json!([manager])).unwrap_err();
        assert_eq!(error.path, "roles[0].apply_when.email");
        assert_eq!(error.reason, "apply_when cannot name the document field \"email\"");
    }
}

#[test]
fn r13_to_r15_roles_apply_by_lists_environments_and_kinds_of_users() {
    let anonymous = json!({"id": "a", "type": "normal", "data": {}, "custom_data": {},
        "identities": [{"id": "1", "providerType": "anon-user"}]});
    let mailed = json!({"id": "ann", "type": "normal", "data": {"email": "ann@x.org"},
        "custom_data": {}, "identities": [{"id": "2", "providerType": "local-userpass"}]});
    let process = json!({"id": "p", "type": "server", "data": {}, "custom_data": {},
        "identities": [{"id": "3", "providerType": "api-key"}]});
    let users = [&anonymous, &mailed, &process];
    for (apply_when, expected) in [
        (json!({"%%user.id": {"$in": "%%values.admin_ids"}}), [false, true, false]),
        (json!({"%%environment.tag": "production"}), [true, true, true]),
        (json!({"%%environment.values.open": "%%false"}), [false, false, false]),
        (json!({"%%user.identities.providerType": "anon-user"}), [true, false, false]),
        (json!({"%%user.data.email": {"%exists": true}}), [false, true, false]),
        (json!({"%%user.type": "server"}), [false, false, true]),
    ] {
        let roles = json!([role("r", &apply_when, &json!(true), &json!(true))]);
        let applies = users.map(|user| role_of(&roles, user).is_some());
        assert_eq!(applies, expected, "{apply_when}");
    }
}

#[test]
fn r16_documents_of_users_are_known_by_typed_ids() {
    let filter = json!({"_id": {"%stringToOid": "%%user.id"}});
    let roles = json!([role("r", &json!({}), &filter, &filter)]);
    assert_eq!(access(&roles, &user(OID, &json!({})), &of("x")), ALL);
    for other in ["not an id", "ffffffffffffffffffffffff"] {
        assert_eq!(access(&roles, &user(other, &json!({})), &of("x")), NOTHING);
    }
    let text = json!({"_id": "%%user.id"});
    let roles = json!([role("r", &json!({}), &text, &text)]);
    assert_eq!(access(&roles, &user(OID, &json!({})), &of("x")), NOTHING, "a text is no id");
}
