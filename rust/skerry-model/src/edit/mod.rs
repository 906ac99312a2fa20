//! What an application does to objects, and the instructions that say so (sync-engine 1.4).
//!
//! One piece of code for the realm file and for the peers of tests, so that both emit the same. The
//! invariant: the instructions of an edit, applied to the state that it was asked for, have exactly
//! the effect of the edit. Nothing is applied here.
//!
//! Positions in lists of links count what an application sees; instructions count dangling links
//! too. An edit that changes nothing emits nothing where the real engine emits nothing.

mod assign;
mod places;

pub use places::Places;

use std::sync::Arc;

use crate::content::Fields;
use crate::{
    CollectionType, Content, Instruction, Link, Name, ObjectRef, Path, PathElement, Payload,
    Property, PropertyType, Schema, UpdateSide, Value, ValueSet,
};

/// An edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creates an object and sets properties one by one, in this order.
    Create {
        /// The object.
        object: ObjectRef,
        /// Values by property.
        values: Vec<(Name, Value)>,
        /// Whether the values are defaults of a new object.
        is_default: bool,
    },
    /// Deletes an object, and the links to it.
    Delete {
        /// The object.
        object: ObjectRef,
    },
    /// Changes something inside an object.
    At {
        /// The place: a property, a position, a key, a property of an embedded object.
        path: Path,
        /// What is done there.
        edit: Edit,
    },
}

/// What is done at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets a property, also to a link or null; also when the value does not change.
    Set {
        /// The value.
        value: Value,
        /// Whether it is the default of a new object.
        is_default: bool,
    },
    /// Adds to an int, wrapping at 64 bits.
    AddInteger(i64),
    /// Inserts a value, a new embedded object or an empty collection into the list there.
    ListInsert {
        /// Position of the new element.
        index: u32,
        /// What is inserted.
        value: Payload,
    },
    /// Sets an element of the list there.
    ListSet {
        /// Position of the element.
        index: u32,
        /// Its value.
        value: Value,
    },
    /// Moves an element of the list there.
    ListMove {
        /// Position of the element.
        from: u32,
        /// Its position afterwards.
        to: u32,
    },
    /// Removes an element of the list there.
    ListErase {
        /// Position of the element.
        index: u32,
    },
    /// Empties the collection there.
    Clear,
    /// Puts a value into the set there.
    SetInsert(Value),
    /// Takes a value out of the set there.
    SetErase(Value),
    /// Sets a key of the dictionary there.
    DictionarySet {
        /// The key.
        key: Name,
        /// Its value.
        value: Value,
    },
    /// Removes a key of the dictionary there.
    DictionaryErase {
        /// The key.
        key: Name,
    },
    /// Puts a new embedded object there, in place of the one that is there.
    SetEmbedded,
    /// Makes the mixed there a collection of that kind; one of that kind keeps its content.
    SetCollection(CollectionType),
    /// Makes the place hold a whole content ([`Content::fitted`] for it), whatever it held.
    Assign {
        /// The content.
        content: Content,
        /// Whether it is the default of a new object.
        is_default: bool,
    },
    /// Inserts whole contents (each fitted) into the list there.
    ListInsertAll {
        /// Position of the first of them.
        index: u32,
        /// The elements.
        elements: Vec<Content>,
    },
}

/// Why an edit is not possible. Nothing has been emitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are named in the messages")]
pub enum EditError {
    #[error("no such object")]
    NoSuchObject,
    #[error("an object with this key exists already")]
    ObjectExists,
    #[error("no such property \"{property}\"")]
    NoSuchProperty { property: Name },
    #[error("there is no {expected} at this place in \"{property}\"")]
    WrongPlace { property: Name, expected: &'static str },
    #[error("position {index} is beyond the {size} elements of \"{property}\"")]
    IndexOutOfRange { property: Name, index: u32, size: usize },
    #[error("\"{property}\" has no key \"{key}\"")]
    NoSuchKey { property: Name, key: Name },
    #[error("\"{property}\" links to an object that does not exist")]
    DanglingLink { property: Name },
    #[error("property \"{property}\" is null; nothing can be added to it")]
    AddToNull { property: Name },
}

/// The state that edits are made on.
pub trait Objects {
    /// Why reading can fail.
    type Error: From<EditError>;

