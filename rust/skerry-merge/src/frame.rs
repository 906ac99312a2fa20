//! The loop over pairs (sync-engine 2.1).
//!
//! Every rule looks at one object (or one class), so running the loop for each of them alone gives
//! what running it over whole changesets would. Likewise two instructions inside objects have an
//! effect on each other only in one property: where both sides did much to an object, the loop
//! visits, for each of ours, those of theirs in the same property or above all properties.

use rustc_hash::FxHashMap;
use skerry_model::{Instruction, Name};
use smallvec::SmallVec;

use crate::place::path;
use crate::{MergeError, PairMerge, Slot};

/// Slots of one side of one conflict. Most conflicts are one instruction against one.
pub(crate) type Slots<'a> = SmallVec<[Slot<'a>; 4]>;

/// Up to this number of pairs, visiting all costs less than sorting them by property.
const PAIRS_VISITED_MAX: usize = 256;

/// Merges `ours`, in the order of our history, with `theirs`, in the order of arrival.
pub(crate) fn run(
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
    merge: PairMerge,
) -> Result<(), MergeError> {
    if ours.len().saturating_mul(theirs.len()) <= PAIRS_VISITED_MAX {
        run_all(ours, theirs, merge)
    } else {
        run_by_property(ours, theirs, merge)
    }
}

fn run_all(
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
    merge: PairMerge,
) -> Result<(), MergeError> {
    let count = theirs.len();
    ours.iter_mut().try_for_each(|outer| visit(outer, theirs, 0..count, merge))
}

fn run_by_property(
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
    merge: PairMerge,
) -> Result<(), MergeError> {
    let mut above: Vec<usize> = Vec::new();
    let mut within: FxHashMap<Name, Vec<usize>> = FxHashMap::default();
    for (at, inner) in theirs.iter().enumerate() {
        match property(inner.instruction()) {
            Some(name) => within.entry(name.clone()).or_default().push(at),
            None => above.push(at),
        }
    }
    let count = theirs.len();
    for outer in ours {
        match property(outer.instruction()) {
            Some(name) => {
                let same = within.get(name).map_or(&[][..], Vec::as_slice);
                visit(outer, theirs, ascending(same, &above), merge)?;
            }
            None => visit(outer, theirs, 0..count, merge)?,
        }
    }
    Ok(())
}

/// The property that a path instruction is in. No rule changes it.
fn property(instruction: &Instruction) -> Option<&Name> {
    path(instruction).map(|path| &path.field)
}

/// The numbers of two ascending lists that share none, ascending.
fn ascending<'a>(a: &'a [usize], b: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(first), Some(second)) if second < first => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}

fn visit(
    outer: &mut Slot<'_>,
    theirs: &mut [Slot<'_>],
    positions: impl Iterator<Item = usize>,
    merge: PairMerge,
) -> Result<(), MergeError> {
    for at in positions {
        if theirs[at].is_discarded() {
            continue;
        }
        merge(outer, &mut theirs[at])?;
        if outer.is_discarded() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use skerry_model::{FileIdent, ObjectKey, ObjectRef, Path, Payload, Stamp, UpdateSide, Value};

    use super::*;
    use crate::{Author, merge_pair};

    type Run = fn(&mut [Slot<'_>], &mut [Slot<'_>], PairMerge) -> Result<(), MergeError>;

    /// Instructions on two objects drawn by a linear congruence, which repeats from its seed.
    fn instructions(seed: &mut u64, count: usize) -> Vec<Instruction> {
        let mut draw = |below: u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*seed >> 33) % below
        };
        let mut drawn = Vec::new();
        for _ in 0..count {
            let key = i64::try_from(draw(2)).unwrap();
            let object = ObjectRef::new("Item", ObjectKey::Int(key));
            let field = ["a", "b", "c"][usize::try_from(draw(3)).unwrap()];
            let path = Path::property(object.clone(), field);
            drawn.push(match draw(12) {
                0 => Instruction::EraseObject { object },
                1 => Instruction::CreateObject { object },
                2..=6 => Instruction::AddInteger { path, value: 1 },
                7 => Instruction::Update {
                    path,
                    value: Payload::Value(Value::Null),
                    side: UpdateSide::IsDefault(true),
                },
                _ => Instruction::Update {
                    path,
                    value: Payload::Value(Value::Int(7)),
                    side: UpdateSide::IsDefault(false),
                },
            });
        }
        drawn
    }

    #[test]
    fn visiting_by_property_gives_what_visiting_all_gives() {
        for case in 0..300 {
            let mut seed = case;
            let (ours, theirs) = (instructions(&mut seed, 12), instructions(&mut seed, 12));
            let merged = |run: Run| {
                let author = |at: usize, ident| {
                    Author::new(Stamp(i64::try_from(at / 3).unwrap()), FileIdent(ident))
                };
                let mut a: Vec<_> =
                    ours.iter().enumerate().map(|(at, i)| Slot::new(author(at, 2), i)).collect();
                let mut b: Vec<_> =
                    theirs.iter().enumerate().map(|(at, i)| Slot::new(author(at, 3), i)).collect();
                run(&mut a, &mut b, merge_pair).unwrap();
                format!("{a:?}{b:?}")
            };
            assert_eq!(merged(run_all), merged(run_by_property), "seed {case}");
        }
    }

    #[test]
    fn numbers_of_two_lists_ascend() {
        let merged: Vec<_> = ascending(&[1, 4, 5], &[0, 2, 7]).collect();
        assert_eq!(merged, [0, 1, 2, 4, 5, 7]);
    }
}
