//! Two sides that edit one list, drawn from bytes: what the fuzz target of merging checks.

use skerry_merge::{Author, Concurrent, Entry, merge_by_place, merge_pair, merge_sequences};
use skerry_model::{
    CollectionType, FileIdent, Instruction, ObjectKey, ObjectRef, Path, PathElement, Payload,
    Schema, Stamp, UpdateSide, Value,
};

/// Elements that both sides have at the beginning.
const BASE_ELEMENTS: u32 = 3;
/// Edits beyond which the definition, which visits each pair, takes too long.
const EDITS_MAX: usize = 400;

/// Checks that merging by place, at once and one entry after another, gives what merging pair by pair
/// gives. Three bytes are an edit: whose, what and a new transaction or not; where; and when.
///
/// # Panics
///
/// When it does not.
pub fn check_lists(bytes: &[u8]) {
    let schema = Schema::default();
    let mut sides = [Side::new(2), Side::new(3)];
    for edit in bytes.chunks_exact(3).take(EDITS_MAX) {
        sides[usize::from(edit[0] & 1)].edit(edit[0] >> 1, edit[1], edit[2]);
    }
    let [ours, theirs] = sides.map(|side| side.entries);
    let (mut our_pairs, mut their_pairs) = (ours.clone(), theirs.clone());
    merge_sequences(&schema, &mut our_pairs, &mut their_pairs, merge_pair)
        .expect("both sides speak of one list");
    let (mut our_places, mut their_places) = (ours.clone(), theirs.clone());
    merge_by_place(&schema, &mut our_places, &mut their_places)
        .expect("both sides speak of one list");
    let (mut kept, mut one_by_one) = (Concurrent::new(ours), theirs);
    for entry in &mut one_by_one {
        kept.merge(&schema, entry).expect("both sides speak of one list");
    }
    assert_same(&our_places, &our_pairs);
    assert_same(&their_places, &their_pairs);
    assert_same(&kept.into_entries(), &our_pairs);
    assert_same(&one_by_one, &their_pairs);
}

fn assert_same(found: &[Entry], expected: &[Entry]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.instructions, expected.instructions);
    }
}

/// What one side does.
struct Side {
    ident: FileIdent,
    size: u32,
    entries: Vec<Entry>,
}

impl Side {
    fn new(ident: i64) -> Self {
        Self { ident: FileIdent(ident), size: BASE_ELEMENTS, entries: Vec::new() }
    }

    fn edit(&mut self, what: u8, at: u8, when: u8) {
        let stamp = Stamp(i64::from(when >> 2));
        if self.entries.is_empty() || what & 1 == 1 {
            self.entries.push(Entry::new(Author::new(stamp, self.ident), Vec::new()));
        }
        let Some(instruction) = self.instruction(what >> 1, u32::from(at)) else { return };
        let entry = self.entries.last_mut().expect("there is one");
        entry.instructions.push(instruction);
    }

    fn instruction(&mut self, what: u8, at: u32) -> Option<Instruction> {
        let prior_size = self.size;
        let element = at.checked_rem(prior_size);
        let value = || Payload::Value(Value::Int(1));
        Some(match what & 7 {
            0..=2 => {
                self.size += 1;
                let path = place(at % (prior_size + 1), &[]);
                Instruction::ArrayInsert { path, value: value(), prior_size }
            }
            3 | 4 => {
                let path = place(element?, &[]);
                self.size -= 1;
                Instruction::ArrayErase { path, prior_size }
            }
            5 => {
                let (path, side) = (place(element?, &[]), UpdateSide::prior_size(prior_size));
                Instruction::Update { path, value: value(), side }
            }
            6 => Instruction::AddInteger { path: place(element?, &["n"]), value: 1 },
            _ if what & 8 == 0 => {
                let (from, to) = (element?, (at / 16).checked_rem(prior_size)?);
                if from == to {
                    return None;
                }
                Instruction::ArrayMove { path: place(from, &[]), to, prior_size }
            }
            _ => {
                self.size = 0;
                let path = Path::property(object(), "list");
                Instruction::Clear { path, collection: CollectionType::List }
            }
        })
    }
}

fn object() -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(1))
}

fn place(index: u32, inside: &[&str]) -> Path {
    let keys = inside.iter().map(|key| PathElement::Key((*key).into()));
    let elements: Vec<_> = std::iter::once(PathElement::Index(index)).chain(keys).collect();
    Path::new(object(), "list", elements)
}
