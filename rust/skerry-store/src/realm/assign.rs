//! Whole contents in a local write: objects created with them, places set to them.
//!
//! Invariant: a content is fitted to its place, and so refused, before anything is written.

use std::sync::Arc;

use skerry_model::content::Place;
use skerry_model::edit::{Edit, Op};
use skerry_model::{Content, Instruction, Misfit, Name, ObjectKey, ObjectRef, Path, Property};

use super::write::{UpdatePolicy, WriteTxn};
use crate::error::{Fault, Result, StoreError};

/// A property of a new object and what it is to hold.
type Given = (Name, Content);

impl WriteTxn {
    /// As [`WriteTxn::create`], with contents of any kind. Of an object that exists, the given
    /// properties are assigned, collections emptied and filled anew, each as `policy` says.
    pub fn create_with(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        values: Vec<Given>,
        defaults: Vec<Given>,
        policy: UpdatePolicy,
    ) -> Result<bool> {
        let object = Arc::new(ObjectRef { class: class.clone(), key: key.clone() });
        // Inserting tells whether the key was there. It mostly was not, so only what is refused asks.
        let is_asked = policy != UpdatePolicy::Error;
        let is_new = if is_asked { self.may_create(class, key, policy)? } else { true };
        let subscribed = if is_asked { Ok(()) } else { self.must_be_subscribed(class) };
        let fitted = subscribed
            .and_then(|()| Ok((self.fit_all(&object, defaults)?, self.fit_all(&object, values)?)));
        if fitted.is_err() && !is_asked {
            self.must_be_absent(class, key)?;
        }
        let (defaults, values) = fitted?;
        if is_new {
            let contents = defaults.iter().chain(&values);
            let contents: Vec<(&Property, &Content)> =
                contents.map(|(property, content)| (*property, content)).collect();
            let connection = self.transaction.writable()?;
            let inserted = self.tables().insert_new(connection, &object, &contents);
            let is_whole = self.named(inserted)?;
            if !is_whole && !is_asked {
                self.must_be_absent(class, key)?;
            }
            let is_synced = self.transaction.inner().synced;
            if is_whole && !is_synced {
                return Ok(true);
            }
            let made = self.creation(&object, &defaults, &values);
            if is_whole {
                // Made of what was just written, so they say what it is.
                self.note(made);
            } else {
                self.record(made)?;
            }
            return Ok(true);
        }
        let values: Vec<Given> =
            values.into_iter().map(|(property, held)| (property.name.clone(), held)).collect();
        for (name, content) in values {
            let is_same =
                policy == UpdatePolicy::Modified && self.holds(&object, &name, &content)?;
            if !is_same {
                let path = Path::property(object.clone(), name);
                self.assign_fitted(path, content)?;
            }
        }
        Ok(false)
    }

    /// The instructions that create an object and fill it.
    fn creation(
        &self,
        object: &Arc<ObjectRef>,
        defaults: &[(&Property, Content)],
        values: &[(&Property, Content)],
    ) -> Vec<Instruction> {
        let schema = self.tables().catalogue().schema();
        let mut made = Vec::with_capacity(1 + defaults.len() + values.len());
        made.push(Instruction::CreateObject { object: (**object).clone() });
        for (given, is_default) in [(defaults, true), (values, false)] {
            for (property, content) in given {
                let path = Path::property(object.clone(), property.name.clone());
                content.fill(schema, property, &path, is_default, &mut made);
            }
        }
        made
    }

    /// Makes a place hold a content, whatever it held: a property, a list position, a key of a
    /// dictionary, a property of an embedded object.
    ///
    /// # Errors
    ///
    /// As [`WriteTxn::edit`].
    pub fn assign(&mut self, path: Path, content: Content) -> Result<()> {
        let content = self.fit(&path, content, |place| Some(place))?;
        self.assign_fitted(path, content)
    }

    /// Inserts contents into the list at a place, the first at `index`.
    ///
    /// # Errors
    ///
    /// As [`WriteTxn::edit`].
    pub fn insert_all(&mut self, list: Path, index: u32, elements: Vec<Content>) -> Result<()> {
        let fitted = elements
            .into_iter()
            .map(|element| self.fit(&list, element, |place| place.element().map(Place::Single)));
        let elements = fitted.collect::<Result<_>>()?;
        self.edit(&Op::At { path: list, edit: Edit::ListInsertAll { index, elements } })
    }

    fn assign_fitted(&mut self, path: Path, content: Content) -> Result<()> {
        self.edit(&Op::At { path, edit: Edit::Assign { content, is_default: false } })
    }

    fn fit(
        &self,
        path: &Path,
        content: Content,
        within: impl for<'s> Fn(Place<'s>) -> Option<Place<'s>>,
    ) -> Result<Content> {
        let object = &path.object;
        let table = self.tables().checked("Update", &object.class, &object.key)?;
        let schema = self.tables().catalogue().schema();
        let refuse = |why: Misfit| refusal("Update", object, why.into());
        let missing = || Misfit::NoSuchProperty { property: path.field.clone() };
        let property = table.schema.property(&path.field).ok_or_else(missing).map_err(refuse)?;
        if path.field == table.schema.primary_key {
            let property = path.field.clone();
            return Err(refusal("Update", object, Fault::PrimaryKeyUpdate { property }));
        }
        let place = Place::at(schema, property, &path.elements).and_then(within);
        let deep = || Misfit::PathTooDeep { property: path.field.clone() };
        let place = place.ok_or_else(deep).map_err(refuse)?;
        content.fitted(schema, place, &path.field).map_err(refuse)
    }

    /// The contents fitted to the properties of a new object, which do not include its key.
    fn fit_all(&self, object: &ObjectRef, given: Vec<Given>) -> Result<Vec<(&Property, Content)>> {
        const NAME: &str = "CreateObject";
        let table = self.tables().checked(NAME, &object.class, &object.key)?;
        let schema = self.tables().catalogue().schema();
        let fitted = given.into_iter().map(|(name, content)| {
            let property = match table.schema.property(&name) {
                Some(property) if name != table.schema.primary_key => property,
                Some(_) => {
                    let fault = Fault::PrimaryKeyUpdate { property: name };
                    return Err(refusal(NAME, object, fault));
                }
                None => {
                    let why = Misfit::NoSuchProperty { property: name };
                    return Err(refusal(NAME, object, why.into()));
                }
            };
            let fitted = content.fitted(schema, Place::of(schema, property), &name);
            Ok((property, fitted.map_err(|why| refusal(NAME, object, why.into()))?))
        });
        fitted.collect()
    }

    fn holds(&mut self, object: &ObjectRef, name: &Name, given: &Content) -> Result<bool> {
        let position = self.tables().class("CreateObject", &object.class)?.schema.position(name);
        let held = self.stored(&object.class, &object.key)?;
        Ok(position.zip(held).is_some_and(|(position, held)| held[position].holds(given)))
    }
}

fn refusal(instruction: &'static str, object: &ObjectRef, fault: Fault) -> StoreError {
    let (class, key) = (object.class.clone(), Some(object.key.clone()));
    StoreError::BadInstruction { instruction, class, key, fault }
}
