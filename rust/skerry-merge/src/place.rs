//! Where instructions are, and whether two of them meet: the equality tests of sync-engine 2.1.
//!
//! All comparisons are by content (names, keys and path elements), which both ends agree on.

use skerry_model::{
    Instruction, Name, Path, PathElement, Payload, PropertyType, SetKey, UpdateSide, Value,
};

/// The path of a path instruction; `None` for schema and object instructions.
pub(crate) fn path(instruction: &Instruction) -> Option<&Path> {
    match instruction {
        Instruction::Update { path, .. }
        | Instruction::AddInteger { path, .. }
        | Instruction::ArrayInsert { path, .. }
        | Instruction::ArrayMove { path, .. }
        | Instruction::ArrayErase { path, .. }
        | Instruction::Clear { path, .. }
        | Instruction::SetInsert { path, .. }
        | Instruction::SetErase { path, .. } => Some(path),
        Instruction::AddTable { .. }
        | Instruction::EraseTable { .. }
        | Instruction::CreateObject { .. }
        | Instruction::EraseObject { .. }
        | Instruction::AddColumn { .. }
        | Instruction::EraseColumn { .. } => None,
    }
}

/// As [`path()`], to be rewritten.
pub(crate) fn path_mut(instruction: &mut Instruction) -> Option<&mut Path> {
    match instruction {
        Instruction::Update { path, .. }
        | Instruction::AddInteger { path, .. }
        | Instruction::ArrayInsert { path, .. }
        | Instruction::ArrayMove { path, .. }
        | Instruction::ArrayErase { path, .. }
        | Instruction::Clear { path, .. }
        | Instruction::SetInsert { path, .. }
        | Instruction::SetErase { path, .. } => Some(path),
        Instruction::AddTable { .. }
        | Instruction::EraseTable { .. }
        | Instruction::CreateObject { .. }
        | Instruction::EraseObject { .. }
        | Instruction::AddColumn { .. }
        | Instruction::EraseColumn { .. } => None,
    }
}

/// States the size of the list, in an instruction that edits a list.
pub(crate) fn state_prior_size(instruction: &mut Instruction, to: u32) {
    match instruction {
        Instruction::Update { side: UpdateSide::PriorSize(size), .. } => *size = to.into(),
        Instruction::ArrayInsert { prior_size: size, .. }
        | Instruction::ArrayMove { prior_size: size, .. }
        | Instruction::ArrayErase { prior_size: size, .. } => *size = to,
        _ => {}
    }
}

/// The size of the list that the instruction states, when it edits a list.
pub(crate) fn prior_size(instruction: &Instruction) -> Option<u32> {
    match instruction {
        Instruction::Update { side: UpdateSide::PriorSize(size), .. } => Some(size.get()),
        Instruction::ArrayInsert { prior_size: size, .. }
        | Instruction::ArrayMove { prior_size: size, .. }
        | Instruction::ArrayErase { prior_size: size, .. } => Some(*size),
        _ => None,
    }
}

/// The level of sync-engine 1.1: the length of what the instruction addresses.
pub(crate) fn level(instruction: &Instruction) -> usize {
    match path(instruction) {
        Some(path) => 3 + path.elements.len(),
        None if matches!(
            instruction,
            Instruction::AddTable { .. } | Instruction::EraseTable { .. }
        ) =>
        {
            1
        }
        None => 2,
    }
}

/// Whether it removes a class or a property. Such an instruction can meet any instruction of its
/// class, so an index per object does not find what it conflicts with (sync-engine 2.5).
pub fn is_schema_erase(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::EraseTable { .. } | Instruction::EraseColumn { .. })
}

/// Both are in, or about, one class.
pub(crate) fn same_class(a: &Instruction, b: &Instruction) -> bool {
    a.class() == b.class()
}