    /// The classes.
    fn schema(&self) -> &Schema;

    /// Whether the object exists.
    fn exists(&mut self, object: &ObjectRef) -> Result<bool, Self::Error>;

    /// What a property of an existing object holds.
    fn content(&mut self, object: &ObjectRef, field: &Name) -> Result<&Content, Self::Error>;

    /// Whether a property of an existing object may hold a link to an absent one. Whoever can tell
    /// cheaply spares edits of long lists of links a look at each of them.
    fn may_dangle(&mut self, _object: &ObjectRef, _field: &Name) -> Result<bool, Self::Error> {
        Ok(true)
    }

    /// Objects and properties that hold a link to the object, at whatever depth, each once, in a
    /// defined order.
    fn holders(&mut self, object: &ObjectRef) -> Result<Vec<(ObjectRef, Name)>, Self::Error>;
}

impl Op {
    /// The instructions of the edit on that state.
    ///
    /// # Errors
    ///
    /// [`EditError`] when an application could not do this. Whether values fit their properties
    /// is seen when the instructions are applied.
    pub fn instructions<O: Objects>(&self, on: &mut O) -> Result<Vec<Instruction>, O::Error> {
        match self {
            Self::Create { object, values, is_default } => create(on, object, values, *is_default),
            Self::Delete { object } => delete(on, object),
            Self::At { path, edit } => {
                must_exist(on, &path.object)?;
                edit.instructions(on, path)
            }
        }
    }
}

fn must_exist<O: Objects>(on: &mut O, object: &ObjectRef) -> Result<(), O::Error> {
    if on.exists(object)? { Ok(()) } else { Err(EditError::NoSuchObject.into()) }
}

fn must_resolve<O: Objects>(on: &mut O, field: &Name, value: &Value) -> Result<(), O::Error> {
    let Value::Link(link) = value else { return Ok(()) };
    if on.exists(&ObjectRef { class: link.class.clone(), key: link.key.clone() })? {
        return Ok(());
    }
    Err(EditError::DanglingLink { property: field.clone() }.into())
}

fn must_resolve_all<O: Objects>(
    on: &mut O,
    field: &Name,
    content: &Content,
) -> Result<(), O::Error> {
    let mut links = Vec::new();
    content.for_each_link(&mut |link| links.push(link.clone()));
    links.into_iter().try_for_each(|link| must_resolve(on, field, &link.into()))
}

fn create<O: Objects>(
    on: &mut O,
    object: &ObjectRef,
    values: &[(Name, Value)],
    is_default: bool,
) -> Result<Vec<Instruction>, O::Error> {
    if on.exists(object)? {
        return Err(EditError::ObjectExists.into());
    }
    let itself = Value::link(object.class.clone(), object.key.clone());
    let mut made = vec![Instruction::CreateObject { object: object.clone() }];
    let shared = Arc::new(object.clone());
    for (field, value) in values {
        if *value != itself {
            must_resolve(on, field, value)?;
        }
        let path = Path::property(shared.clone(), field.clone());
        made.push(update(path, Payload::Value(value.clone()), is_default));
    }
    Ok(made)
}

fn update(path: Path, value: Payload, is_default: bool) -> Instruction {
    Instruction::Update { path, value, side: UpdateSide::IsDefault(is_default) }
}

fn delete<O: Objects>(on: &mut O, object: &ObjectRef) -> Result<Vec<Instruction>, O::Error> {
    must_exist(on, object)?;
    let link = Link { class: object.class.clone(), key: object.key.clone() };
    let mut made = Vec::new();
    for (holder, field) in on.holders(object)? {
        // Its own links go with it.
        if holder != *object {
            let path = Path::property(holder.clone(), field.clone());
            unlink(on.content(&holder, &field)?, &link, &path, &mut made);
        }
    }
    made.push(Instruction::EraseObject { object: object.clone() });
    Ok(made)
}

/// The path with one more element.
fn below(path: &Path, element: PathElement) -> Path {
    let elements: Box<[_]> = path.elements.iter().cloned().chain([element]).collect();
    Path::new(path.object.clone(), path.field.clone(), elements)
}

/// What takes the link out of a content, as nullification by the deleter does.
fn unlink(content: &Content, link: &Link, path: &Path, made: &mut Vec<Instruction>) {
    let is_it =
        |content: &Content| matches!(content, Content::Value(Value::Link(l)) if **l == *link);
    let null = || Payload::Value(Value::Null);
    match content {
        Content::Value(_) if is_it(content) => made.push(update(path.clone(), null(), false)),
        Content::Value(_) => {}
        Content::List(elements) => {
            let mut size = u32::try_from(elements.len()).unwrap_or(u32::MAX);
            let mut index = 0;
            for element in elements {
                let place = || below(path, PathElement::Index(index));
                if is_it(element) {
                    made.push(Instruction::ArrayErase { path: place(), prior_size: size });
                    size -= 1;
                    continue;
                }
                // Lists of values are long, so that nothing is made of what holds nothing.
                if element.as_value().is_none() {
                    unlink(element, link, &place(), made);
                }
                index += 1;
            }
        }
        Content::Set(set) => {
            let value = Value::from(link.clone());
            if set.contains(&value) {
                made.push(Instruction::SetErase { path: path.clone(), value });
            }
        }
        Content::Dictionary(fields) | Content::Object(fields) => {
            for (name, field) in fields {
                unlink(field, link, &below(path, PathElement::Key(name.clone())), made);
            }
        }
    }
}

impl Edit {
    fn instructions<O: Objects>(
        &self,
        on: &mut O,
        path: &Path,
    ) -> Result<Vec<Instruction>, O::Error> {
        let field = &path.field;
        match self {
            Self::Set { value, .. }
            | Self::ListInsert { value: Payload::Value(value), .. }
            | Self::ListSet { value, .. }
            | Self::SetInsert(value)
            | Self::DictionarySet { value, .. } => must_resolve(on, field, value)?,
            Self::Assign { content, .. } => must_resolve_all(on, field, content)?,
            Self::ListInsertAll { elements, .. } => {
                elements.iter().try_for_each(|element| must_resolve_all(on, field, element))?;
            }
            Self::AddInteger(_)
            | Self::ListInsert { .. }
            | Self::ListMove { .. }
            | Self::ListErase { .. }
            | Self::Clear
            | Self::SetErase(_)
            | Self::DictionaryErase { .. }
            | Self::SetEmbedded
            | Self::SetCollection(_) => {}
        }
        let visible = self.visible(on, path)?;
        let property = property_of(on, path)?;
        match self {
            Self::Assign { content: new, is_default } => {
                if let (Some((list, index)), Some(value)) = (assign::list_of(path), new.as_value())
                {
                    let value = value.clone();
                    return Self::ListSet { index, value }.instructions(on, &list);
                }
                let (head, filling) = assign::assignment(on.schema(), &property, path, new)?;
                let held = on.content(&path.object, field)?;
                let mut made = head.instructions(held, &property, path, (new, *is_default))?;
                made.extend(filling);
                return Ok(made);
            }
            Self::ListInsertAll { index, elements } => {
                let fillings = assign::fillings(on.schema(), &property, path, *index, elements)?;
                let list = List::find(on.content(&path.object, field)?, path, visible.as_deref())?;
                return Ok(assign::insert_all(&list, *index, elements, fillings)?);
            }
            _ => {}
        }
        let content = on.content(&path.object, field)?;
        Ok(self.on_content(path, &property, content, visible.as_deref())?)
    }

