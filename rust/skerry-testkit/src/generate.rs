//! Strategies for values, keys, instructions and changesets.
//!
//! What they make is well-formed (it can be encoded), but addresses objects at random: it need not
//! apply to any state. Names and keys come from small pools mixed with arbitrary ones, so that
//! consecutive instructions often meet at one object, one property or one string.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use skerry_model::{
    Changeset, CollectionType, Decimal128, Instruction, Name, ObjectId, ObjectKey, ObjectRef, Path,
    PathElement, Payload, PropertyType, TableKind, Timestamp, UpdateSide, Uuid, Value,
};

/// Most steps of a generated path below its property.
const PATH_ELEMENTS_MAX: usize = 4;
/// Most instructions of a generated changeset.
const INSTRUCTIONS_MAX: usize = 40;

/// Names of classes, properties and dictionary keys, the empty one included.
pub fn names() -> impl Strategy<Value = Name> {
    prop_oneof![
        8 => prop::sample::select(vec!["Item", "Person", "name", "owner", "a", ""])
            .prop_map(Name::from),
        1 => Just(Name::from("a name that is longer than thirty-one bytes")),
        1 => any::<String>().prop_map(Name::from),
    ]
}

/// Texts of values.
pub fn texts() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        4 => any::<String>(),
        1 => "[a-z]{200,300}",
    ]
    .prop_map(Arc::from)
}

/// Decimals, the special ones included.
pub fn decimals() -> impl Strategy<Value = Decimal128> {
    let finite = (
        any::<bool>(),
        0..=Decimal128::COEFFICIENT_MAX,
        Decimal128::EXPONENT_MIN..=Decimal128::EXPONENT_MAX,
    )
        .prop_map(|(negative, coefficient, exponent)| {
            Decimal128::from_parts(negative, coefficient, exponent).expect("generated in range")
        });
    prop_oneof![
        6 => finite,
        2 => any::<i64>().prop_map(Decimal128::from),
        1 => prop::sample::select(vec![
            Decimal128::NAN,
            Decimal128::INFINITY,
            Decimal128::NEG_INFINITY,
            Decimal128::ZERO,
        ]),
    ]
}

/// Points in time, with and without fractions, of every size.
pub fn timestamps() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from), -2i64..=2];
    let nanoseconds = prop_oneof![Just(0), 0..Timestamp::NANOS_PER_SECOND];
    (seconds, nanoseconds, any::<bool>()).prop_map(|(seconds, nanoseconds, before)| {
        let negative = if seconds == 0 { before } else { seconds < 0 };
        let nanoseconds = if negative { -nanoseconds } else { nanoseconds };
        Timestamp::new(seconds, nanoseconds).expect("both of one sign")
    })
}

/// Integers that often need more or fewer bytes than their neighbours.
pub fn integers() -> impl Strategy<Value = i64> {
    let edges = (0u32..64, -1i64..=1, any::<bool>()).prop_map(|(bit, step, negative)| {
        let edge = (1i64 << bit).wrapping_add(step);
        if negative { edge.wrapping_neg() } else { edge }
    });
    prop_oneof![edges, any::<i64>(), -40i64..200]
}

/// Object ids.
pub fn object_ids() -> impl Strategy<Value = ObjectId> {
    any::<[u8; 12]>().prop_map(ObjectId)
}

/// UUIDs.
pub fn uuids() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid)
}

/// Primary keys of every kind.
pub fn keys() -> impl Strategy<Value = ObjectKey> {
    prop_oneof![
        4 => (0i64..3).prop_map(ObjectKey::Int),
        1 => Just(ObjectKey::Null),
        1 => integers().prop_map(ObjectKey::Int),
        2 => names().prop_map(|name| ObjectKey::String(name.shared().clone())),
        1 => any::<(u64, u64)>().prop_map(|(hi, lo)| ObjectKey::GlobalKey { hi, lo }),
        1 => object_ids().prop_map(ObjectKey::ObjectId),
        1 => uuids().prop_map(ObjectKey::Uuid),
    ]
}

/// Values of every kind.
pub fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        integers().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        texts().prop_map(Value::String),
        vec(any::<u8>(), 0..300).prop_map(Value::binary),
        timestamps().prop_map(Value::Timestamp),
        any::<u32>().prop_map(|bits| Value::Float(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits))),
        decimals().prop_map(Value::Decimal),
        (names(), keys()).prop_map(|(class, key)| Value::link(class, key)),
        object_ids().prop_map(Value::ObjectId),
        uuids().prop_map(Value::Uuid),
    ]
}

/// Payloads: mostly values.
pub fn payloads() -> impl Strategy<Value = Payload> {
    prop_oneof![
        6 => values().prop_map(Payload::Value),
        1 => Just(Payload::ObjectValue),
        1 => Just(Payload::List),
        1 => Just(Payload::Dictionary),
        1 => Just(Payload::Erased),
    ]
}

/// Addresses of objects.
pub fn objects() -> impl Strategy<Value = ObjectRef> {
    (names(), keys()).prop_map(|(class, key)| ObjectRef { class, key })
}

fn list_positions() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..4, any::<u32>()]
}

fn path_elements() -> impl Strategy<Value = PathElement> {
    prop_oneof![list_positions().prop_map(PathElement::Index), names().prop_map(PathElement::Key),]
}

