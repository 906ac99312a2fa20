//! The places of a property that most instructions are about, made once for all objects of a class.

use std::sync::Arc;

use crate::{CollectionType, ObjectRef, Path, PathElement, Property, Within};

/// First positions of a list that are made in advance.
const POSITIONS: u32 = 16;

/// The places of one property in whatever object, which all paths to them share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    itself: Arc<Within>,
    /// The first positions, where it is a list.
    positions: Box<[Arc<Within>]>,
}

impl Places {
    /// The places of a property.
    pub fn of(property: &Property) -> Self {
        let within = |elements| Arc::new(Within { field: property.name.clone(), elements });
        let count = match property.collection {
            CollectionType::List => POSITIONS,
            CollectionType::Single | CollectionType::Set | CollectionType::Dictionary => 0,
        };
        let positions = (0..count).map(|at| within(Box::new([PathElement::Index(at)])));
        Self { itself: within(Box::default()), positions: positions.collect() }
    }

    /// The property itself.
    #[inline]
    pub(super) fn property(&self, object: &Arc<ObjectRef>) -> Path {
        Path::of(object.clone(), self.itself.clone())
    }

    /// A position in the list that the property is.
    #[inline]
    pub(super) fn position(&self, object: &Arc<ObjectRef>, at: u32) -> Path {
        let known = usize::try_from(at).ok().and_then(|at| self.positions.get(at));
        if let Some(known) = known {
            return Path::of(object.clone(), known.clone());
        }
        Path::new(object.clone(), self.itself.field.clone(), [PathElement::Index(at)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ObjectKey, PropertyType};

    #[test]
    fn shared_places_are_those_that_would_be_made() {
        let list = CollectionType::List;
        let tags = Property::collection("tags", list, PropertyType::String, false);
        let (places, object) =
            (Places::of(&tags), Arc::new(ObjectRef::new("Item", ObjectKey::Int(1))));
        assert_eq!(places.property(&object), Path::property(object.clone(), "tags"));
        for at in [0, 1, POSITIONS - 1, POSITIONS, u32::MAX] {
            let made = Path::new(object.clone(), "tags", [PathElement::Index(at)]);
            assert_eq!(places.position(&object, at), made);
        }
    }
}