    /// For edits of lists of links: the real positions of the elements that an application sees,
    /// when some are not seen.
    fn visible<O: Objects>(&self, on: &mut O, path: &Path) -> Result<Option<Vec<u32>>, O::Error> {
        let is_list_edit = matches!(
            self,
            Self::ListInsert { .. }
                | Self::ListSet { .. }
                | Self::ListMove { .. }
                | Self::ListErase { .. }
                | Self::ListInsertAll { .. }
        );
        // A mixed shows null in place of a dangling link.
        if !is_list_edit || !is_list_of_links(on, path)? {
            return Ok(None);
        }
        if !on.may_dangle(&path.object, &path.field)? {
            return Ok(None);
        }
        let Content::List(elements) = find(on.content(&path.object, &path.field)?, path)? else {
            return Ok(None);
        };
        let links: Vec<Option<Box<Link>>> = elements
            .iter()
            .map(|element| match element {
                Content::Value(Value::Link(link)) => Some(link.clone()),
                _ => None,
            })
            .collect();
        let mut seen = Vec::new();
        for (link, index) in links.into_iter().zip(0..) {
            let Some(Link { class, key }) = link.map(|link| *link) else { continue };
            if on.exists(&ObjectRef { class, key })? {
                seen.push(index);
            }
        }
        Ok(Some(seen))
    }

