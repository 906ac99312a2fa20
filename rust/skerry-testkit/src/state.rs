//! Objects in memory, changed by instructions with the semantics of sync-engine 1.3.
//!
//! Application is strict: what Realm calls a bad changeset is an error here, so a merge that lets
//! through what it should have discarded is noticed even where the states happen to agree. A link
//! stays when its target goes, and is live again when an object with that key comes: it dangles
//! exactly while the target is absent (design 4).
//!
//! What is inside properties is [`Content`]'s business, as it is in the realm file.

use std::collections::BTreeMap;

use skerry_model::edit::{EditError, Objects};
use skerry_model::{
    ClassSchema, CollectionType, Content, Instruction, KeyKind, Link, Misfit, Name, ObjectKey,
    ObjectRef, Path, Property, PropertyType, Schema, SchemaError, TableKind, Value,
};

/// Why an instruction cannot be applied: "bad changeset".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChangeset {
    /// The class does not exist.
    #[error("no class \"{0}\"")]
    NoClass(Name),
    /// The object does not exist.
    #[error("no object {0:?}")]
    NoObject(ObjectRef),
    /// The property does not exist.
    #[error("no property \"{0}.{1}\"")]
    NoProperty(Name, Name),
    /// The class or property exists with another definition.
    #[error("another definition of {0:?}")]
    OtherDefinition(Box<Instruction>),
    /// The classes would contradict themselves.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// It does not fit what the object holds.
    #[error("{1} in {0:?}")]
    Misfit(Box<Instruction>, Misfit),
    /// A kind of instruction that this state does not hold.
    #[error("not held here: {0:?}")]
    NotHeld(Box<Instruction>),
}

/// Contents by property of the objects by key of the classes by name.
pub type Visible = BTreeMap<Name, BTreeMap<ObjectKey, BTreeMap<Name, Content>>>;

/// Classes, objects and their contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    schema: Schema,
    objects: Visible,
}

