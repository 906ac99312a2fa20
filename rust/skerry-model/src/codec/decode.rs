//! Bytes to changesets, refusing whatever [`encode_changeset`](super::encode_changeset) does not
//! write.

use std::sync::Arc;

use super::reader::{Datum, Reader};
use super::strings::ReadStrings;
use super::value::bad_extension;
use super::{DecodeError, VERSION, ext, mark, op, table};
use crate::limits::{CHANGESET_MAX_BYTES, INSTRUCTIONS_MAX, PATH_ELEMENTS_MAX};
use crate::{
    Changeset, CollectionType, Instruction, Link, Name, ObjectRef, Path, PathElement, Payload,
    PropertyType, TableKind, UpdateSide, Value, Within,
};

type Result<T> = std::result::Result<T, DecodeError>;

/// Decodes a changeset; zero bytes are the empty one.
///
/// Memory is at most a constant times the size of the bytes, which are at most
/// [`CHANGESET_MAX_BYTES`].
pub fn decode_changeset(bytes: &[u8]) -> Result<Changeset> {
    if bytes.is_empty() {
        return Ok(Changeset::default());
    }
    if bytes.len() > CHANGESET_MAX_BYTES {
        let max_bytes = CHANGESET_MAX_BYTES;
        return Err(DecodeError::TooLarge { actual_bytes: bytes.len(), max_bytes });
    }
    let mut reader = Reader::new(bytes);
    let offset = reader.offset();
    let elements = reader.read_array_header()?;
    if elements < 2 {
        return Err(DecodeError::BadArity { offset, actual: elements, expected: 3 });
    }
    let version = reader.read_u64()?;
    if version != VERSION {
        return Err(DecodeError::UnknownVersion { version });
    }
    let strings = ReadStrings::read(&mut reader)?;
    let count = elements - 2;
    if count == 0 {
        return Err(DecodeError::NoInstructions);
    }
    if count > INSTRUCTIONS_MAX {
        return Err(DecodeError::TooManyInstructions { count, max: INSTRUCTIONS_MAX });
    }
    let mut decoder = Decoder { reader, strings, last_object: None };
    // No instruction is shorter than two bytes.
    let mut instructions = Vec::with_capacity(count.min(decoder.reader.remaining() / 2));
    for _ in 0..count {
        instructions.push(decoder.instruction()?);
    }
    decoder.strings.finish()?;
    decoder.reader.finish()?;
    Ok(Changeset { instructions })
}

struct Decoder<'a> {
    reader: Reader<'a>,
    strings: ReadStrings,
    last_object: Option<LastObject>,
}

/// The object last addressed, which is not shared before a path needs it.
enum LastObject {
    Own(ObjectRef),
    Shared(Arc<ObjectRef>),
}

impl LastObject {
    #[inline]
    fn get(&self) -> &ObjectRef {
        match self {
            Self::Own(object) => object,
            Self::Shared(object) => object,
        }
    }

    fn into_shared(self) -> Arc<ObjectRef> {
        match self {
            Self::Own(object) => object.into(),
            Self::Shared(object) => object,
        }
    }
}

/// What the head of an instruction says.
#[derive(Clone, Copy)]
struct Head {
    offset: usize,
    elements: usize,
    op: u8,
}

impl Head {
    fn has(self, flag: u8) -> bool {
        self.op & flag != 0
    }

    fn bad_flags(self) -> DecodeError {
        DecodeError::BadFlags { offset: self.offset, op: self.op }
    }

    /// Checks the number of elements: the op, what its flags imply, and `arguments`.
    #[inline]
    fn check_arity(self, arguments: usize) -> Result<()> {
        let expected = 1 + arguments;
        if self.elements != expected {
            let (offset, actual) = (self.offset, self.elements);
            return Err(DecodeError::BadArity { offset, actual, expected });
        }
        Ok(())
    }

    /// Checks an instruction without object: no flags, and so many arguments.
    fn check_plain(self, arguments: usize) -> Result<()> {
        self.check_flags(0)?;
        self.check_arity(arguments)
    }