    fn on_content(
        &self,
        path: &Path,
        property: &Property,
        content: &Content,
        visible: Option<&[u32]>,
    ) -> Result<Vec<Instruction>, EditError> {
        match self {
            Self::Set { value, is_default } => {
                let update = update(path.clone(), Payload::Value(value.clone()), *is_default);
                Ok(vec![update])
            }
            Self::AddInteger(amount) => match find(content, path)? {
                Content::Value(Value::Null) => {
                    Err(EditError::AddToNull { property: path.field.clone() })
                }
                _ => Ok(vec![Instruction::AddInteger { path: path.clone(), value: *amount }]),
            },
            Self::ListInsert { .. }
            | Self::ListSet { .. }
            | Self::ListMove { .. }
            | Self::ListErase { .. } => self.on_list(&List::find(content, path, visible)?),
            Self::Clear => clear(path, find(content, path)?, property),
            Self::SetInsert(value) => {
                let is_new = !set(content, path)?.contains(value);
                let insert = || Instruction::SetInsert { path: path.clone(), value: value.clone() };
                Ok(is_new.then(insert).into_iter().collect())
            }
            Self::SetErase(value) => {
                let is_there = set(content, path)?.contains(value);
                let erase = || Instruction::SetErase { path: path.clone(), value: value.clone() };
                Ok(is_there.then(erase).into_iter().collect())
            }
            Self::DictionarySet { key, value } => {
                dictionary(content, path)?;
                let place = below(path, PathElement::Key(key.clone()));
                Ok(vec![update(place, Payload::Value(value.clone()), false)])
            }
            Self::DictionaryErase { key } => {
                if !dictionary(content, path)?.contains_key(key) {
                    let (property, key) = (path.field.clone(), key.clone());
                    return Err(EditError::NoSuchKey { property, key });
                }
                let place = below(path, PathElement::Key(key.clone()));
                Ok(vec![update(place, Payload::Erased, false)])
            }
            Self::SetEmbedded => set_embedded(content, path),
            Self::SetCollection(kind) => set_collection(content, path, *kind),
            Self::ListInsertAll { .. } | Self::Assign { .. } => {
                unreachable!("need the schema, and have had it")
            }
        }
    }