impl State {
    /// Applies the instructions in order; stops at the first that cannot be applied.
    pub fn apply_all<'a>(
        &mut self,
        instructions: impl IntoIterator<Item = &'a Instruction>,
    ) -> Result<(), BadChangeset> {
        instructions.into_iter().try_for_each(|instruction| self.apply(instruction))
    }

    /// Applies one instruction, or does nothing when it does not fit.
    pub fn apply(&mut self, instruction: &Instruction) -> Result<(), BadChangeset> {
        match instruction {
            Instruction::AddTable { class, kind } => self.add_table(instruction, class, kind),
            Instruction::AddColumn { .. } => self.add_column(instruction),
            Instruction::EraseTable { class } => {
                self.class(class)?;
                let left = self.schema.classes().filter(|known| known.name != *class);
                self.schema = Schema::new(left.cloned())?;
                self.objects.remove(class);
                Ok(())
            }
            Instruction::EraseColumn { class, field } => self.erase_column(class, field),
            Instruction::CreateObject { object } => self.create(instruction, object),
            Instruction::EraseObject { object } => {
                self.class(&object.class)?;
                if let Some(objects) = self.objects.get_mut(&object.class) {
                    objects.remove(&object.key);
                }
                Ok(())
            }
            Instruction::Update { path, .. }
            | Instruction::AddInteger { path, .. }
            | Instruction::ArrayInsert { path, .. }
            | Instruction::ArrayMove { path, .. }
            | Instruction::ArrayErase { path, .. }
            | Instruction::Clear { path, .. }
            | Instruction::SetInsert { path, .. }
            | Instruction::SetErase { path, .. } => self.edit(instruction, path),
        }
    }

    /// The classes.
    pub fn classes(&self) -> &Schema {
        &self.schema
    }

    /// Whether the object exists.
    pub fn contains(&self, class: &Name, key: &ObjectKey) -> bool {
        self.objects.get(class).is_some_and(|objects| objects.contains_key(key))
    }

    /// What a property holds; `None` when the object or property does not exist.
    pub fn held(&self, object: &ObjectRef, field: &Name) -> Option<&Content> {
        self.objects.get(&object.class)?.get(&object.key)?.get(field)
    }

    /// What a user sees: the primary key among the properties, and dangling links as they show.
    pub fn visible(&self) -> Visible {
        let mut visible = Visible::new();
        for class in self.schema.classes().filter(|class| !class.embedded) {
            let seen = visible.entry(class.name.clone()).or_default();
            for (key, contents) in self.objects.get(&class.name).into_iter().flatten() {
                let mut properties: BTreeMap<Name, Content> = contents
                    .iter()
                    .map(|(name, content)| (name.clone(), self.seen(class, name, content)))
                    .collect();
                let key_value = Content::Value(key.clone().into());
                properties.insert(class.primary_key.clone(), key_value);
                seen.insert(key.clone(), properties);
            }
        }
        visible
    }

    fn seen(&self, class: &ClassSchema, name: &Name, content: &Content) -> Content {
        let property = class.property(name).expect("contents follow the schema");
        content
            .seen(&self.schema, property, &mut |link: &Link| self.contains(&link.class, &link.key))
    }

    fn class(&self, class: &Name) -> Result<&ClassSchema, BadChangeset> {
        self.schema.class(class).ok_or_else(|| BadChangeset::NoClass(class.clone()))
    }

    fn edit(&mut self, instruction: &Instruction, path: &Path) -> Result<(), BadChangeset> {
        let (object, field) = (&path.object, &path.field);
        let class = self.schema.class(&object.class);
        let class = class.ok_or_else(|| BadChangeset::NoClass(object.class.clone()))?;
        let missing = || BadChangeset::NoProperty(object.class.clone(), field.clone());
        let property = class.property(field).filter(|_| *field != class.primary_key);
        let property = property.ok_or_else(missing)?;
        let held = self.objects.get_mut(&object.class).and_then(|all| all.get_mut(&object.key));
        let held = held.ok_or_else(|| BadChangeset::NoObject((**object).clone()))?;
        let content = held.entry(field.clone()).or_insert_with(|| property.zero());
        let applied = content.apply(&self.schema, property, instruction);
        applied.map_err(|why| BadChangeset::Misfit(instruction.clone().into(), why))
    }

    fn add_table(
        &mut self,
        by: &Instruction,
        name: &Name,
        kind: &TableKind,
    ) -> Result<(), BadChangeset> {
        let class = match kind {
            TableKind::Embedded => ClassSchema {
                name: name.clone(),
                primary_key: "".into(),
                properties: Vec::new(),
                embedded: true,
            },
            TableKind::TopLevel { asymmetric: true, .. } => {
                return Err(BadChangeset::NotHeld(by.clone().into()));
            }
            TableKind::TopLevel { pk_field, pk_type, pk_nullable, asymmetric: false } => {
                let key = Property::scalar(pk_field.clone(), *pk_type, *pk_nullable);
                ClassSchema {
                    name: name.clone(),
                    primary_key: pk_field.clone(),
                    properties: vec![key],
                    embedded: false,
                }
            }
        };
        if let Some(known) = self.schema.class(name) {
            let key = |class: &ClassSchema| {
                (!class.embedded).then(|| class.primary_key_property().clone())
            };
            return if key(known) == key(&class) {
                Ok(())
            } else {
                Err(BadChangeset::OtherDefinition(by.clone().into()))
            };
        }
        self.schema = Schema::new(self.schema.classes().cloned().chain([class]))?;
        self.objects.entry(name.clone()).or_default();
        Ok(())
    }

    fn add_column(&mut self, by: &Instruction) -> Result<(), BadChangeset> {
        let Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type } =
            by
        else {
            return Err(BadChangeset::NotHeld(by.clone().into()));
        };
        let wants_key = *collection == CollectionType::Dictionary;
        if *key_type != wants_key.then_some(PropertyType::String) {
            return Err(BadChangeset::OtherDefinition(by.clone().into()));
        }
        let property = Property {
            name: field.clone(),
            ty: *ty,
            nullable: *nullable,
            collection: *collection,
            target: target.as_deref().cloned(),
        };
        let mut changed = self.class(class)?.clone();
        if let Some(known) = changed.property(field) {
            let type_of = |p: &Property| (p.ty, p.collection, p.target.clone());
            return if type_of(known) == type_of(&property) {
                Ok(())
            } else {
                Err(BadChangeset::OtherDefinition(by.clone().into()))
            };
        }
        changed.properties.push(property);
        self.change_class(changed)
    }

    fn erase_column(&mut self, class: &Name, field: &Name) -> Result<(), BadChangeset> {
        let mut changed = self.class(class)?.clone();
        let position = changed.position(field).filter(|_| *field != changed.primary_key);
        let missing = BadChangeset::NoProperty(class.clone(), field.clone());
        changed.properties.remove(position.ok_or(missing)?);
        self.change_class(changed)
    }

    /// Puts a class in place of the one of its name, and brings all contents into its form.
    fn change_class(&mut self, changed: ClassSchema) -> Result<(), BadChangeset> {
        let name = changed.name.clone();
        let others = self.schema.classes().filter(|known| known.name != name).cloned();
        let schema = Schema::new(others.chain([changed]))?;
        for class in schema.classes().filter(|class| !class.embedded) {
            for contents in self.objects.get_mut(&class.name).into_iter().flatten() {
                let (_, contents) = contents;
                let fields = class.properties.iter().filter(|p| p.name != class.primary_key);
                *contents = fields
                    .map(|property| {
                        let held = contents.get(&property.name);
                        let content = held.map_or_else(
                            || property.zero(),
                            |held| reformed(&schema, property, held),
                        );
                        (property.name.clone(), content)
                    })
                    .collect();
            }
        }
        self.schema = schema;
        Ok(())
    }

    fn create(&mut self, by: &Instruction, object: &ObjectRef) -> Result<(), BadChangeset> {
        let class = self.class(&object.class)?;
        if class.embedded {
            return Err(BadChangeset::NotHeld(by.clone().into()));
        }
        let kind: KeyKind = class.key_kind();
        kind.check(&object.key).map_err(|why| BadChangeset::Misfit(by.clone().into(), why))?;
        let fields = class.properties.iter().filter(|p| p.name != class.primary_key);
        let zeros = fields.map(|property| (property.name.clone(), property.zero())).collect();
        let objects = self.objects.entry(object.class.clone()).or_default();
        objects.entry(object.key.clone()).or_insert(zeros);
        Ok(())
    }
}

