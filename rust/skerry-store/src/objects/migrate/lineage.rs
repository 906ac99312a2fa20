//! From the classes of a file to those that it is to have: which is which.
//!
//! Invariant: the schema that comes out is valid, and of each class and property in it is known what it
//! was in the file, or that it is new. A class of the file that the wanted schema does not have is kept,
//! unless the plan drops it: other programs may open the file with other classes (as in Realm).

use std::collections::{BTreeMap, BTreeSet};

use skerry_model::{ClassSchema, Name, ObjectKey, Property, Schema};

use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;

/// What happens to nulls of a property that shall have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nulls {
    /// The migration is refused, because nobody can fill them.
    #[default]
    Refuse,
    /// They become the zero of the type; the application fills them.
    Zero,
}

/// What the application says about a migration beyond the two schemas.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// New names of classes, by the name in the file.
    pub classes: BTreeMap<Name, Name>,
    /// New names of properties, by class (its new name) and name in the file.
    pub properties: BTreeMap<(Name, Name), Name>,
    /// Classes that go, by the name in the file.
    pub dropped: BTreeSet<Name>,
    /// New primary keys of a class (its new name), by those in the file. All objects are in it.
    pub keys: BTreeMap<Name, BTreeMap<ObjectKey, ObjectKey>>,
    /// What happens to nulls that cannot stay.
    pub nulls: Nulls,
}

/// The classes before and after, and what each was.
#[derive(Clone, Debug)]
pub(super) struct Lineage {
    pub(super) before: Schema,
    pub(super) after: Schema,
    /// By new name the one in the file.
    origins: BTreeMap<Name, Name>,
    /// By new class and new name the name in the file.
    properties: BTreeMap<(Name, Name), Name>,
}

pub(super) fn refusal(class: &Name, property: Option<&Name>, reason: String) -> StoreError {
    let (class, property) = (class.clone(), property.cloned());
    StoreError::of_file(FileFault::Migration { class, property, reason })
}

impl Lineage {
    pub(super) fn new(before: &Schema, wanted: &Schema, plan: &Plan) -> Result<Self> {
        check_classes(before, wanted, plan)?;
        let renamed: BTreeMap<&Name, &Name> =
            plan.classes.iter().map(|(from, to)| (to, from)).collect();
        let is_gone = |name: &Name| plan.classes.contains_key(name) || plan.dropped.contains(name);
        let mut origins = BTreeMap::new();
        for class in wanted.classes() {
            let name = &class.name;
            let origin = renamed.get(name).copied().or((!is_gone(name)).then_some(name));
            let origin = origin.and_then(|origin| before.class(origin));
            // An embedded class and one with objects of its own have nothing in common.
            if let Some(origin) = origin.filter(|origin| origin.embedded == class.embedded) {
                origins.insert(name.clone(), origin.name.clone());
            }
        }
        let mut classes: Vec<ClassSchema> = wanted.classes().cloned().collect();
        for class in before.classes() {
            if is_gone(&class.name) || wanted.class(&class.name).is_some() {
                continue;
            }
            classes.push(kept(class, plan)?);
            origins.insert(class.name.clone(), class.name.clone());
        }
        let after = Schema::new(classes)?;
        let mut lineage =
            Self { before: before.clone(), after, origins, properties: BTreeMap::new() };
        for ((class, from), to) in &plan.properties {
            lineage.check_property(wanted, class, from, to)?;
            let place = (class.clone(), to.clone());
            if lineage.properties.insert(place, from.clone()).is_some() {
                let reason = "two properties are renamed to it".to_owned();
                return Err(refusal(class, Some(to), reason));
            }
        }
        Ok(lineage)
    }

    fn check_property(&self, wanted: &Schema, class: &Name, from: &Name, to: &Name) -> Result<()> {
        let refuse =
            |property: &Name, reason: &str| Err(refusal(class, Some(property), reason.to_owned()));
        let (Some(after), Some(before)) = (wanted.class(class), self.origin(class)) else {
            let reason = "it is renamed, but the class is not both in the file and in the schema";
            return refuse(from, reason);
        };
        if before.property(from).is_none() {
            return refuse(from, "it is renamed, but the file does not have it");
        }
        if after.property(to).is_none() {
            return refuse(to, "a property is renamed to it, but the schema does not have it");
        }
        if after.property(from).is_some() && before.property(to).is_none() {
            return refuse(from, "it is renamed, but the schema still has it");
        }
        Ok(())
    }