    fn on_list(&self, list: &List<'_>) -> Result<Vec<Instruction>, EditError> {
        let prior_size = list.size;
        Ok(vec![match self {
            Self::ListInsert { index, value } => {
                let path = list.place(list.gap(*index)?);
                Instruction::ArrayInsert { path, value: value.clone(), prior_size }
            }
            Self::ListSet { index, value } => {
                let path = list.place(list.element(*index)?);
                let (value, side) =
                    (Payload::Value(value.clone()), UpdateSide::prior_size(prior_size));
                Instruction::Update { path, value, side }
            }
            Self::ListMove { from, to } => {
                let (from, to) = (list.element(*from)?, list.element(*to)?);
                if from == to {
                    return Ok(Vec::new());
                }
                Instruction::ArrayMove { path: list.place(from), to, prior_size }
            }
            Self::ListErase { index } => {
                let path = list.place(list.element(*index)?);
                Instruction::ArrayErase { path, prior_size }
            }
            _ => unreachable!("only edits of lists come here"),
        }])
    }
}

fn property_of<O: Objects>(on: &O, path: &Path) -> Result<Property, EditError> {
    let class = on.schema().class(&path.object.class);
    let property = class.and_then(|class| class.property(&path.field));
    property.cloned().ok_or_else(|| EditError::NoSuchProperty { property: path.field.clone() })
}

fn wrong_place(path: &Path, expected: &'static str) -> EditError {
    EditError::WrongPlace { property: path.field.clone(), expected }
}

/// What is at the place.
fn find<'c>(content: &'c Content, path: &Path) -> Result<&'c Content, EditError> {
    let mut found = content;
    for element in &path.elements {
        let inner = match (found, element) {
            (Content::List(list), PathElement::Index(index)) => {
                usize::try_from(*index).ok().and_then(|position| list.get(position))
            }
            (Content::Dictionary(fields) | Content::Object(fields), PathElement::Key(key)) => {
                fields.get(key)
            }
            _ => None,
        };
        found = inner.ok_or_else(|| wrong_place(path, "such place"))?;
    }
    Ok(found)
}

/// Whether the list at the path is a property that holds links, of the object or an embedded one.
fn is_list_of_links<O: Objects>(on: &O, path: &Path) -> Result<bool, EditError> {
    let mut property = property_of(on, path)?;
    let schema = on.schema();
    for element in &path.elements {
        let PathElement::Key(key) = element else { continue };
        let target = property.target.as_deref().and_then(|target| schema.class(target));
        // The key of a dictionary stays in the same property.
        match target.filter(|class| class.embedded).and_then(|class| class.property(key)) {
            Some(inner) => property = inner.clone(),
            None if property.ty == PropertyType::Mixed => return Ok(false),
            None => {}
        }
    }
    let target = property.target.as_deref().and_then(|target| schema.class(target));
    let is_link = target.is_some_and(|class| !class.embedded);
    Ok(is_link && property.collection == CollectionType::List)
}

fn set<'c>(content: &'c Content, path: &Path) -> Result<&'c ValueSet, EditError> {
    match find(content, path)? {
        Content::Set(set) => Ok(set),
        _ => Err(wrong_place(path, "set")),
    }
}

fn dictionary<'c>(content: &'c Content, path: &Path) -> Result<&'c Fields, EditError> {
    match find(content, path)? {
        Content::Dictionary(fields) => Ok(fields),
        _ => Err(wrong_place(path, "dictionary")),
    }
}

/// Clearing what is empty says nothing, except inside a mixed, where a Clear also says the kind.
fn clear(
    path: &Path,
    content: &Content,
    property: &Property,
) -> Result<Vec<Instruction>, EditError> {
    let is_empty = match content {
        Content::List(list) => list.is_empty(),
        Content::Set(set) => set.is_empty(),
        Content::Dictionary(fields) => fields.is_empty(),
        Content::Value(_) | Content::Object(_) => return Err(wrong_place(path, "collection")),
    };
    let in_mixed =
        property.ty == PropertyType::Mixed && property.collection == CollectionType::Single;
    let in_mixed = in_mixed || (property.ty == PropertyType::Mixed && !path.elements.is_empty());
    if is_empty && !in_mixed {
        return Ok(Vec::new());
    }
    Ok(vec![Instruction::Clear { path: path.clone(), collection: content.collection() }])
}

fn set_embedded(content: &Content, path: &Path) -> Result<Vec<Instruction>, EditError> {
    let new = |path: Path| update(path, Payload::ObjectValue, false);
    match path.elements.split_last() {
        // A list element is erased and inserted anew, or the lists inside it would keep their size.
        Some((PathElement::Index(index), _)) => {
            let above = above(path);
            let list = List::find(content, &above, None)?;
            let (place, prior_size) = (list.place(list.element(*index)?), list.size);
            Ok(vec![
                Instruction::ArrayErase { path: place.clone(), prior_size },
                Instruction::ArrayInsert {
                    path: place,
                    value: Payload::ObjectValue,
                    prior_size: prior_size - 1,
                },
            ])
        }
        Some((PathElement::Key(key), _)) => match find(content, &above(path))? {
            Content::Dictionary(_) => Ok(vec![new(path.clone())]),
            Content::Object(fields) => {
                let held = fields.get(key).unwrap_or(&Content::NULL);
                Ok(replaced(held, path, new))
            }
            _ => Err(wrong_place(path, "embedded object")),
        },
        None => Ok(replaced(content, path, new)),
    }
}