    /// How many arguments spell the object.
    fn object_arguments(self) -> usize {
        if self.has(op::SAME_OBJECT) { 0 } else { 2 }
    }

    /// Checks the number of elements of an instruction with an object and `more` arguments.
    #[inline]
    fn check_object_arity(self, more: usize) -> Result<()> {
        self.check_arity(self.object_arguments() + more)
    }

    /// Checks the number of elements of an instruction with a path and `more` arguments.
    #[inline]
    fn check_path_arity(self, more: usize) -> Result<()> {
        self.check_object_arity(1 + usize::from(self.has(op::PATH)) + more)
    }

    /// Refuses flags that a kind of instruction does not have.
    #[inline]
    fn check_flags(self, allowed: u8) -> Result<()> {
        if self.op & !(op::CODE | allowed) != 0 {
            return Err(self.bad_flags());
        }
        Ok(())
    }
}

impl Decoder<'_> {
    fn instruction(&mut self) -> Result<Instruction> {
        let offset = self.reader.offset();
        let elements = self.reader.read_array_header()?;
        if elements == 0 {
            return Err(DecodeError::BadArity { offset, actual: 0, expected: 1 });
        }
        let op = self.reader.read_u64()?;
        let Some(op) = u8::try_from(op).ok().filter(|op| *op < 0x80) else {
            return Err(DecodeError::OutOfRange { offset, what: "op", value: op.into() });
        };
        let head = Head { offset, elements, op };
        match op & op::CODE {
            0 => self.add_table(head),
            1 => {
                head.check_plain(1)?;
                Ok(Instruction::EraseTable { class: self.name()? })
            }
            2 => Ok(Instruction::CreateObject { object: self.object_only(head)? }),
            3 => Ok(Instruction::EraseObject { object: self.object_only(head)? }),
            4 => self.update(head),
            5 => {
                let path = self.plain_path(head, 1)?;
                Ok(Instruction::AddInteger { path, value: self.reader.read_i64()? })
            }
            6 => self.add_column(head),
            7 => {
                head.check_plain(2)?;
                Ok(Instruction::EraseColumn { class: self.name()?, field: self.name()? })
            }
            8 => {
                let path = self.list_path(head, "ArrayInsert", 2)?;
                let value = self.payload()?;
                Ok(Instruction::ArrayInsert { path, value, prior_size: self.reader.read_u32()? })
            }
            9 => {
                let path = self.list_path(head, "ArrayMove", 2)?;
                let to = self.reader.read_u32()?;
                Ok(Instruction::ArrayMove { path, to, prior_size: self.reader.read_u32()? })
            }
            10 => {
                let path = self.list_path(head, "ArrayErase", 1)?;
                Ok(Instruction::ArrayErase { path, prior_size: self.reader.read_u32()? })
            }
            11 => {
                let path = self.plain_path(head, 1)?;
                Ok(Instruction::Clear { path, collection: self.collection()? })
            }
            12 => {
                let path = self.plain_path(head, 1)?;
                Ok(Instruction::SetInsert { path, value: self.value()? })
            }
            13 => {
                let path = self.plain_path(head, 1)?;
                Ok(Instruction::SetErase { path, value: self.value()? })
            }
            code => {
                Err(DecodeError::OutOfRange { offset, what: "instruction", value: code.into() })
            }
        }
    }

    fn add_table(&mut self, head: Head) -> Result<Instruction> {
        head.check_flags(0)?;
        let class = self.name()?;
        let offset = self.reader.offset();
        let code = self.reader.read_u64()?;
        let asymmetric = match u8::try_from(code) {
            Ok(table::EMBEDDED) => {
                head.check_arity(2)?;
                return Ok(Instruction::AddTable { class, kind: TableKind::Embedded });
            }
            Ok(table::TOP_LEVEL) => false,
            Ok(table::ASYMMETRIC) => true,
            _ => {
                let what = "kind of table";
                return Err(DecodeError::OutOfRange { offset, what, value: code.into() });
            }
        };
        head.check_arity(5)?;
        let pk_field = self.name()?;
        let pk_type = self.property_type("type of a primary key", PropertyType::is_key)?;
        let pk_nullable = self.reader.read_bool()?;
        let kind = TableKind::TopLevel { pk_field, pk_type, pk_nullable, asymmetric };
        Ok(Instruction::AddTable { class, kind })
    }

    fn add_column(&mut self, head: Head) -> Result<Instruction> {
        head.check_flags(0)?;
        let class = self.name()?;
        let field = self.name()?;
        let is_column = |ty| ty != PropertyType::GlobalKey;
        let ty = self.property_type("type of a column", is_column)?;
        let nullable = self.reader.read_bool()?;
        let collection = self.collection()?;
        let is_link = ty == PropertyType::Link;
        let is_dictionary = collection == CollectionType::Dictionary;
        head.check_arity(5 + usize::from(is_link) + usize::from(is_dictionary))?;
        let target = is_link.then(|| self.name().map(Box::new)).transpose()?;
        let key_type = is_dictionary
            .then(|| self.property_type("type of a dictionary key", is_column))
            .transpose()?;
        Ok(Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type })
    }

    #[inline]
    fn update(&mut self, head: Head) -> Result<Instruction> {
        let path = self.path(head)?;
        let is_default = head.has(op::IS_DEFAULT);
        if !head.has(op::PATH) || !path.ends_with_index() {
            head.check_path_arity(1)?;
            let side = UpdateSide::IsDefault(is_default);
            return Ok(Instruction::Update { path, value: self.payload()?, side });
        }
        if is_default {
            return Err(head.bad_flags());
        }
        head.check_path_arity(2)?;
        let value = self.payload()?;
        let side = UpdateSide::prior_size(self.reader.read_u32()?);
        Ok(Instruction::Update { path, value, side })
    }

    fn object_only(&mut self, head: Head) -> Result<ObjectRef> {
        head.check_flags(op::SAME_OBJECT)?;
        head.check_object_arity(0)?;
        self.object(head)
    }

    fn plain_path(&mut self, head: Head, more: usize) -> Result<Path> {
        head.check_flags(op::SAME_OBJECT | op::PATH)?;
        head.check_path_arity(more)?;
        self.path(head)
    }

    fn list_path(&mut self, head: Head, instruction: &'static str, more: usize) -> Result<Path> {
        let path = self.plain_path(head, more)?;
        if !path.ends_with_index() {
            return Err(DecodeError::PathNotIndex { offset: head.offset, instruction });
        }
        Ok(path)
    }

    /// An object of which the instruction keeps a copy.
    #[inline]
    fn object(&mut self, head: Head) -> Result<ObjectRef> {
        if head.has(op::SAME_OBJECT) {
            let offset = head.offset;
            let last = self.last_object.as_ref().map(LastObject::get).cloned();
            return last.ok_or(DecodeError::NoPreviousObject { offset });
        }
        let object = self.next_object(head)?;
        self.last_object = Some(LastObject::Own(object.clone()));
        Ok(object)
    }

    /// An object that the paths of several instructions share.
    #[inline]
    fn shared_object(&mut self, head: Head) -> Result<Arc<ObjectRef>> {
        if !head.has(op::SAME_OBJECT) {
            let object = self.next_object(head)?;
            return Ok(self.share(object.into()));
        }
        if let Some(LastObject::Shared(object)) = &self.last_object {
            return Ok(object.clone());
        }
        match self.last_object.take() {
            Some(last) => Ok(self.share(last.into_shared())),
            None => Err(DecodeError::NoPreviousObject { offset: head.offset }),
        }
    }

    fn share(&mut self, object: Arc<ObjectRef>) -> Arc<ObjectRef> {
        self.last_object = Some(LastObject::Shared(object.clone()));
        object
    }

    /// An object that is spelled out, and so is not the last one.
    fn next_object(&mut self, head: Head) -> Result<ObjectRef> {
        let class = self.name()?;
        let key = self.strings.read_key(&mut self.reader)?;
        let object = ObjectRef { class, key };
        if self.last_object.as_ref().is_some_and(|last| *last.get() == object) {
            return Err(DecodeError::RepeatedObject { offset: head.offset });
        }
        Ok(object)
    }

    #[inline]
    fn path(&mut self, head: Head) -> Result<Path> {
        let object = self.shared_object(head)?;
        if !head.has(op::PATH) {
            return Ok(Path::of(object, self.strings.read_property(&mut self.reader)?));
        }
        let within = Within { field: self.name()?, elements: self.elements()? };
        Ok(Path::of(object, Arc::new(within)))
    }

    fn elements(&mut self) -> Result<Box<[PathElement]>> {
        let offset = self.reader.offset();
        let count = self.reader.read_array_header()?;
        if count == 0 || count > PATH_ELEMENTS_MAX {
            return Err(DecodeError::BadPathLength { offset, count, max: PATH_ELEMENTS_MAX });
        }
        (0..count).map(|_| self.element()).collect()
    }

    fn element(&mut self) -> Result<PathElement> {
        let offset = self.reader.offset();
        let int = self.reader.read_i64()?;
        if int < 0 {
            // −1 − n, which is n with all its bits turned.
            let index = (!int).unsigned_abs();
            return Ok(PathElement::Key(self.strings.name(index, offset)?.clone()));
        }
        let out_of_range =
            DecodeError::OutOfRange { offset, what: "list position", value: int.into() };
        u32::try_from(int).map(PathElement::Index).map_err(|_| out_of_range)
    }

    #[inline]
    fn name(&mut self) -> Result<Name> {
        self.strings.read_name(&mut self.reader)
    }

    fn property_type(
        &mut self,
        what: &'static str,
        is_allowed: impl Fn(PropertyType) -> bool,
    ) -> Result<PropertyType> {
        let offset = self.reader.offset();
        let code = self.reader.read_i64()?;
        PropertyType::from_code(code).filter(|ty| is_allowed(*ty)).ok_or(DecodeError::OutOfRange {
            offset,
            what,
            value: code.into(),
        })
    }

    fn collection(&mut self) -> Result<CollectionType> {
        let offset = self.reader.offset();
        let code = self.reader.read_u64()?;
        let what = "kind of collection";
        CollectionType::from_code(code).ok_or(DecodeError::OutOfRange {
            offset,
            what,
            value: code.into(),
        })
    }

    #[inline]
    fn payload(&mut self) -> Result<Payload> {
        match self.reader.take_common_value() {
            Some(value) => Ok(Payload::Value(value)),
            None => self.any_payload(),
        }
    }

    fn any_payload(&mut self) -> Result<Payload> {
        let offset = self.reader.offset();
        let datum = self.reader.read_datum()?;
        let Datum::Ext(ext::MARK, content) = datum else {
            return self.value_of(datum, offset).map(Payload::Value);
        };
        let &[code] = content else {
            return Err(bad_extension(ext::MARK, content, offset));
        };
        match code.cast_signed() {
            mark::OBJECT_VALUE => Ok(Payload::ObjectValue),
            mark::DICTIONARY => Ok(Payload::Dictionary),
            mark::ERASED => Ok(Payload::Erased),
            mark::LIST => Ok(Payload::List),
            code => {
                Err(DecodeError::OutOfRange { offset, what: "payload mark", value: code.into() })
            }
        }
    }

    fn value(&mut self) -> Result<Value> {
        let offset = self.reader.offset();
        let datum = self.reader.read_datum()?;
        self.value_of(datum, offset)
    }

    #[inline]
    fn value_of(&mut self, datum: Datum<'_>, offset: usize) -> Result<Value> {
        let Datum::Ext(ext::LINK, content) = datum else {
            return self.reader.scalar(datum, offset);
        };
        let mut inner = self.reader.nested(content);
        let class = self.strings.read_name(&mut inner)?;
        let key = self.strings.read_key(&mut inner)?;
        inner.finish()?;
        Ok(Value::Link(Box::new(Link { class, key })))
    }
}
