//! Addresses of objects and of places inside them.
//!
//! A changeset names one object in many instructions and one property of many objects, so a
//! [`Path`] shares both with its neighbours and takes two words itself. What is shared is never
//! changed: whoever writes to a path gets parts of its own.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::{Name, ObjectKey};

/// The address of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Class.
    pub class: Name,
    /// Primary key.
    pub key: ObjectKey,
}

/// One step below a property.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathElement {
    /// Position in a list.
    Index(u32),
    /// Property of an embedded object, or key of a dictionary.
    Key(Name),
}

/// The address of a place inside an object: of `object`, and of what it derefs to within that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The top-level object.
    pub object: Arc<ObjectRef>,
    within: Arc<Within>,
}

/// The address of a place inside whatever object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Within {
    /// The property.
    pub field: Name,
    /// The steps below the property; empty for the property itself.
    pub elements: Box<[PathElement]>,
}

impl ObjectRef {
    /// Address of the object of `class` with `key`.
    pub fn new(class: impl Into<Name>, key: ObjectKey) -> Self {
        Self { class: class.into(), key }
    }
}

impl Path {
    /// The place at the end of `elements`, which lead on from a property.
    pub fn new(
        object: impl Into<Arc<ObjectRef>>,
        field: impl Into<Name>,
        elements: impl Into<Box<[PathElement]>>,
    ) -> Self {
        let within = Within { field: field.into(), elements: elements.into() };
        Self::of(object.into(), Arc::new(within))
    }

    /// The place of a property itself.
    pub fn property(object: impl Into<Arc<ObjectRef>>, field: impl Into<Name>) -> Self {
        Self::new(object, field, Box::default())
    }

    /// The place `within` an object.
    #[inline]
    pub(crate) fn of(object: Arc<ObjectRef>, within: Arc<Within>) -> Self {
        Self { object, within }
    }

    /// Whether the place is a list position.
    pub fn ends_with_index(&self) -> bool {
        matches!(self.elements.last(), Some(PathElement::Index(_)))
    }
}

impl Deref for Path {
    type Target = Within;
    #[inline]
    fn deref(&self) -> &Within {
        &self.within
    }
}

impl DerefMut for Path {
    fn deref_mut(&mut self) -> &mut Within {
        Arc::make_mut(&mut self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_to_a_path_leaves_its_copies_alone() {
        let object = ObjectRef::new("Item", ObjectKey::Int(1));
        let original = Path::new(object, "tags", [PathElement::Index(3)]);
        let mut copy = original.clone();
        copy.elements[0] = PathElement::Index(4);
        assert_eq!(*original.elements, [PathElement::Index(3)]);
        assert_eq!(*copy.elements, [PathElement::Index(4)]);
    }
}