/// A new object in a property: one that is there is set to null first.
fn replaced(held: &Content, path: &Path, new: impl Fn(Path) -> Instruction) -> Vec<Instruction> {
    let null = || update(path.clone(), Payload::Value(Value::Null), false);
    let removal = (!held.is_null()).then(null);
    removal.into_iter().chain([new(path.clone())]).collect()
}

fn above(path: &Path) -> Path {
    let (_, above) = path.elements.split_last().expect("called for a path with elements");
    Path::new(path.object.clone(), path.field.clone(), above)
}

fn set_collection(
    content: &Content,
    path: &Path,
    kind: CollectionType,
) -> Result<Vec<Instruction>, EditError> {
    let payload = match kind {
        CollectionType::List => Payload::List,
        CollectionType::Dictionary => Payload::Dictionary,
        CollectionType::Single | CollectionType::Set => {
            return Err(wrong_place(path, "mixed that holds a list or dictionary"));
        }
    };
    let held = match path.elements.split_last() {
        Some((PathElement::Key(key), _)) => match find(content, &above(path))? {
            Content::Dictionary(fields) | Content::Object(fields) => fields.get(key),
            _ => return Err(wrong_place(path, "dictionary")),
        },
        Some((PathElement::Index(_), _)) | None => Some(find(content, path)?),
    };
    // Whoever has a filled collection of that kind keeps it, and whoever has not gets an empty one: to
    // win a conflict with that would part the replicas (docs/merge.md, E8).
    let is_filled = match held {
        Some(Content::List(list)) => kind == CollectionType::List && !list.is_empty(),
        Some(Content::Dictionary(fields)) => {
            kind == CollectionType::Dictionary && !fields.is_empty()
        }
        Some(Content::Value(_) | Content::Set(_) | Content::Object(_)) | None => false,
    };
    if is_filled {
        return Ok(Vec::new());
    }
    let side = match path.elements.split_last() {
        Some((PathElement::Index(_), _)) => {
            UpdateSide::prior_size(List::find(content, &above(path), None)?.size)
        }
        Some((PathElement::Key(_), _)) | None => UpdateSide::IsDefault(false),
    };
    Ok(vec![Instruction::Update { path: path.clone(), value: payload, side }])
}

/// A list that is edited.
struct List<'a> {
    path: &'a Path,
    size: u32,
    /// Real positions of what is seen, when not everything is.
    visible: Option<&'a [u32]>,
}

impl<'a> List<'a> {
    fn find(
        content: &Content,
        path: &'a Path,
        visible: Option<&'a [u32]>,
    ) -> Result<Self, EditError> {
        match find(content, path)? {
            Content::List(list) => {
                let size =
                    u32::try_from(list.len()).map_err(|_| wrong_place(path, "shorter list"))?;
                Ok(Self { path, size, visible })
            }
            _ => Err(wrong_place(path, "list")),
        }
    }

    fn place(&self, index: u32) -> Path {
        below(self.path, PathElement::Index(index))
    }

    fn seen(&self) -> usize {
        self.visible.map_or(self.size as usize, <[u32]>::len)
    }

    /// The real position of an element.
    fn element(&self, index: u32) -> Result<u32, EditError> {
        let found = match self.visible {
            None => Some(index).filter(|index| *index < self.size),
            Some(visible) => visible.get(index as usize).copied(),
        };
        let (property, size) = (self.path.field.clone(), self.seen());
        found.ok_or(EditError::IndexOutOfRange { property, index, size })
    }

    /// The real position at which an element is inserted: behind dangling links that stand
    /// immediately before the place.
    fn gap(&self, index: u32) -> Result<u32, EditError> {
        if index as usize == self.seen() { Ok(self.size) } else { self.element(index) }
    }
}
