//! Applying path instructions to the content of a property (sync-engine 1.3).

use super::kind::{Kind, Place};
use super::{Content, Fields, Misfit, ValueSet};
use crate::{
    CollectionType, Instruction, Name, Path, PathElement, Payload, Property, PropertyType, Schema,
    UpdateSide, Value,
};

type Result<T = ()> = std::result::Result<T, Misfit>;

impl Content {
    /// Applies a path instruction to what `property` of the instruction's object holds.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when the instruction does not fit; then nothing has changed.
    ///
    /// # Panics
    ///
    /// When it is no path instruction: what is not inside an object is the caller's business.
    pub fn apply(
        &mut self,
        schema: &Schema,
        property: &Property,
        instruction: &Instruction,
    ) -> Result {
        let place = Place::of(schema, property);
        let at = |path: &Path| Target { schema, place, property: path.field.clone() };
        match instruction {
            Instruction::Update { path, value, side } => {
                at(path).update(self, &path.elements, value, *side)
            }
            Instruction::AddInteger { path, value } => at(path).add(self, &path.elements, *value),
            Instruction::ArrayInsert { path, value, prior_size } => {
                at(path).array_insert(self, &path.elements, value, *prior_size)
            }
            Instruction::ArrayMove { path, to, prior_size } => {
                at(path).array_move(self, &path.elements, *to, *prior_size)
            }
            Instruction::ArrayErase { path, prior_size } => {
                at(path).array_erase(self, &path.elements, *prior_size)
            }
            Instruction::Clear { path, collection } => {
                at(path).clear(self, &path.elements, *collection)
            }
            Instruction::SetInsert { path, value } => {
                at(path).set_insert(self, &path.elements, value)
            }
            Instruction::SetErase { path, value } => {
                at(path).set_erase(self, &path.elements, value)
            }
            Instruction::AddTable { .. }
            | Instruction::EraseTable { .. }
            | Instruction::CreateObject { .. }
            | Instruction::EraseObject { .. }
            | Instruction::AddColumn { .. }
            | Instruction::EraseColumn { .. } => {
                unreachable!("only path instructions are about the inside of an object")
            }
        }
    }
}

/// The property that an instruction is about.
struct Target<'s> {
    schema: &'s Schema,
    place: Place<'s>,
    /// Named in errors.
    property: Name,
}

fn payload_name(payload: &Payload) -> &'static str {
    match payload {
        Payload::Value(value) => value.kind_name(),
        Payload::ObjectValue => "an embedded object",
        Payload::List => "a list",
        Payload::Dictionary => "a dictionary",
        Payload::Erased => "nothing in place of a value",
    }
}

fn empty(collection: CollectionType) -> Option<Content> {
    match collection {
        CollectionType::Single | CollectionType::Set => None,
        CollectionType::List => Some(Content::List(Vec::new())),
        CollectionType::Dictionary => Some(Content::Dictionary(Fields::new())),
    }
}

/// What the payload makes of a place when it is a collection.
fn made_by(payload: &Payload) -> Option<CollectionType> {
    match payload {
        Payload::List => Some(CollectionType::List),
        Payload::Dictionary => Some(CollectionType::Dictionary),
        Payload::Value(_) | Payload::ObjectValue | Payload::Erased => None,
    }
}

impl<'s> Target<'s> {
    fn name(&self) -> Name {
        self.property.clone()
    }

