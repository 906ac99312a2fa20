//! The queryable fields of objects: what the history keeps of them, and what instructions do to it.
//!
//! Invariant: the fields after a change are those that the object has once its instructions are
//! applied, whatever they are about; what does not fit changes nothing here and is refused there.

use std::collections::BTreeSet;

use skerry_model::{ClassSchema, Content, Instruction, Path, PathElement, Property, Schema};
use skerry_query::QueryableKind;
use skerry_query::subscription::POINT_FIELDS;
use skerry_store::server::FieldValues;

/// The fields of a class that can be queried: those that the configuration names, as far as they are
/// of a kind that can be, whatever it says of the classes that clients define.
pub(super) struct QueryableFields<'a> {
    schema: &'a Schema,
    class: &'a ClassSchema,
    /// Position in the class, and kind; ascending.
    fields: Vec<(usize, QueryableKind)>,
}

/// What instructions do to an object's queryable fields.
pub(super) struct Change {
    pub(super) before: Option<FieldValues>,
    pub(super) after: Option<FieldValues>,
    /// The last state that an erase ended, of an object that was not there before.
    pub(super) ghost: Option<FieldValues>,
    pub(super) creates: bool,
    pub(super) erases: bool,
}

impl<'a> QueryableFields<'a> {
    /// Those of these names.
    pub(super) fn of(schema: &'a Schema, class: &'a ClassSchema, names: &BTreeSet<String>) -> Self {
        let properties = class.properties.iter().enumerate();
        let listed = properties.filter(|(_, property)| names.contains(&*property.name));
        let fields = listed
            .filter_map(|(at, property)| Some((at, QueryableKind::of(schema, property)?)))
            .collect();
        Self { schema, class, fields }
    }

    /// Their values, from what an object holds in the class's order.
    pub(super) fn values(&self, contents: &[Content]) -> FieldValues {
        let kept = self.fields.iter().filter_map(|&(at, kind)| {
            let mut content = contents.get(at)?.clone();
            keep_queryable(kind, &mut content);
            Some((u32::try_from(at).expect("properties are few"), content))
        });
        FieldValues(kept.collect())
    }

    /// Whether values, if there is an object, are there for all of them.
    pub(super) fn are_all_in(&self, values: Option<&FieldValues>) -> bool {
        values.is_none_or(|values| self.fields.iter().all(|&(at, _)| values.get(at).is_some()))
    }

    /// What the instructions, which are about one object, do to its values.
    pub(super) fn simulate(
        &self,
        before: Option<FieldValues>,
        instructions: &[Instruction],
    ) -> Change {
        let (creates, erases) = (false, false);
        let mut change = Change { after: before.clone(), before, ghost: None, creates, erases };
        for instruction in instructions {
            match instruction {
                Instruction::CreateObject { .. } if change.after.is_none() => {
                    let properties = &self.class.properties;
                    let zeros: Vec<Content> = properties.iter().map(Property::zero).collect();
                    change.after = Some(self.values(&zeros));
                    change.creates = true;
                }
                Instruction::EraseObject { .. } => {
                    let erased = change.after.take();
                    change.erases |= erased.is_some();
                    if change.before.is_none() && erased.is_some() {
                        change.ghost = erased;
                    }
                }
                Instruction::Update { path, .. }
                | Instruction::AddInteger { path, .. }
                | Instruction::ArrayInsert { path, .. }
                | Instruction::ArrayMove { path, .. }
                | Instruction::ArrayErase { path, .. }
                | Instruction::Clear { path, .. }
                | Instruction::SetInsert { path, .. }
                | Instruction::SetErase { path, .. } => {
                    self.edit(change.after.as_mut(), path, instruction);
                }
                Instruction::CreateObject { .. }
                | Instruction::AddTable { .. }
                | Instruction::EraseTable { .. }
                | Instruction::AddColumn { .. }
                | Instruction::EraseColumn { .. } => {}
            }
        }
        change
    }

    fn edit(&self, values: Option<&mut FieldValues>, path: &Path, instruction: &Instruction) {
        let is_it =
            |&&(at, _): &&(usize, QueryableKind)| self.class.properties[at].name == path.field;
        let Some(&(at, kind)) = self.fields.iter().find(is_it) else { return };
        if kind == QueryableKind::Point && !is_in_point(path) {
            return;
        }
        let Some(content) = values.and_then(|values| values.get_mut(at)) else { return };
        // What does not fit has changed nothing; applying it refuses it.
        if content.apply(self.schema, &self.class.properties[at], instruction).is_ok() {
            keep_queryable(kind, content);
        }
    }
}

/// Of a point only what makes it one is kept.
fn keep_queryable(kind: QueryableKind, content: &mut Content) {
    if let (QueryableKind::Point, Content::Object(fields)) = (kind, content) {
        fields.retain(|name, _| POINT_FIELDS.contains(&name.as_str()));
    }
}

/// Whether the path leads to a point or to what is kept of it.
fn is_in_point(path: &Path) -> bool {
    match path.elements.first() {
        None => true,
        Some(PathElement::Key(name)) => POINT_FIELDS.contains(&name.as_str()),
        Some(PathElement::Index(_)) => false,
    }
}
