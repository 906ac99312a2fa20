//! Changesets to bytes.

use super::strings::WrittenStrings;
use super::{EncodeError, VERSION, Writer, ext, mark, op, table};
use crate::limits::{CHANGESET_MAX_BYTES, INSTRUCTIONS_MAX, PATH_ELEMENTS_MAX};
use crate::{
    Changeset, CollectionType, Instruction, Name, ObjectRef, Path, PathElement, Payload,
    PropertyType, TableKind, UpdateSide, Value,
};

type Result<T> = std::result::Result<T, EncodeError>;

/// What an instruction takes on average, for a first guess at the memory.
const INSTRUCTION_GUESS_BYTES: usize = 12;

/// Encodes a changeset; the empty one is zero bytes.
///
/// Fails on instructions that the fourteen kinds do not allow (a bug of whoever made them) and on
/// changesets of more than [`CHANGESET_MAX_BYTES`].
pub fn encode_changeset(changeset: &Changeset) -> Result<Vec<u8>> {
    if changeset.is_empty() {
        return Ok(Vec::new());
    }
    let count = changeset.instructions.len();
    if count > INSTRUCTIONS_MAX {
        return Err(EncodeError::TooManyInstructions { count, max: INSTRUCTIONS_MAX });
    }
    let mut encoder = Encoder {
        body: Writer::with_capacity(count.saturating_mul(INSTRUCTION_GUESS_BYTES)),
        strings: WrittenStrings::default(),
        last_object: None,
        index: 0,
    };
    for (index, instruction) in changeset.instructions.iter().enumerate() {
        encoder.index = index;
        encoder.instruction(instruction)?;
        check_size(encoder.body.len())?;
    }
    let strings = encoder.strings.into_order();
    let strings_bytes: usize = strings.iter().map(|text| text.len() + 5).sum();
    check_size(strings_bytes)?;
    let mut whole = Writer::with_capacity(strings_bytes + encoder.body.len() + 16);
    whole.write_array_header(2 + count);
    whole.write_u64(VERSION);
    whole.write_array_header(strings.len());
    for text in strings {
        whole.write_str(text);
    }
    whole.write_encoded(encoder.body.as_bytes());
    check_size(whole.len())?;
    Ok(whole.into_bytes())
}

fn check_size(actual_bytes: usize) -> Result<()> {
    if actual_bytes > CHANGESET_MAX_BYTES {
        return Err(EncodeError::TooLarge { actual_bytes, max_bytes: CHANGESET_MAX_BYTES });
    }
    Ok(())
}

struct Encoder<'a> {
    body: Writer,
    strings: WrittenStrings<'a>,
    last_object: Option<&'a ObjectRef>,
    index: usize,
}

