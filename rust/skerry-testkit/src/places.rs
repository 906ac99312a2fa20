//! Places for edits that were drawn without looking at any state.

use skerry_model::edit::{Edit, Op};
use skerry_model::{Content, Path, PathElement};

use crate::state::State;

/// The path with positions taken modulo the sizes of the lists; `None` where it leads nowhere. The
/// last element need not exist when it is a key.
pub(crate) fn path_of(state: &State, path: &Path) -> Option<Path> {
    let mut content = state.held(&path.object, &path.field)?;
    let mut path = path.clone();
    let last = path.elements.len().checked_sub(1);
    for (at, element) in path.elements.iter_mut().enumerate() {
        content = match (content, element) {
            (Content::List(list), PathElement::Index(index)) => {
                let size = u32::try_from(list.len()).ok().filter(|size| *size > 0)?;
                *index %= size;
                &list[usize::try_from(*index).ok()?]
            }
            (Content::Dictionary(fields) | Content::Object(fields), PathElement::Key(key)) => {
                match fields.get(key) {
                    Some(content) => content,
                    None if Some(at) == last => return Some(path),
                    None => return None,
                }
            }
            _ => return None,
        };
    }
    Some(path)
}

/// The edit with positions taken modulo the size of the list; `None` where there is none.
pub(crate) fn fit(state: &State, op: &Op) -> Option<Op> {
    let Op::At { path, edit } = op else { return Some(op.clone()) };
    let path = path_of(state, path)?;
    let mut held = state.held(&path.object, &path.field)?;
    for element in &path.elements {
        held = match (held, element) {
            (Content::List(list), PathElement::Index(index)) => {
                list.get(usize::try_from(*index).ok()?)?
            }
            (Content::Dictionary(fields) | Content::Object(fields), PathElement::Key(key)) => {
                match fields.get(key) {
                    Some(content) => content,
                    None => return Some(Op::At { path, edit: edit.clone() }),
                }
            }
            _ => return None,
        };
    }
    let size = match held {
        Content::List(list) => u32::try_from(list.len()).ok()?,
        _ => 0,
    };
    let mut edit = edit.clone();
    match &mut edit {
        Edit::ListInsert { index, .. } | Edit::ListInsertAll { index, .. } => *index %= size + 1,
        Edit::ListSet { index, .. } | Edit::ListErase { index } => {
            *index = index.checked_rem(size)?;
        }
        Edit::ListMove { from, to } => {
            *from = from.checked_rem(size)?;
            *to = to.checked_rem(size)?;
        }
        Edit::Set { .. }
        | Edit::Assign { .. }
        | Edit::AddInteger(_)
        | Edit::Clear
        | Edit::SetInsert(_)
        | Edit::SetErase(_)
        | Edit::DictionarySet { .. }
        | Edit::DictionaryErase { .. }
        | Edit::SetEmbedded
        | Edit::SetCollection(_) => {}
    }
    Some(Op::At { path, edit })
}
