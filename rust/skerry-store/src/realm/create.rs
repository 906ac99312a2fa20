//! Objects created with whole contents in a local write, one by one or as rows.
//!
//! Invariant: contents are fitted to their properties, and so refused, before anything is written. A
//! new object mostly goes in as one row, and its instructions are made of what that says.

use std::borrow::Borrow;
use std::sync::Arc;

use skerry_model::content::Place;
use skerry_model::{Content, Instruction, Misfit, Name, ObjectKey, ObjectRef, Path};

use super::assign::refusal;
use super::write::{UpdatePolicy, WriteTxn};
use crate::error::{Fault, Result};
use crate::objects::ObjectTables;

/// The instruction that is named when something does not fit.
const NAME: &str = "CreateObject";

/// The properties that rows of new objects give, in the order in which they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowNames {
    /// What the application gives.
    pub values: Vec<Name>,
    /// Behind them, what is marked as default.
    pub defaults: Vec<Name>,
}

/// What a property is to hold.
struct Fitted {
    /// Of the property in the class.
    position: usize,
    content: Content,
    is_default: bool,
}

impl WriteTxn {
    /// As [`WriteTxn::create`], with contents of any kind. Of an object that exists, the given
    /// properties are assigned, collections emptied and filled anew, each as `policy` says.
    pub fn create_with(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        values: Vec<(Name, Content)>,
        defaults: Vec<(Name, Content)>,
        policy: UpdatePolicy,
    ) -> Result<bool> {
        let defaults = defaults.into_iter().map(|(name, content)| (name, content, true));
        let values = values.into_iter().map(|(name, content)| (name, content, false));
        self.create_given(class, key, defaults.chain(values), policy)
    }

    /// As [`WriteTxn::create_with`], with contents in the order of `names`. What lacks a content is not
    /// given.
    pub fn create_row(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        names: &RowNames,
        mut contents: Vec<Content>,
        policy: UpdatePolicy,
    ) -> Result<bool> {
        let defaults = contents.split_off(names.values.len().min(contents.len()));
        let defaults = names.defaults.iter().zip(defaults);
        let defaults = defaults.map(|(name, content)| (name, content, true));
        let values = names.values.iter().zip(contents);
        let values = values.map(|(name, content)| (name, content, false));
        self.create_given(class, key, defaults.chain(values), policy)
    }

    fn create_given<N: Borrow<Name>>(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        given: impl Iterator<Item = (N, Content, bool)>,
        policy: UpdatePolicy,
    ) -> Result<bool> {
        let object = Arc::new(ObjectRef { class: class.clone(), key: key.clone() });
        // Inserting tells whether the key was there. It mostly was not, so only what is refused asks.
        let is_asked = policy != UpdatePolicy::Error;
        let is_new = if is_asked { self.may_create(class, key, policy)? } else { true };
        let subscribed = if is_asked { Ok(()) } else { self.must_be_subscribed(class) };
        let fitted = subscribed.and_then(|()| fit_all(self.tables(), &object, given));
        if fitted.is_err() && !is_asked {
            self.must_be_absent(class, key)?;
        }
        let fitted = fitted?;
        if is_new {
            self.create_fitted(&object, fitted, policy)?;
        } else {
            self.update_fitted(&object, fitted, policy)?;
        }
        Ok(is_new)
    }

    fn create_fitted(
        &mut self,
        object: &Arc<ObjectRef>,
        fitted: Vec<Fitted>,
        policy: UpdatePolicy,
    ) -> Result<()> {
        let connection = self.transaction.writable()?;
        let contents = fitted.iter().map(|given| (given.position, &given.content));
        let inserted = self.tables().insert_new(connection, object, contents);
        let is_whole = self.named(inserted)?;
        if !is_whole && policy == UpdatePolicy::Error {
            self.must_be_absent(&object.class, &object.key)?;
        }
        if !is_whole {
            let mut made = Vec::new();
            creation(self.tables(), object, fitted, &mut made)?;
            return self.record(made);
        }
        // Made of what was just written, so they say what it is.
        self.note_made(|tables, made| creation(tables, object, fitted, made))
    }

    fn update_fitted(
        &mut self,
        object: &Arc<ObjectRef>,
        fitted: Vec<Fitted>,
        policy: UpdatePolicy,
    ) -> Result<()> {
        let table = self.tables().class(NAME, &object.class)?;
        let named = |given: Fitted| {
            let name = table.schema.properties[given.position].name.clone();
            (name, given)
        };
        let values = fitted.into_iter().filter(|given| !given.is_default).map(named);
        for (name, given) in values.collect::<Vec<_>>() {
            let is_same = policy == UpdatePolicy::Modified
                && self.holds(object, given.position, &given.content)?;
            if !is_same {
                let path = Path::property(object.clone(), name);
                self.assign_fitted(path, given.content)?;
            }
        }
        Ok(())
    }

    fn holds(&mut self, object: &ObjectRef, position: usize, given: &Content) -> Result<bool> {
        let held = self.stored(&object.class, &object.key)?;
        Ok(held.is_some_and(|held| held[position].holds(given)))
    }
}

/// The contents fitted to the properties of a new object, which do not include its key.
fn fit_all<N: Borrow<Name>>(
    tables: &ObjectTables,
    object: &ObjectRef,
    given: impl Iterator<Item = (N, Content, bool)>,
) -> Result<Vec<Fitted>> {
    let table = tables.checked(NAME, &object.class, &object.key)?;
    let (schema, properties) = (tables.catalogue().schema(), &table.schema.properties);
    let mut fitted = Vec::with_capacity(properties.len());
    let mut next = 0;
    for (name, content, is_default) in given {
        let name = name.borrow();
        // Mostly in the order of the class.
        let is_next = properties.get(next).is_some_and(|property| property.name == *name);
        let position = if is_next { Some(next) } else { table.schema.position(name) };
        let Some(position) = position else {
            let why = Misfit::NoSuchProperty { property: name.clone() };
            return Err(refusal(NAME, object, why.into()));
        };
        if *name == table.schema.primary_key {
            let fault = Fault::PrimaryKeyUpdate { property: name.clone() };
            return Err(refusal(NAME, object, fault));
        }
        let content = content.fitted(schema, Place::of(schema, &properties[position]), name);
        let content = content.map_err(|why| refusal(NAME, object, why.into()))?;
        fitted.push(Fitted { position, content, is_default });
        next = position + 1;
    }
    Ok(fitted)
}

/// The instructions that create an object and fill it.
fn creation(
    tables: &ObjectTables,
    object: &Arc<ObjectRef>,
    fitted: Vec<Fitted>,
    made: &mut Vec<Instruction>,
) -> Result<()> {
    let (table, schema) = (tables.class(NAME, &object.class)?, tables.catalogue().schema());
    made.push(Instruction::CreateObject { object: (**object).clone() });
    for Fitted { position, content, is_default } in fitted {
        let property = (&table.columns[position].property, &table.places[position]);
        content.fill(schema, property, object, is_default, made);
    }
    Ok(())
}