impl<'a> Encoder<'a> {
    fn instruction(&mut self, instruction: &'a Instruction) -> Result<()> {
        let code = instruction.code();
        match instruction {
            Instruction::AddTable { class, kind } => self.add_table(code, class, kind)?,
            Instruction::EraseTable { class } => {
                self.op(code, 1);
                self.name(class);
            }
            Instruction::CreateObject { object } | Instruction::EraseObject { object } => {
                self.object(code, object, 0);
            }
            Instruction::Update { path, value, side } => self.update(code, path, value, *side)?,
            Instruction::AddInteger { path, value } => {
                self.path(code, path, 1)?;
                self.body.write_i64(*value);
            }
            Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type } => {
                self.check_column(*ty, *collection, target.is_some(), *key_type)?;
                let optional = usize::from(target.is_some()) + usize::from(key_type.is_some());
                self.op(code, 5 + optional);
                self.name(class);
                self.name(field);
                self.property_type(*ty);
                self.body.write_bool(*nullable);
                self.body.write_u64(collection.code().into());
                if let Some(target) = target {
                    self.name(target);
                }
                if let Some(key_type) = key_type {
                    self.property_type(*key_type);
                }
            }
            Instruction::EraseColumn { class, field } => {
                self.op(code, 2);
                self.name(class);
                self.name(field);
            }
            Instruction::ArrayInsert { path, value, prior_size } => {
                self.list_path(instruction, path, 2)?;
                self.payload(value);
                self.body.write_u64((*prior_size).into());
            }
            Instruction::ArrayMove { path, to, prior_size } => {
                self.list_path(instruction, path, 2)?;
                self.body.write_u64((*to).into());
                self.body.write_u64((*prior_size).into());
            }
            Instruction::ArrayErase { path, prior_size } => {
                self.list_path(instruction, path, 1)?;
                self.body.write_u64((*prior_size).into());
            }
            Instruction::Clear { path, collection } => {
                self.path(code, path, 1)?;
                self.body.write_u64(collection.code().into());
            }
            Instruction::SetInsert { path, value } | Instruction::SetErase { path, value } => {
                self.path(code, path, 1)?;
                self.value(value);
            }
        }
        Ok(())
    }

    fn add_table(&mut self, code: u8, class: &'a Name, kind: &'a TableKind) -> Result<()> {
        match kind {
            TableKind::Embedded => {
                self.op(code, 2);
                self.name(class);
                self.body.write_u64(table::EMBEDDED.into());
            }
            TableKind::TopLevel { pk_field, pk_type, pk_nullable, asymmetric } => {
                if !pk_type.is_key() {
                    return Err(EncodeError::BadType { index: self.index, role: "a primary key" });
                }
                self.op(code, 5);
                self.name(class);
                let kind = if *asymmetric { table::ASYMMETRIC } else { table::TOP_LEVEL };
                self.body.write_u64(kind.into());
                self.name(pk_field);
                self.property_type(*pk_type);
                self.body.write_bool(*pk_nullable);
            }
        }
        Ok(())
    }

    fn check_column(
        &self,
        ty: PropertyType,
        collection: CollectionType,
        has_target: bool,
        key_type: Option<PropertyType>,
    ) -> Result<()> {
        let index = self.index;
        if ty == PropertyType::GlobalKey {
            return Err(EncodeError::BadType { index, role: "a column" });
        }
        if key_type == Some(PropertyType::GlobalKey) {
            return Err(EncodeError::BadType { index, role: "a dictionary key" });
        }
        let is_link = ty == PropertyType::Link;
        let is_dictionary = collection == CollectionType::Dictionary;
        if is_link != has_target || is_dictionary != key_type.is_some() {
            return Err(EncodeError::BadColumn { index });
        }
        Ok(())
    }

    fn update(
        &mut self,
        code: u8,
        path: &'a Path,
        value: &'a Payload,
        side: UpdateSide,
    ) -> Result<()> {
        match (side, path.ends_with_index()) {
            (UpdateSide::IsDefault(is_default), false) => {
                let flag = if is_default { op::IS_DEFAULT } else { 0 };
                self.path(code | flag, path, 1)?;
                self.payload(value);
            }
            (UpdateSide::PriorSize(prior_size), true) => {
                self.path(code, path, 2)?;
                self.payload(value);
                self.body.write_u64(prior_size.get().into());
            }
            (UpdateSide::IsDefault(_), true) | (UpdateSide::PriorSize(_), false) => {
                return Err(EncodeError::WrongSide { index: self.index });
            }
        }
        Ok(())
    }

    /// Array header and op of an instruction with so many arguments.
    #[inline]
    fn op(&mut self, op: u8, arguments: usize) {
        self.body.write_array_header(1 + arguments);
        self.body.write_u64(op.into());
    }

    /// Header, op and object; `more` arguments follow.
    #[inline]
    fn object(&mut self, op: u8, object: &'a ObjectRef, more: usize) {
        // Mostly the very same, and else compared by content.
        if self.last_object.is_some_and(|last| std::ptr::eq(last, object) || last == object) {
            self.op(op | op::SAME_OBJECT, more);
            return;
        }
        self.last_object = Some(object);
        self.op(op, 2 + more);
        self.name(&object.class);
        self.strings.write_key(&mut self.body, &object.key);
    }

    /// Header, op and path; `more` arguments follow.
    #[inline]
    fn path(&mut self, op: u8, path: &'a Path, more: usize) -> Result<()> {
        if path.elements.is_empty() {
            self.object(op, &path.object, 1 + more);
            self.name(&path.field);
            return Ok(());
        }
        let count = path.elements.len();
        if count > PATH_ELEMENTS_MAX {
            let (index, max) = (self.index, PATH_ELEMENTS_MAX);
            return Err(EncodeError::PathTooLong { index, count, max });
        }
        self.object(op | op::PATH, &path.object, 2 + more);
        self.name(&path.field);
        self.body.write_array_header(count);
        for element in &path.elements {
            match element {
                PathElement::Index(index) => self.body.write_u64((*index).into()),
                PathElement::Key(name) => {
                    let index = self.strings.index(name);
                    self.body.write_i64(-1 - i64::from(index));
                }
            }
        }
        Ok(())
    }

    fn list_path(
        &mut self,
        instruction: &'a Instruction,
        path: &'a Path,
        more: usize,
    ) -> Result<()> {
        if !path.ends_with_index() {
            let (index, instruction) = (self.index, instruction.name());
            return Err(EncodeError::PathNotIndex { index, instruction });
        }
        self.path(instruction.code(), path, more)
    }

    #[inline]
    fn name(&mut self, name: &'a Name) {
        let index = self.strings.index(name);
        self.body.write_u64(index.into());
    }

    fn property_type(&mut self, ty: PropertyType) {
        self.body.write_i64(ty.code().into());
    }

    #[inline]
    fn payload(&mut self, payload: &'a Payload) {
        let mark = match payload {
            Payload::Value(value) => return self.value(value),
            Payload::ObjectValue => mark::OBJECT_VALUE,
            Payload::List => mark::LIST,
            Payload::Dictionary => mark::DICTIONARY,
            Payload::Erased => mark::ERASED,
        };
        self.body.write_ext(ext::MARK, &mark.to_be_bytes());
    }

    #[inline]
    fn value(&mut self, value: &'a Value) {
        let Value::Link(link) = value else {
            return self.body.write_value(value);
        };
        let mut content = Writer::new();
        content.write_u64(self.strings.index(&link.class).into());
        self.strings.write_key(&mut content, &link.key);
        self.body.write_ext(ext::LINK, content.as_bytes());
    }
}