/// Paths of any end.
pub fn paths() -> impl Strategy<Value = Path> {
    let elements = prop_oneof![Just(Vec::new()), vec(path_elements(), 0..=PATH_ELEMENTS_MAX)];
    (objects(), names(), elements)
        .prop_map(|(object, field, elements)| Path::new(object, field, elements))
}

/// Paths that end with a list position.
pub fn list_paths() -> impl Strategy<Value = Path> {
    (paths(), list_positions()).prop_map(|(mut path, position)| {
        let mut elements = path.elements.to_vec();
        elements.push(PathElement::Index(position));
        path.elements = elements.into();
        path
    })
}

fn collections() -> impl Strategy<Value = CollectionType> {
    prop::sample::select(vec![
        CollectionType::Single,
        CollectionType::List,
        CollectionType::Dictionary,
        CollectionType::Set,
    ])
}

fn column_types() -> impl Strategy<Value = PropertyType> {
    let types = PropertyType::ALL.into_iter().filter(|ty| *ty != PropertyType::GlobalKey);
    prop::sample::select(types.collect::<Vec<_>>())
}

/// Instructions about classes and columns.
pub fn schema_instructions() -> impl Strategy<Value = Instruction> {
    let key_types = PropertyType::ALL.into_iter().filter(|ty| ty.is_key()).collect::<Vec<_>>();
    let top_level = (names(), prop::sample::select(key_types), any::<bool>(), any::<bool>())
        .prop_map(|(pk_field, pk_type, pk_nullable, asymmetric)| TableKind::TopLevel {
            pk_field,
            pk_type,
            pk_nullable,
            asymmetric,
        });
    let kinds = prop_oneof![Just(TableKind::Embedded), top_level];
    let columns = (
        (names(), names(), column_types(), any::<bool>()),
        (collections(), names(), column_types()),
    )
        .prop_map(|((class, field, ty, nullable), (collection, target, key_type))| {
            let target = (ty == PropertyType::Link).then(|| Box::new(target));
            let key_type = (collection == CollectionType::Dictionary).then_some(key_type);
            Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type }
        });
    prop_oneof![
        (names(), kinds).prop_map(|(class, kind)| Instruction::AddTable { class, kind }),
        names().prop_map(|class| Instruction::EraseTable { class }),
        columns,
        (names(), names()).prop_map(|(class, field)| Instruction::EraseColumn { class, field }),
    ]
}

fn updates() -> impl Strategy<Value = Instruction> {
    let sides = (any::<bool>(), any::<u32>());
    (paths(), payloads(), sides).prop_map(|(path, value, (is_default, prior_size))| {
        let side = if path.ends_with_index() {
            UpdateSide::prior_size(prior_size)
        } else {
            UpdateSide::IsDefault(is_default)
        };
        Instruction::Update { path, value, side }
    })
}

/// Instructions of all fourteen kinds.
pub fn instructions() -> impl Strategy<Value = Instruction> {
    prop_oneof![
        2 => schema_instructions(),
        2 => objects().prop_map(|object| Instruction::CreateObject { object }),
        2 => objects().prop_map(|object| Instruction::EraseObject { object }),
        6 => updates(),
        1 => (paths(), integers())
            .prop_map(|(path, value)| Instruction::AddInteger { path, value }),
        2 => (list_paths(), payloads(), any::<u32>()).prop_map(|(path, value, prior_size)| {
            Instruction::ArrayInsert { path, value, prior_size }
        }),
        1 => (list_paths(), any::<u32>(), any::<u32>()).prop_map(|(path, to, prior_size)| {
            Instruction::ArrayMove { path, to, prior_size }
        }),
        1 => (list_paths(), any::<u32>())
            .prop_map(|(path, prior_size)| Instruction::ArrayErase { path, prior_size }),
        1 => (paths(), collections())
            .prop_map(|(path, collection)| Instruction::Clear { path, collection }),
        1 => (paths(), values()).prop_map(|(path, value)| Instruction::SetInsert { path, value }),
        1 => (paths(), values()).prop_map(|(path, value)| Instruction::SetErase { path, value }),
    ]
}

/// Changesets, in which an instruction often addresses the object of the one before.
pub fn changesets() -> impl Strategy<Value = Changeset> {
    let repeats = option::weighted(0.6, Just(()));
    vec((instructions(), repeats), 0..INSTRUCTIONS_MAX).prop_map(|made| {
        let mut last: Option<ObjectRef> = None;
        let mut instructions = Vec::with_capacity(made.len());
        for (mut instruction, repeat) in made {
            if let (Some(object), Some(()), Some(last)) =
                (object_mut(&mut instruction), repeat, &last)
            {
                *object = last.clone();
            }
            last = instruction.object().cloned().or(last);
            instructions.push(instruction);
        }
        Changeset { instructions }
    })
}

fn object_mut(instruction: &mut Instruction) -> Option<&mut ObjectRef> {
    match instruction {
        Instruction::AddTable { .. }
        | Instruction::EraseTable { .. }
        | Instruction::AddColumn { .. }
        | Instruction::EraseColumn { .. } => None,
        Instruction::CreateObject { object } | Instruction::EraseObject { object } => Some(object),
        Instruction::Update { path, .. }
        | Instruction::AddInteger { path, .. }
        | Instruction::ArrayInsert { path, .. }
        | Instruction::ArrayMove { path, .. }
        | Instruction::ArrayErase { path, .. }
        | Instruction::Clear { path, .. }
        | Instruction::SetInsert { path, .. }
        | Instruction::SetErase { path, .. } => Some(Arc::make_mut(&mut path.object)),
    }
}
