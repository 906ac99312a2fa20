//! Putting whole contents at a place: what makes room for them, and what fills it.
//!
//! Contents come fitted to their place ([`Content::fitted`]), so filling cannot fail. A place is
//! filled front to back, each element with what is inside it before the next one.

use std::sync::Arc;

use super::{
    EditError, List, Places, above, clear, find, set_collection, set_embedded, update, wrong_place,
};
use crate::content::Place;
use crate::{
    CollectionType, Content, Instruction, ObjectRef, Path, PathElement, Payload, Property, Schema,
};

impl Content {
    /// Adds the instructions that make a property of a new object hold this content, which is fitted
    /// to it. `is_default` marks the value as a default of the object.
    pub fn fill(
        self,
        schema: &Schema,
        (property, places): (&Property, &Places),
        object: &Arc<ObjectRef>,
        is_default: bool,
        made: &mut Vec<Instruction>,
    ) {
        match (property.collection, self) {
            // Most of what many objects hold.
            (CollectionType::Single, Self::Value(value)) => {
                made.push(update(places.property(object), Payload::Value(value), is_default));
            }
            (CollectionType::List, Self::List(elements)) if elements.iter().all(is_value) => {
                for (index, element) in (0..).zip(elements) {
                    made.push(Instruction::ArrayInsert {
                        path: places.position(object, index),
                        value: payload(&element),
                        prior_size: index,
                    });
                }
            }
            (_, content) => {
                let (place, path) = (Place::of(schema, property), places.property(object));
                put(schema, place, &path, &content, is_default, made);
            }
        }
    }
}

fn is_value(content: &Content) -> bool {
    content.as_value().is_some()
}

/// What an assignment does to the place before it is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A value takes the place.
    Set,
    /// A collection of the schema's is emptied.
    Empty,
    /// A new embedded object takes the place.
    Embed,
    /// The mixed there becomes an empty collection.
    Become(CollectionType),
}

/// The head of an assignment and what comes behind it.
pub(super) fn assignment(
    schema: &Schema,
    property: &Property,
    path: &Path,
    content: &Content,
) -> Result<(Head, Vec<Instruction>), EditError> {
    let place = Place::at(schema, property, &path.elements);
    let place = place.ok_or_else(|| wrong_place(path, "such place"))?;
    let head = match (place, content) {
        (Place::Collection(..), _) => Head::Empty,
        (Place::Single(_), Content::Object(_)) => Head::Embed,
        (Place::Single(_), Content::Value(_)) => Head::Set,
        (Place::Single(_), Content::List(_) | Content::Dictionary(_) | Content::Set(_)) => {
            Head::Become(content.collection())
        }
    };
    let mut made = Vec::new();
    fill(schema, place, path, content, &mut made);
    Ok((head, made))
}

impl Head {
    /// The instructions of the head, for what the property holds now.
    pub(super) fn instructions(
        self,
        held: &Content,
        property: &Property,
        path: &Path,
        (content, is_default): (&Content, bool),
    ) -> Result<Vec<Instruction>, EditError> {
        match self {
            Self::Set => {
                let value = content.as_value().cloned().unwrap_or(crate::Value::Null);
                Ok(vec![update(path.clone(), Payload::Value(value), is_default)])
            }
            Self::Empty => clear(path, find(held, path)?, property),
            Self::Embed => set_embedded(held, path),
            Self::Become(kind) => {
                let made = set_collection(held, path, kind)?;
                // A filled one of that kind keeps its content, so it is emptied.
                let clear = Instruction::Clear { path: path.clone(), collection: kind };
                Ok(if made.is_empty() { vec![clear] } else { made })
            }
        }
    }
}

/// For each of the elements, inserted one behind the other: what fills it.
pub(super) fn fillings(
    schema: &Schema,
    property: &Property,
    path: &Path,
    index: u32,
    elements: &[Content],
) -> Result<Vec<Vec<Instruction>>, EditError> {
    let place = Place::at(schema, property, &path.elements);
    let kind = place.and_then(Place::element).ok_or_else(|| wrong_place(path, "list"))?;
    let filled = (index..).zip(elements).map(|(at, element)| {
        let mut made = Vec::new();
        let path = super::below(path, PathElement::Index(at));
        fill(schema, Place::Single(kind), &path, element, &mut made);
        made
    });
    Ok(filled.collect())
}

/// Inserts elements with what fills each of them.
pub(super) fn insert_all(
    list: &List<'_>,
    index: u32,
    elements: &[Content],
    fillings: Vec<Vec<Instruction>>,
) -> Result<Vec<Instruction>, EditError> {
    let gap = list.gap(index)?;
    let mut made = Vec::with_capacity(elements.len());
    for ((offset, element), filling) in (0..).zip(elements).zip(fillings) {
        let (at, prior_size) = (gap.checked_add(offset), list.size.checked_add(offset));
        let (Some(at), Some(prior_size)) = (at, prior_size) else {
            return Err(wrong_place(list.path, "room for so many elements"));
        };
        made.push(Instruction::ArrayInsert {
            path: list.place(at),
            value: payload(element),
            prior_size,
        });
        made.extend(filling);
    }
    Ok(made)
}

/// An assignment to a list position is by the list.
pub(super) fn list_of(path: &Path) -> Option<(Path, u32)> {
    match path.elements.last() {
        Some(PathElement::Index(index)) => Some((above(path), *index)),
        Some(PathElement::Key(_)) | None => None,
    }
}

fn payload(content: &Content) -> Payload {
    match content {
        Content::Value(value) => Payload::Value(value.clone()),
        Content::List(_) | Content::Set(_) => Payload::List,
        Content::Dictionary(_) => Payload::Dictionary,
        Content::Object(_) => Payload::ObjectValue,
    }
}

/// Makes a place that nothing was put at yet, a property or key, hold a content.
fn put(
    schema: &Schema,
    place: Place<'_>,
    path: &Path,
    content: &Content,
    is_default: bool,
    made: &mut Vec<Instruction>,
) {
    if matches!(place, Place::Single(_)) {
        made.push(update(path.clone(), payload(content), is_default));
    }
    fill(schema, place, path, content, made);
}

/// Fills what stands empty at the place.
fn fill(
    schema: &Schema,
    place: Place<'_>,
    path: &Path,
    content: &Content,
    made: &mut Vec<Instruction>,
) {
    let below = |element| super::below(path, element);
    match content {
        Content::Value(_) => {}
        Content::List(elements) => {
            let Some(kind) = place.element() else { return };
            for (index, element) in (0..).zip(elements) {
                let path = below(PathElement::Index(index));
                let value = payload(element);
                made.push(Instruction::ArrayInsert {
                    path: path.clone(),
                    value,
                    prior_size: index,
                });
                fill(schema, Place::Single(kind), &path, element, made);
            }
        }
        Content::Set(set) => made.extend(
            set.iter()
                .map(|value| Instruction::SetInsert { path: path.clone(), value: value.clone() }),
        ),
        Content::Dictionary(fields) => {
            let Some(kind) = place.element() else { return };
            for (key, field) in fields {
                let path = below(PathElement::Key(key.clone()));
                put(schema, Place::Single(kind), &path, field, false, made);
            }
        }
        Content::Object(fields) => {
            let Place::Single(kind) = place else { return };
            for (name, field) in fields {
                let property = kind.embedded.and_then(|class| class.property(name));
                let Some(property) = property else { continue };
                let path = below(PathElement::Key(name.clone()));
                put(schema, Place::of(schema, property), &path, field, false, made);
            }
        }
    }
}
