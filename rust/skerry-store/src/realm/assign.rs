//! Whole contents in a local write: places set to them. Objects are created with them by `create`.
//!
//! Invariant: a content is fitted to its place, and so refused, before anything is written.

use skerry_model::content::Place;
use skerry_model::edit::{Edit, Op};
use skerry_model::{Content, Misfit, ObjectRef, Path};

use super::write::WriteTxn;
use crate::error::{Fault, Result, StoreError};

impl WriteTxn {
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

    pub(super) fn assign_fitted(&mut self, path: Path, content: Content) -> Result<()> {
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
}

pub(super) fn refusal(instruction: &'static str, object: &ObjectRef, fault: Fault) -> StoreError {
    let (class, key) = (object.class.clone(), Some(object.key.clone()));
    StoreError::BadInstruction { instruction, class, key, fault }
}
