//! The sizes that the format promises, on the shape that `docs/changeset-format.md` names, and what
//! the encoder refuses.

use skerry_model::limits::{CHANGESET_MAX_BYTES, PATH_ELEMENTS_MAX};
use skerry_model::{
    Changeset, CollectionType, DecodeError, EncodeError, Instruction, Name, ObjectKey, ObjectRef,
    Path, PathElement, Payload, PropertyType, TableKind, Timestamp, UpdateSide, Value,
    decode_changeset, encode_changeset,
};

/// One `CreateObject` and five `Update`s, as 100 000 of them make the reference workload.
fn item(index: i64, names: &[Name; 6]) -> Vec<Instruction> {
    let object = ObjectRef { class: names[0].clone(), key: ObjectKey::Int(index) };
    let time = Timestamp::from_unix_ms(1_700_000_000_123 + index);
    let values = [
        Value::string(format!("item-{index:0>10}")),
        Value::Int(index * 7),
        Value::Double(1.0 / (1.0 + f64::from(u16::try_from(index % 1000).unwrap_or(0)))),
        Value::Timestamp(time),
        Value::string("open"),
    ];
    let updates = values.into_iter().zip(&names[1..]).map(|(value, field)| Instruction::Update {
        path: Path::property(object.clone(), field.clone()),
        value: Payload::Value(value),
        side: UpdateSide::IsDefault(false),
    });
    std::iter::once(Instruction::CreateObject { object: object.clone() }).chain(updates).collect()
}

fn names() -> [Name; 6] {
    ["Item", "summary", "quantity", "price", "createdAt", "status"].map(Name::from)
}

fn bytes_per_instruction(instructions: Vec<Instruction>) -> f64 {
    let count = u32::try_from(instructions.len()).unwrap_or(u32::MAX);
    let changeset = Changeset { instructions };
    let bytes = encode_changeset(&changeset).expect("well-formed");
    assert_eq!(decode_changeset(&bytes).as_ref(), Ok(&changeset));
    f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX)) / f64::from(count)
}

#[test]
fn one_large_changeset_is_small() {
    let names = names();
    let size = bytes_per_instruction((0..20_000).flat_map(|index| item(index, &names)).collect());
    assert!(size <= 15.6, "{size:.2} bytes per instruction");
}

#[test]
fn small_changesets_are_small() {
    let size = bytes_per_instruction(item(99_999, &names()));
    assert!(size <= 23.0, "{size:.2} bytes per instruction");
}

fn object() -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(1))
}

fn path(elements: Vec<PathElement>) -> Path {
    Path::new(object(), "f", elements)
}

fn update(elements: Vec<PathElement>, side: UpdateSide) -> Instruction {
    Instruction::Update { path: path(elements), value: Payload::List, side }
}

fn column(
    ty: PropertyType,
    collection: CollectionType,
    key_type: Option<PropertyType>,
) -> Instruction {
    let (class, field) = ("Item".into(), "f".into());
    Instruction::AddColumn { class, field, ty, nullable: true, collection, target: None, key_type }
}

fn refused(instruction: Instruction) -> EncodeError {
    let create = Instruction::CreateObject { object: object() };
    encode_changeset(&Changeset::from(vec![create, instruction])).expect_err("malformed")
}

#[test]
fn malformed_instructions_are_refused() {
    let at = |position| vec![PathElement::Index(position)];
    let side = UpdateSide::prior_size(1);
    assert_eq!(refused(update(vec![], side)), EncodeError::WrongSide { index: 1 });
    let side = UpdateSide::IsDefault(false);
    assert_eq!(refused(update(at(0), side)), EncodeError::WrongSide { index: 1 });

    let too_long = vec![PathElement::Key("k".into()); PATH_ELEMENTS_MAX + 1];
    let (count, max) = (too_long.len(), PATH_ELEMENTS_MAX);
    let expected = EncodeError::PathTooLong { index: 1, count, max };
    assert_eq!(refused(update(too_long, side)), expected);

    let erase = Instruction::ArrayErase { path: path(vec![]), prior_size: 1 };
    let expected = EncodeError::PathNotIndex { index: 1, instruction: "ArrayErase" };
    assert_eq!(refused(erase), expected);

    let single = CollectionType::Single;
    let int = PropertyType::Int;
    let expected = EncodeError::BadType { index: 1, role: "a column" };
    assert_eq!(refused(column(PropertyType::GlobalKey, single, None)), expected);
    let bad_column = EncodeError::BadColumn { index: 1 };
    assert_eq!(refused(column(PropertyType::Link, single, None)), bad_column);
    assert_eq!(refused(column(int, single, Some(PropertyType::String))), bad_column);
    assert_eq!(refused(column(int, CollectionType::Dictionary, None)), bad_column);

    let pk_type = PropertyType::Double;
    let kind = TableKind::TopLevel {
        pk_field: "f".into(),
        pk_type,
        pk_nullable: false,
        asymmetric: false,
    };
    let expected = EncodeError::BadType { index: 1, role: "a primary key" };
    assert_eq!(refused(Instruction::AddTable { class: "Item".into(), kind }), expected);
}

#[test]
fn changesets_above_the_limit_are_refused() {
    let value = Payload::Value(Value::binary(vec![0; CHANGESET_MAX_BYTES]));
    let side = UpdateSide::IsDefault(false);
    let error = refused(Instruction::Update { path: path(vec![]), value, side });
    assert!(matches!(error, EncodeError::TooLarge { max_bytes: CHANGESET_MAX_BYTES, .. }));

    // One string counts once, wherever it stands.
    let class = Name::from("x".repeat(CHANGESET_MAX_BYTES));
    let error = refused(Instruction::EraseTable { class });
    assert!(matches!(error, EncodeError::TooLarge { .. }));

    let bytes = vec![0xc0; CHANGESET_MAX_BYTES + 1];
    let (actual_bytes, max_bytes) = (bytes.len(), CHANGESET_MAX_BYTES);
    assert_eq!(decode_changeset(&bytes), Err(DecodeError::TooLarge { actual_bytes, max_bytes }));
}

#[test]
fn a_changeset_of_too_many_instructions_is_refused_before_memory_is_taken() {
    use skerry_model::limits::INSTRUCTIONS_MAX;
    // [1, ["T"], …] with an array header that promises one instruction too many.
    let elements = u32::try_from(INSTRUCTIONS_MAX + 3).unwrap();
    let mut bytes = vec![0xdd];
    bytes.extend(elements.to_be_bytes());
    bytes.extend([0x01, 0x91, 0xa1, b'T']);
    bytes.resize(bytes.len() + 2 * (INSTRUCTIONS_MAX + 1), 0x91);
    let error = skerry_model::decode_changeset(&bytes).unwrap_err();
    assert!(matches!(error, skerry_model::DecodeError::TooManyInstructions { .. }), "{error}");
}

#[test]
fn decoded_paths_share_objects_and_properties() {
    let names = names();
    let changeset =
        Changeset::from((0..2).flat_map(|index| item(index, &names)).collect::<Vec<_>>());
    let decoded = decode_changeset(&encode_changeset(&changeset).unwrap()).unwrap();
    let path = |position: usize| match &decoded.instructions[position] {
        Instruction::Update { path, .. } => path,
        other => panic!("{other:?}"),
    };
    assert!(std::ptr::eq(&raw const *path(1).object, &raw const *path(5).object));
    assert!(std::ptr::eq(&raw const path(1).field, &raw const path(7).field));
}
