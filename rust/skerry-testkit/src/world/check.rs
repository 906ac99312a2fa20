//! What must be true when the system has come to rest.

use skerry_model::{Content, Link, ObjectKey, ObjectRef, ServerVersion, Value};
use skerry_store::realm::SubscriptionState;
use skerry_store::server::{FieldValues, ObjectEntry, Store};

use super::{Device, KEYS, Objects, QUERYABLE, Role, World, schema};

impl World {
    /// Compares every device with what it should have.
    ///
    /// # Errors
    ///
    /// The first difference, in words.
    pub fn check(&self) -> Result<(), String> {
        let server = self.server_objects();
        self.check_history(&server)?;
        for (number, device) in self.devices.iter().enumerate() {
            let said = |text: String| format!("device {number} ({}): {text}", device.user);
            if let Some(complaint) = device.complaints.first() {
                return Err(said(complaint.clone()));
            }
            let state = device.latest_set().state;
            if state != SubscriptionState::Complete {
                return Err(said(format!("its subscriptions are {}", state.name())));
            }
            let mut versions = device.compensations.clone();
            versions.dedup();
            if versions.len() != device.compensations.len() || !versions.is_sorted() {
                return Err(said(format!(
                    "compensations came twice or out of order: {versions:?}"
                )));
            }
            let expected = self.expected(device, &server);
            let found = device.objects();
            if found != expected {
                return Err(said(format!("it has\n  {found:?}\nand should have\n  {expected:?}")));
            }
        }
        Ok(())
    }

    /// The history of each object keeps what its queryable fields held, without a gap up to now.
    fn check_history(&self, server: &Objects) -> Result<(), String> {
        let snapshot = self.store().snapshot().expect("a snapshot can be had");
        for key in 0..KEYS {
            let object = ObjectRef::new("Item", ObjectKey::Int(key));
            let history = snapshot.object_history(&object, ServerVersion(0));
            let mut held: Option<FieldValues> = None;
            for entry in history.expect("the history can be read") {
                let ObjectEntry { version, before, after, .. } = entry;
                if before != held {
                    return Err(format!("{object:?} at {version}: {held:?} became {before:?}"));
                }
                held = after;
            }
            let expected = server.get(&key).map(|contents| queryable_of(contents));
            if held != expected {
                return Err(format!("{object:?}: the history says {held:?}, it has {expected:?}"));
            }
        }
        Ok(())
    }

    /// What the device should show: what it asked for, met with what its user may read; links to what it does
    /// not have are not seen.
    fn expected(&self, device: &Device, server: &Objects) -> Objects {
        let visible = |contents: &Vec<Content>| {
            let owner = text_of(&contents[1]);
            let Content::Value(Value::Int(level)) = contents[2] else { return false };
            let readable = match self.role {
                Role::Open | Role::ReadAllWriteOwn => true,
                Role::ReadOwnWriteOwn => owner == Some(device.user),
                Role::Shared => owner == Some(device.user) || tags_of(contents).contains(&"1"),
            };
            readable && is_asked_for(device.query, level, owner, contents)
        };
        let mut expected: Objects = server
            .iter()
            .filter(|(_, contents)| visible(contents))
            .map(|(&key, contents)| (key, contents.clone()))
            .collect();
        let keys: Vec<i64> = expected.keys().copied().collect();
        let mut exists =
            |link: &Link| matches!(link.key, ObjectKey::Int(key) if keys.contains(&key));
        let schema = schema();
        let properties = &schema.class("Item").expect("the world has one class").properties;
        for contents in expected.values_mut() {
            for (property, content) in properties.iter().zip(contents) {
                *content = content.seen(&schema, property, &mut exists);
            }
        }
        expected
    }
}

/// What views and rules may be about, said once more.
fn queryable_of(contents: &[Content]) -> FieldValues {
    let schema = schema();
    let class = schema.class("Item").expect("the world has one class");
    let fields = (0_u32..).zip(&class.properties).zip(contents);
    let kept = fields.filter(|((_, property), _)| QUERYABLE.contains(&property.name.as_str()));
    let kept = kept.map(|((position, _), content)| match content {
        Content::Object(fields) => {
            let mut fields = fields.clone();
            fields.remove("visits");
            (position, Content::Object(fields))
        }
        other => (position, other.clone()),
    });
    FieldValues(kept.collect())
}

/// The queries of [`super::QUERIES`], said once more without the query language.
fn is_asked_for(query: usize, level: i64, owner: Option<&str>, contents: &[Content]) -> bool {
    let tags = tags_of(contents);
    match query {
        0 => false,
        1 => true,
        2 => level <= 4,
        3 => level > 2,
        4 => [1, 3, 5].contains(&level),
        5 => owner == Some("u0") || level == 7,
        6 => tags.contains(&"1"),
        7 => tags.contains(&"2") || level == 0,
        8 => !tags.contains(&"3") && !tags.contains(&"4"),
        9 => tags.len() > 1,
        10 => is_in_box(held(contents, "place")),
        _ => panic!("there is no query {query}"),
    }
}

fn held<'c>(contents: &'c [Content], name: &str) -> &'c Content {
    let schema = schema();
    let class = schema.class("Item").expect("the world has one class");
    &contents[class.position(name).expect("there is such a property")]
}

fn tags_of(contents: &[Content]) -> Vec<&str> {
    match held(contents, "tags") {
        Content::List(tags) => tags.iter().filter_map(text_of).collect(),
        other => panic!("{other:?} is no list"),
    }
}

/// Whole degrees from 1 to 3 are in the box, 0 and 4 are not, and no edge bends that far.
fn is_in_box(place: &Content) -> bool {
    let Content::Object(fields) = place else { return false };
    let Content::List(coordinates) = &fields["coordinates"] else { return false };
    let degrees = |content: &Content| match content {
        Content::Value(Value::Double(degrees)) => *degrees,
        other => panic!("{other:?} is no coordinate"),
    };
    let is_near = |content: &Content| (1.0..=3.0).contains(&degrees(content));
    text_of(&fields["type"]) == Some("Point")
        && coordinates.len() >= 2
        && coordinates[..2].iter().all(is_near)
}

fn text_of(content: &Content) -> Option<&str> {
    match content {
        Content::Value(Value::String(text)) => Some(text),
        _ => None,
    }
}