/// Both address one object, or something inside it.
pub(crate) fn same_object(a: &Instruction, b: &Instruction) -> bool {
    matches!((a.object(), b.object()), (Some(a), Some(b)) if a == b)
}

fn column(instruction: &Instruction) -> Option<(&Name, &Name)> {
    match instruction {
        Instruction::AddColumn { class, field, .. } | Instruction::EraseColumn { class, field } => {
            Some((class, field))
        }
        _ => path(instruction).map(|path| (&path.object.class, &path.field)),
    }
}

/// Both are about one property of a class, in whatever object.
pub(crate) fn same_column(a: &Instruction, b: &Instruction) -> bool {
    matches!((column(a), column(b)), (Some(a), Some(b)) if a == b)
}

/// One of them adds a link property whose target class the other erases.
pub(crate) fn links_to_erased(a: &Instruction, b: &Instruction) -> bool {
    let links = |column: &Instruction, table: &Instruction| match (column, table) {
        (
            Instruction::AddColumn { ty: PropertyType::Link, target: Some(target), .. },
            Instruction::EraseTable { class },
        ) => **target == *class,
        _ => false,
    };
    links(a, b) || links(b, a)
}

fn same_property(a: &Path, b: &Path) -> bool {
    a.field == b.field && a.object == b.object
}

/// Both have the same path.
pub(crate) fn same_place(a: &Instruction, b: &Instruction) -> bool {
    matches!((path(a), path(b)), (Some(a), Some(b)) if same_property(a, b) && a.elements == b.elements)
}

/// Both address an element of one list: equal paths up to the last element, which is a position.
pub(crate) fn same_list(a: &Instruction, b: &Instruction) -> bool {
    let (Some(a), Some(b)) = (path(a), path(b)) else { return false };
    let (Some((PathElement::Index(_), outside_a)), Some((PathElement::Index(_), outside_b))) =
        (a.elements.split_last(), b.elements.split_last())
    else {
        return false;
    };
    outside_a == outside_b && same_property(a, b)
}

/// The value that a set instruction puts in or takes out.
pub(crate) fn set_value(instruction: &Instruction) -> Option<&Value> {
    match instruction {
        Instruction::SetInsert { value, .. } | Instruction::SetErase { value, .. } => Some(value),
        _ => None,
    }
}

/// Both are about one element of one set.
pub(crate) fn same_element(a: &Instruction, b: &Instruction) -> bool {
    let same_value = match (set_value(a), set_value(b)) {
        (Some(a), Some(b)) => a == b || SetKey::of(a) == SetKey::of(b),
        _ => false,
    };
    same_value && same_place(a, b)
}

/// `inner` is inside the place that `outer` addresses.
pub(crate) fn prefix(outer: &Instruction, inner: &Instruction) -> bool {
    let (Some(outer), Some(inner)) = (path(outer), path(inner)) else { return false };
    outer.elements.len() < inner.elements.len()
        && inner.elements.starts_with(&outer.elements)
        && same_property(outer, inner)
}

/// `inner` is inside some element of the list of which `outer` addresses an element.
pub(crate) fn list_prefix(outer: &Instruction, inner: &Instruction) -> bool {
    let (Some(outer), Some(inner)) = (path(outer), path(inner)) else { return false };
    let Some((PathElement::Index(_), list)) = outer.elements.split_last() else { return false };
    outer.elements.len() < inner.elements.len()
        && inner.elements.starts_with(list)
        && matches!(inner.elements[list.len()], PathElement::Index(_))
        && same_property(outer, inner)
}

/// Whether it puts something into the collection at the place `depth` steps below the property.
pub(crate) fn fills(instruction: &Instruction, depth: usize) -> bool {
    match instruction {
        Instruction::ArrayInsert { path, .. } => path.elements.len() == depth + 1,
        Instruction::Update { path, value, side: UpdateSide::IsDefault(_) } => {
            path.elements.len() == depth + 1 && *value != Payload::Erased
        }
        _ => false,
    }
}
