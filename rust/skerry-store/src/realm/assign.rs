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
        let is_new = self.may_create(class, key, policy)?;
        let defaults = self.fit_all(&object, defaults)?;
        let values = self.fit_all(&object, values)?;
        if is_new {
            let mut made = vec![Instruction::CreateObject { object: (*object).clone() }];
            for (given, is_default) in [(&defaults, true), (&values, false)] {
                for (name, content) in given {
                    self.push_fill(&object, name, content, is_default, &mut made)?;
                }
            }
            self.record(made)?;
            return Ok(true);
        }
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

    fn fit_all(&self, object: &ObjectRef, given: Vec<Given>) -> Result<Vec<Given>> {
        const NAME: &str = "CreateObject";
        let schema = self.tables().catalogue().schema();
        let fitted = given.into_iter().map(|(name, content)| {
            let property = self.settable(object, &name)?;
            let place = Place::of(schema, property);
            let fitted = content.fitted(schema, place, &name);
            Ok((name, fitted.map_err(|why| refusal(NAME, object, why.into()))?))
        });
        fitted.collect()
    }

    /// The property of a new object, which is not its key.
    fn settable(&self, object: &ObjectRef, name: &Name) -> Result<&Property> {
        const NAME: &str = "CreateObject";
        let table = self.tables().checked(NAME, &object.class, &object.key)?;
        let why = match table.schema.property(name) {
            Some(property) if *name != table.schema.primary_key => return Ok(property),
            Some(_) => Fault::PrimaryKeyUpdate { property: name.clone() },
            None => Misfit::NoSuchProperty { property: name.clone() }.into(),
        };
        Err(refusal(NAME, object, why))
    }

    fn push_fill(
        &self,
        object: &Arc<ObjectRef>,
        name: &Name,
        content: &Content,
        is_default: bool,
        made: &mut Vec<Instruction>,
    ) -> Result<()> {
        let property = self.settable(object, name)?;
        let path = Path::property(object.clone(), name.clone());
        let schema = self.tables().catalogue().schema();
        made.extend(content.fill(schema, property, &path, is_default));
        Ok(())
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