/// A content after its class, or one inside it, has changed.
fn reformed(schema: &Schema, property: &Property, held: &Content) -> Content {
    let decoded = Content::decode(schema, property, &held.encode());
    decoded.expect("a change of classes leaves the types of what stays")
}

impl Objects for State {
    type Error = EditError;

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exists(&mut self, object: &ObjectRef) -> Result<bool, EditError> {
        Ok(self.contains(&object.class, &object.key))
    }

    fn content(&mut self, object: &ObjectRef, field: &Name) -> Result<&Content, EditError> {
        let missing = || EditError::NoSuchProperty { property: field.clone() };
        self.held(object, field).ok_or_else(missing)
    }

    fn holders(&mut self, object: &ObjectRef) -> Result<Vec<(ObjectRef, Name)>, EditError> {
        let target = Link { class: object.class.clone(), key: object.key.clone() };
        let mut holders = Vec::new();
        for (class, objects) in &self.objects {
            for (key, contents) in objects {
                for (field, content) in contents {
                    let mut holds = false;
                    content.for_each_link(&mut |link| holds |= *link == target);
                    if holds {
                        let holder = ObjectRef { class: class.clone(), key: key.clone() };
                        holders.push((holder, field.clone()));
                    }
                }
            }
        }
        Ok(holders)
    }
}

impl State {
    /// Whether two peers that hold these states are equal: by the contents of all objects, and by
    /// the classes whatever the order in which their properties were added.
    pub fn equals(&self, other: &Self) -> bool {
        let classes = |state: &Self| -> Vec<ClassSchema> {
            let sorted = state.schema.classes().map(|class| {
                let mut class = class.clone();
                class.properties.sort_by(|a, b| a.name.cmp(&b.name));
                class
            });
            sorted.collect()
        };
        self.objects == other.objects && classes(self) == classes(other)
    }

    /// The first place at which two states differ, with what each has there.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        if self.equals(other) {
            return None;
        }
        for (class, objects) in &self.objects {
            let others = other.objects.get(class);
            for (key, contents) in objects {
                let theirs = others.and_then(|others| others.get(key));
                for (field, content) in contents {
                    let their = theirs.and_then(|theirs| theirs.get(field));
                    if their != Some(content) {
                        return Some(format!("{class}[{key:?}].{field}: {content:?} / {their:?}"));
                    }
                }
            }
        }
        Some("there are classes or objects on one side only".to_owned())
    }

    /// The value at a property of an object itself.
    pub fn value(&self, object: &ObjectRef, field: &Name) -> Option<&Value> {
        self.held(object, field)?.as_value()
    }
}
