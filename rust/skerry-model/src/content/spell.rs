//! Contents as instructions: what makes a new object hold them.

use super::{Content, Fields};
use crate::{
    ClassSchema, Instruction, Name, ObjectRef, Path, PathElement, Payload, Property, Schema,
    UpdateSide, Value,
};

/// Instructions that give a new object these contents, which are in the order of the class's
/// properties. What a new object has anyway is left out, and so is the primary key.
pub fn spell(
    schema: &Schema,
    class: &ClassSchema,
    object: &ObjectRef,
    contents: &[Content],
) -> Vec<Instruction> {
    let mut speller = Speller { schema, object, made: Vec::new() };
    for (property, content) in class.properties.iter().zip(contents) {
        if property.name != class.primary_key {
            speller.property(property, &property.name, &mut Vec::new(), content);
        }
    }
    speller.made
}

struct Speller<'a> {
    schema: &'a Schema,
    object: &'a ObjectRef,
    made: Vec<Instruction>,
}

impl Speller<'_> {
    fn path(&self, field: &Name, elements: &[PathElement]) -> Path {
        Path::new(self.object.clone(), field.clone(), elements)
    }

    fn update(&mut self, field: &Name, elements: &[PathElement], value: Payload) {
        let (path, side) = (self.path(field, elements), UpdateSide::IsDefault(false));
        self.made.push(Instruction::Update { path, value, side });
    }

    /// A property, of the object or of an embedded one, that holds its zero so far.
    fn property(
        &mut self,
        property: &Property,
        field: &Name,
        elements: &mut Vec<PathElement>,
        content: &Content,
    ) {
        match content {
            Content::Value(value) => {
                if *content != property.zero() {
                    self.update(field, elements, Payload::Value(value.clone()));
                }
            }
            Content::List(_) | Content::Dictionary(_)
                if property.collection == crate::CollectionType::Single =>
            {
                let payload = payload_of(content);
                self.update(field, elements, payload);
                self.inside(property, field, elements, content);
            }
            Content::Object(_) => {
                self.update(field, elements, Payload::ObjectValue);
                self.inside(property, field, elements, content);
            }
            Content::List(_) | Content::Set(_) | Content::Dictionary(_) => {
                self.inside(property, field, elements, content);
            }
        }
    }

    /// What is inside a collection or embedded object that has just been made.
    fn inside(
        &mut self,
        property: &Property,
        field: &Name,
        elements: &mut Vec<PathElement>,
        content: &Content,
    ) {
        match content {
            Content::Value(_) => {}
            Content::List(list) => {
                for (element, index) in list.iter().zip(0_u32..) {
                    elements.push(PathElement::Index(index));
                    let (path, value) = (self.path(field, elements), payload_of(element));
                    self.made.push(Instruction::ArrayInsert { path, value, prior_size: index });
                    self.inside(property, field, elements, element);
                    elements.pop();
                }
            }
            Content::Set(set) => {
                for value in set.iter() {
                    let (path, value) = (self.path(field, elements), value.clone());
                    self.made.push(Instruction::SetInsert { path, value });
                }
            }
            Content::Dictionary(fields) => {
                for (key, value) in fields {
                    elements.push(PathElement::Key(key.clone()));
                    self.update(field, elements, payload_of(value));
                    self.inside(property, field, elements, value);
                    elements.pop();
                }
            }
            Content::Object(fields) => self.object(property, field, elements, fields),
        }
    }

    fn object(
        &mut self,
        property: &Property,
        field: &Name,
        elements: &mut Vec<PathElement>,
        fields: &Fields,
    ) {
        let target = property.target.as_deref().and_then(|target| self.schema.class(target));
        let Some(class) = target else { return };
        for inner in &class.properties {
            if let Some(content) = fields.get(&inner.name) {
                elements.push(PathElement::Key(inner.name.clone()));
                self.property(inner, field, elements, content);
                elements.pop();
            }
        }
    }
}

fn payload_of(content: &Content) -> Payload {
    match content {
        Content::Value(value) => Payload::Value(value.clone()),
        Content::List(_) => Payload::List,
        Content::Dictionary(_) => Payload::Dictionary,
        Content::Object(_) => Payload::ObjectValue,
        // There are no sets inside collections.
        Content::Set(_) => Payload::Value(Value::Null),
    }
}