    /// What a class was; `None` when it is new.
    pub(super) fn origin(&self, class: &Name) -> Option<&ClassSchema> {
        self.origins.get(class).and_then(|origin| self.before.class(origin))
    }

    /// What a class of the file is called now; `None` when it is gone.
    pub(super) fn successor(&self, origin: &Name) -> Option<&Name> {
        self.origins.iter().find(|(_, from)| *from == origin).map(|(to, _)| to)
    }

    /// What a property was; `None` when it is new.
    pub(super) fn origin_of(&self, class: &Name, property: &Name) -> Option<&Property> {
        let before = self.origin(class)?;
        if let Some(from) = self.properties.get(&(class.clone(), property.clone())) {
            return before.property(from);
        }
        let is_renamed =
            self.properties.iter().any(|((of, _), from)| of == class && from == property);
        before.property(property).filter(|_| !is_renamed)
    }

    /// Whether a property is stored now as it was, but for names.
    pub(super) fn is_same(&self, from: &Property, to: &Property) -> bool {
        let target = from.target.as_ref().map(|target| self.successor(target));
        from.ty == to.ty
            && from.nullable == to.nullable
            && from.collection == to.collection
            && target.unwrap_or_default() == to.target.as_ref()
            && self.before.is_scalar(from) == self.after.is_scalar(to)
    }

    /// Whether some class has another name than before, or is gone, or has become another kind.
    pub(super) fn moves_classes(&self) -> bool {
        let moved = |class: &ClassSchema| {
            self.origins.get(&class.name).is_none_or(|origin| *origin != class.name)
        };
        self.before.classes().any(moved)
    }

    /// The embedded classes that are not stored as they were.
    pub(super) fn changed_embedded(&self) -> BTreeSet<Name> {
        let is_changed = |class: &&ClassSchema| {
            let Some(origin) = self.origin(&class.name) else { return false };
            origin.properties.len() != class.properties.len()
                || class.properties.iter().any(|to| {
                    let from = self.origin_of(&class.name, &to.name);
                    !from.is_some_and(|from| from.name == to.name && self.is_same(from, to))
                })
        };
        let embedded = self.after.classes().filter(|class| class.embedded);
        embedded.filter(is_changed).map(|class| class.name.clone()).collect()
    }
}

fn check_classes(before: &Schema, wanted: &Schema, plan: &Plan) -> Result<()> {
    let refuse = |class: &Name, reason: String| Err(refusal(class, None, reason));
    let mut targets = BTreeSet::new();
    for (from, to) in &plan.classes {
        if before.class(from).is_none() {
            return refuse(from, "it is renamed, but the file does not have it".to_owned());
        }
        if wanted.class(to).is_none() {
            return refuse(to, format!("\"{from}\" is renamed to it, but the schema lacks it"));
        }
        let is_gone = plan.classes.contains_key(to) || plan.dropped.contains(to);
        if (before.class(to).is_some() && !is_gone) || !targets.insert(to) {
            return refuse(to, format!("\"{from}\" is renamed to it, but it is there already"));
        }
    }
    for class in &plan.dropped {
        if before.class(class).is_none() {
            return refuse(class, "it is deleted, but the file does not have it".to_owned());
        }
        if plan.classes.contains_key(class) {
            return refuse(class, "it is both renamed and deleted".to_owned());
        }
        if wanted.class(class).is_some() && !targets.contains(class) {
            return refuse(class, "it is deleted, but the schema has it".to_owned());
        }
    }
    Ok(())
}

/// A class that the schema does not have, with the new names of what it links to.
fn kept(class: &ClassSchema, plan: &Plan) -> Result<ClassSchema> {
    let mut kept = class.clone();
    for property in &mut kept.properties {
        let Some(target) = &mut property.target else { continue };
        if plan.dropped.contains(target) {
            let reason = format!("it links to \"{target}\", which is deleted; delete both");
            return Err(refusal(&class.name, Some(&property.name), reason));
        }
        if let Some(name) = plan.classes.get(target) {
            *target = name.clone();
        }
    }
    Ok(kept)
}
