//! Going from object to object along a path.

use std::borrow::Cow;

use skerry_model::content::Fields;
use skerry_model::{Content, Link, Name, ObjectKey, Property, Schema, Value};

use crate::eval::{Objects, Row};
use crate::expression::{Hop, Selector};
use crate::predicate::PropertyRef;

/// An object on the way.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    /// The one that the condition is evaluated on.
    Row(&'a dyn Row),
    /// Another.
    Object {
        /// Which.
        link: &'a Link,
        /// What it holds.
        contents: &'a [Content],
    },
    /// One inside of another.
    Embedded {
        /// What it holds.
        fields: &'a Fields,
        /// The object that it is directly inside of.
        parent: &'a Node<'a>,
        /// The property there.
        property: &'a str,
    },
}

/// Where nothing is embedded, so that there is no key either.
static NO_KEY: ObjectKey = ObjectKey::Null;

impl Row for Node<'_> {
    fn key(&self) -> &ObjectKey {
        match self {
            Self::Row(row) => row.key(),
            Self::Object { link, .. } => &link.key,
            Self::Embedded { .. } => &NO_KEY,
        }
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        let found = match self {
            Self::Row(row) => return row.content(property),
            Self::Object { contents, .. } => contents.get(property.index),
            Self::Embedded { fields, .. } => fields.get(&property.name),
        };
        found.map_or(Cow::Owned(Content::NULL), Cow::Borrowed)
    }
}

/// What is called with each object that is reached, and with nothing where a single link is null.
pub(crate) type Visit<'v> = dyn FnMut(Option<&Node<'_>>) + 'v;

/// Goes along the hops. Where one of several objects leads nowhere, nothing is visited for it.
pub(crate) fn walk(objects: &dyn Objects, node: &Node<'_>, hops: &[Hop], visit: &mut Visit<'_>) {
    let Some((hop, rest)) = hops.split_first() else {
        visit(Some(node));
        return;
    };
    let is_multiple = hop.is_multiple();
    step(objects, node, hop, &mut |next| match next {
        Some(next) => walk(objects, next, rest, &mut |found| {
            if found.is_some() || !is_multiple {
                visit(found);
            }
        }),
        None if is_multiple => {}
        None => visit(None),
    });
}

/// Takes one hop.
pub(crate) fn step(objects: &dyn Objects, node: &Node<'_>, hop: &Hop, visit: &mut Visit<'_>) {
    if !objects.may_step() {
        return;
    }
    match hop {
        Hop::Link { property, selector, .. } => {
            let content = node.content(property);
            let mut target = |content: &Content| {
                enter(objects, node, &property.name, content, visit);
            };
            selected(&content, selector.as_ref(), &mut target);
        }
        Hop::Backlinks { target, class, property } => {
            backlinks(objects, node, target, class, property, visit);
        }
    }
}

/// Hands what a link property holds to `target`: each element that is selected.
pub(crate) fn selected(
    content: &Content,
    selector: Option<&Selector>,
    target: &mut dyn FnMut(&Content),
) {
    match content {
        Content::Value(_) | Content::Object(_) => target(content),
        Content::List(elements) => match selector {
            None => elements.iter().for_each(target),
            Some(selector) => target(element(elements, selector).unwrap_or(&Content::NULL)),
        },
        Content::Set(set) => {
            for value in set.iter() {
                target(&Content::Value(value.clone()));
            }
        }
        Content::Dictionary(fields) => match selector {
            Some(Selector::Key(key)) => target(fields.get(&**key).unwrap_or(&Content::NULL)),
            Some(Selector::Name(key)) => target(fields.get(key).unwrap_or(&Content::NULL)),
            _ => fields.values().for_each(target),
        },
    }
}

/// The element of a list that a selector selects.
pub(crate) fn element<'c>(elements: &'c [Content], selector: &Selector) -> Option<&'c Content> {
    match selector {
        Selector::Position(position) => elements.get(usize::try_from(*position).ok()?),
        Selector::First => elements.first(),
        Selector::Last => elements.last(),
        _ => None,
    }
}

/// Visits the object that a link leads to, or that is embedded.
fn enter(
    objects: &dyn Objects,
    parent: &Node<'_>,
    property: &str,
    content: &Content,
    visit: &mut Visit<'_>,
) {
    match content {
        Content::Object(fields) => visit(Some(&Node::Embedded { fields, parent, property })),
        Content::Value(Value::Link(link)) => match objects.object(link) {
            Some(contents) => visit(Some(&Node::Object { link, contents: &contents })),
            None => visit(None),
        },
        _ => visit(None),
    }
}

/// The link to a node; `None` for what is embedded, to which nothing can link.
pub(crate) fn link_to(node: &Node<'_>, class: &Name) -> Option<Link> {
    match node {
        Node::Row(row) => Some(Link { class: class.clone(), key: row.key().clone() }),
        Node::Object { link, .. } => Some((*link).clone()),
        Node::Embedded { .. } => None,
    }
}

fn backlinks(
    objects: &dyn Objects,
    node: &Node<'_>,
    target: &Name,
    class: &Name,
    property: &PropertyRef,
    visit: &mut Visit<'_>,
) {
    let Some(target) = link_to(node, target) else {
        // What is embedded has its owner for the only object that leads to it.
        if let Node::Embedded { parent, property: held, .. } = node
            && **held == *property.name
        {
            visit(Some(parent));
        }
        return;
    };
    let schema = objects.schema();
    let is_embedded = schema.class(class).is_some_and(|class| class.embedded);
    let of = (!is_embedded).then_some((class, property));
    for origin in objects.referrers(&target, of) {
        let Some(contents) = objects.object(&origin) else { continue };
        let node = Node::Object { link: &origin, contents: &contents };
        let mut found = |holder: &Node<'_>| {
            for _ in 0..links_to(&holder.content(property), &target) {
                visit(Some(holder));
            }
        };
        if is_embedded {
            embedded(schema, &node, &origin.class, class, &mut found);
        } else {
            found(&node);
        }
    }
}

/// How many links to the target a content holds, at whatever depth.
pub(crate) fn links_to(content: &Content, target: &Link) -> usize {
    let mut found = 0;
    content.for_each_link(&mut |link| found += usize::from(link == target));
    found
}

/// Visits what is embedded in an object of `class` and itself of class `wanted`, at whatever depth.
fn embedded(
    schema: &Schema,
    node: &Node<'_>,
    class: &str,
    wanted: &Name,
    visit: &mut dyn FnMut(&Node<'_>),
) {
    let Some(class) = schema.class(class) else { return };
    for (index, property) in class.properties.iter().enumerate() {
        let Some(inner) = embedded_class(schema, property) else { continue };
        let Some(held) = PropertyRef::resolve(class, &property.name) else { continue };
        debug_assert_eq!(held.index, index);
        let content = node.content(&held);
        selected(&content, None, &mut |content| {
            let Content::Object(fields) = content else { return };
            let child = Node::Embedded { fields, parent: node, property: &property.name };
            if *inner == **wanted {
                visit(&child);
            }
            embedded(schema, &child, inner, wanted, visit);
        });
    }
}

fn embedded_class<'s>(schema: &'s Schema, property: &Property) -> Option<&'s str> {
    let class = schema.class(property.target.as_deref()?)?;
    class.embedded.then_some(class.name.as_str())
}