    fn walk<'c>(
        &self,
        content: &'c mut Content,
        elements: &[PathElement],
    ) -> Result<(Place<'s>, &'c mut Content)> {
        self.place.walk(self.schema, content, elements, &self.property)
    }

    fn wrong_payload(&self, payload: &Payload) -> Misfit {
        Misfit::WrongPayload { property: self.name(), payload: payload_name(payload) }
    }

    fn not_a(&self, expected: CollectionType) -> Misfit {
        Misfit::NotACollection { property: self.name(), expected }
    }

    fn update(
        &self,
        content: &mut Content,
        elements: &[PathElement],
        payload: &Payload,
        side: UpdateSide,
    ) -> Result {
        match elements.split_last() {
            Some((PathElement::Index(index), above)) => {
                let UpdateSide::PriorSize(prior_size) = side else {
                    return Err(self.wrong_payload(payload));
                };
                self.update_element(content, above, *index, payload, prior_size.get())
            }
            Some((PathElement::Key(key), above)) => {
                let (place, holder) = self.walk(content, above)?;
                if let Some((fields, kind)) = place.dictionary(holder) {
                    return self.update_key(fields, key, kind, payload);
                }
                let (place, content) = self.walk(content, elements)?;
                self.update_single(place, content, payload)
            }
            None => {
                let (place, content) = self.walk(content, elements)?;
                self.update_single(place, content, payload)
            }
        }
    }

    /// A property, of the object itself or of an embedded one.
    fn update_single(&self, place: Place<'s>, content: &mut Content, payload: &Payload) -> Result {
        let Place::Single(kind) = place else { return Err(self.wrong_payload(payload)) };
        match payload {
            Payload::ObjectValue if content.is_null() => {
                *content = self.new_object(kind, payload)?;
                Ok(())
            }
            // Create if missing: both sides of a conflict may have made it.
            Payload::ObjectValue if matches!(content, Content::Object(_)) => Ok(()),
            Payload::ObjectValue | Payload::Erased => Err(self.wrong_payload(payload)),
            Payload::Value(_) | Payload::List | Payload::Dictionary => {
                self.put(kind, content, payload)
            }
        }
    }

    fn update_key(
        &self,
        fields: &mut Fields,
        key: &Name,
        kind: Kind<'s>,
        payload: &Payload,
    ) -> Result {
        match payload {
            Payload::Erased => {
                fields.remove(key);
            }
            // Replaces what is there, as the real engine does.
            Payload::ObjectValue => {
                fields.insert(key.clone(), self.new_object(kind, payload)?);
            }
            Payload::Value(_) | Payload::List | Payload::Dictionary => {
                if let Some(value) = fields.get_mut(key) {
                    return self.put(kind, value, payload);
                }
                let mut value = Content::NULL;
                self.put(kind, &mut value, payload)?;
                fields.insert(key.clone(), value);
            }
        }
        Ok(())
    }

    fn update_element(
        &self,
        content: &mut Content,
        above: &[PathElement],
        index: u32,
        payload: &Payload,
        prior_size: u32,
    ) -> Result {
        let (list, kind) = self.list(content, above, prior_size)?;
        let position = self.position(index, list.len())?;
        match payload {
            Payload::ObjectValue if kind.embedded.is_some() => Ok(()),
            Payload::ObjectValue | Payload::Erased => Err(self.wrong_payload(payload)),
            Payload::Value(_) | Payload::List | Payload::Dictionary => {
                self.put(kind, &mut list[position], payload)
            }
        }
    }

    /// Puts a value or an empty collection there. A collection of that kind keeps its content,
    /// because two that were made at the same time both pass the merge.
    fn put(&self, kind: Kind<'s>, content: &mut Content, payload: &Payload) -> Result {
        if let Payload::Value(value) = payload {
            if kind.embedded.is_some() && !(value.is_null() && kind.nullable) {
                return Err(self.wrong_payload(payload));
            }
            kind.check(self.schema, &self.property, value)?;
            *content = Content::Value(value.clone());
            return Ok(());
        }
        let collection = made_by(payload).filter(|_| kind.ty == PropertyType::Mixed);
        let Some(collection) = collection else { return Err(self.wrong_payload(payload)) };
        if content.collection() != collection {
            *content = empty(collection).expect("a list or a dictionary");
        }
        Ok(())
    }

    fn new_object(&self, kind: Kind<'s>, payload: &Payload) -> Result<Content> {
        match kind.embedded {
            Some(class) => Ok(Content::Object(class.zero_fields())),
            None => Err(self.wrong_payload(payload)),
        }
    }

    fn add(&self, content: &mut Content, elements: &[PathElement], amount: i64) -> Result {
        let (place, content) = self.walk(content, elements)?;
        let kind = match place {
            Place::Single(kind) if is_property(elements, kind) => kind,
            Place::Single(_) | Place::Collection(..) => {
                return Err(Misfit::PathTooDeep { property: self.name() });
            }
        };
        let found = match content {
            Content::Value(Value::Int(int)) => {
                *int = int.wrapping_add(amount);
                return Ok(());
            }
            // Adding to null does nothing, if it is the null of an int.
            Content::Value(Value::Null)
                if matches!(kind.ty, PropertyType::Int | PropertyType::Mixed) =>
            {
                return Ok(());
            }
            Content::Value(value) => value.kind_name(),
            Content::List(_) => "list",
            Content::Set(_) => "set",
            Content::Dictionary(_) => "dictionary",
            Content::Object(_) => "embedded object",
        };
        Err(Misfit::TypeMismatch { property: self.name(), expected: PropertyType::Int, found })
    }

    /// The list there, which must have the stated size.
    fn list<'c>(
        &self,
        content: &'c mut Content,
        above: &[PathElement],
        stated: u32,
    ) -> Result<(&'c mut Vec<Content>, Kind<'s>)> {
        let (place, holder) = self.walk(content, above)?;
        let (list, kind) = place.list(holder).ok_or_else(|| self.not_a(CollectionType::List))?;
        let actual = list.len();
        if usize::try_from(stated) == Ok(actual) {
            return Ok((list, kind));
        }
        Err(Misfit::WrongPriorSize { property: self.name(), stated, actual })
    }

    /// An index as a position that is below `limit`.
    fn position(&self, index: u32, limit: usize) -> Result<usize> {
        let position = usize::try_from(index).ok().filter(|position| *position < limit);
        position.ok_or_else(|| Misfit::IndexOutOfRange {
            property: self.name(),
            index,
            size: limit,
        })
    }

    fn split<'e>(&self, elements: &'e [PathElement]) -> Result<(u32, &'e [PathElement])> {
        match elements.split_last() {
            Some((PathElement::Index(index), above)) => Ok((*index, above)),
            Some((PathElement::Key(_), _)) | None => Err(self.not_a(CollectionType::List)),
        }
    }

    fn array_insert(
        &self,
        content: &mut Content,
        elements: &[PathElement],
        payload: &Payload,
        prior_size: u32,
    ) -> Result {
        let (index, above) = self.split(elements)?;
        let (list, kind) = self.list(content, above, prior_size)?;
        let position = self.position(index, list.len() + 1)?;
        let element = match payload {
            Payload::ObjectValue => self.new_object(kind, payload)?,
            Payload::Erased => return Err(self.wrong_payload(payload)),
            Payload::Value(_) | Payload::List | Payload::Dictionary => {
                let mut element = Content::NULL;
                self.put(kind, &mut element, payload)?;
                element
            }
        };
        list.insert(position, element);
        Ok(())
    }

    fn array_move(
        &self,
        content: &mut Content,
        elements: &[PathElement],
        to: u32,
        prior_size: u32,
    ) -> Result {
        let (index, above) = self.split(elements)?;
        let (list, _) = self.list(content, above, prior_size)?;
        let (from, target) = (self.position(index, list.len())?, self.position(to, list.len())?);
        if from == target {
            return Err(Misfit::MoveToSamePlace { property: self.name(), index });
        }
        let element = list.remove(from);
        list.insert(target, element);
        Ok(())
    }

    fn array_erase(
        &self,
        content: &mut Content,
        elements: &[PathElement],
        prior_size: u32,
    ) -> Result {
        let (index, above) = self.split(elements)?;
        let (list, _) = self.list(content, above, prior_size)?;
        let position = self.position(index, list.len())?;
        list.remove(position);
        Ok(())
    }

    fn clear(
        &self,
        content: &mut Content,
        elements: &[PathElement],
        collection: CollectionType,
    ) -> Result {
        let (place, content) = self.walk(content, elements)?;
        match (place, &mut *content) {
            (Place::Collection(CollectionType::Set, _), Content::Set(set))
                if collection == CollectionType::Set =>
            {
                *set = ValueSet::default();
                Ok(())
            }
            (Place::Collection(found, _), _) if found == collection => {
                *content = empty(collection).ok_or_else(|| self.not_a(collection))?;
                Ok(())
            }
            // A mixed becomes an empty collection of that kind, whatever it was.
            (Place::Single(kind), _) if kind.ty == PropertyType::Mixed => {
                *content = empty(collection).ok_or_else(|| self.not_a(collection))?;
                Ok(())
            }
            (Place::Collection(..) | Place::Single(_), _) => Err(self.not_a(collection)),
        }
    }

    /// The set there, and the type of its elements.
    fn set<'c>(
        &self,
        content: &'c mut Content,
        elements: &[PathElement],
    ) -> Result<(&'c mut ValueSet, Kind<'s>)> {
        match self.walk(content, elements)? {
            (Place::Collection(CollectionType::Set, kind), Content::Set(set)) => Ok((set, kind)),
            _ => Err(self.not_a(CollectionType::Set)),
        }
    }

    fn set_insert(&self, content: &mut Content, elements: &[PathElement], value: &Value) -> Result {
        let (set, kind) = self.set(content, elements)?;
        kind.check(self.schema, &self.property, value)?;
        set.insert(value.clone());
        Ok(())
    }

    fn set_erase(&self, content: &mut Content, elements: &[PathElement], value: &Value) -> Result {
        let (set, kind) = self.set(content, elements)?;
        kind.check(self.schema, &self.property, value)?;
        set.remove(value);
        Ok(())
    }
}

/// Whether a path ends at a property, where alone integers are added to (sync-engine 1.3).
fn is_property(elements: &[PathElement], kind: Kind<'_>) -> bool {
    let ends_inside = matches!(elements.last(), Some(PathElement::Index(_)));
    !ends_inside && kind.embedded.is_none()
}
