//! The bytes of contents that are no plain values, as they are stored (not sent): msgpack.
//!
//! A list or set is an array, a dictionary or embedded object a map of its names; which of the two
//! it is says the schema. Sets and maps are written in the order in which they are held, so equal
//! contents have equal bytes. A property that an embedded object lacks, because it was added to
//! the class later, reads as its zero.

use super::kind::{Kind, Place};
use super::{Content, Fields};
use crate::codec::reader::{Datum, Reader};
use crate::codec::{DecodeError, Writer};
use crate::limits::PATH_ELEMENTS_MAX;
use crate::{CollectionType, Name, Property, PropertyType, Schema};

type Result<T> = std::result::Result<T, DecodeError>;

impl Content {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.into_bytes()
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Value(value) => writer.write_value(value),
            Self::List(elements) => {
                writer.write_array_header(elements.len());
                for element in elements {
                    element.write(writer);
                }
            }
            Self::Set(set) => {
                writer.write_array_header(set.len());
                set.iter().for_each(|value| writer.write_value(value));
            }
            Self::Dictionary(fields) | Self::Object(fields) => {
                writer.write_map_header(fields.len());
                for (name, field) in fields {
                    writer.write_str(name);
                    field.write(writer);
                }
            }
        }
    }

    /// Reads what [`Content::encode`] wrote for `property`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for other bytes. Memory is proportional to them.
    pub fn decode(schema: &Schema, property: &Property, bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let decoder = Decoder { schema };
        let content = decoder.place(&mut reader, Place::of(schema, property), 0)?;
        reader.finish()?;
        Ok(content)
    }
}

struct Decoder<'s> {
    schema: &'s Schema,
}

impl<'s> Decoder<'s> {
    fn place(&self, reader: &mut Reader<'_>, place: Place<'s>, depth: usize) -> Result<Content> {
        let (collection, kind) = match place {
            Place::Single(kind) => return self.single(reader, kind, depth),
            Place::Collection(collection, kind) => (collection, kind),
        };
        match collection {
            CollectionType::Single => self.single(reader, kind, depth),
            CollectionType::List => {
                let count = reader.read_array_header()?;
                self.list(reader, kind, count, depth)
            }
            CollectionType::Set => {
                let count = reader.read_array_header()?;
                let values = (0..count).map(|_| reader.read_value());
                Ok(Content::Set(values.collect::<Result<_>>()?))
            }
            CollectionType::Dictionary => {
                let count = reader.read_map_header()?;
                self.dictionary(reader, kind, count, depth)
            }
        }
    }

    fn single(&self, reader: &mut Reader<'_>, kind: Kind<'s>, depth: usize) -> Result<Content> {
        let offset = reader.offset();
        if depth > PATH_ELEMENTS_MAX {
            let (count, max) = (depth, PATH_ELEMENTS_MAX);
            return Err(DecodeError::BadPathLength { offset, count, max });
        }
        if let Some(class) = kind.embedded {
            if reader.take_nil() {
                return Ok(Content::NULL);
            }
            let mut fields = class.zero_fields();
            for _ in 0..reader.read_map_header()? {
                let name = Name::from(reader.read_str()?);
                // One that was erased from the class is passed over, as what it is.
                match class.property(&name) {
                    Some(inner) => {
                        let place = Place::of(self.schema, inner);
                        fields.insert(name, self.place(reader, place, depth + 1)?);
                    }
                    None => drop(self.single(reader, Kind::MIXED, depth + 1)?),
                }
            }
            return Ok(Content::Object(fields));
        }
        if kind.ty != PropertyType::Mixed {
            return Ok(Content::Value(reader.read_value()?));
        }
        match reader.peek_datum()? {
            Datum::Array(_) => {
                let count = reader.read_array_header()?;
                self.list(reader, Kind::MIXED, count, depth)
            }
            Datum::Map(_) => {
                let count = reader.read_map_header()?;
                self.dictionary(reader, Kind::MIXED, count, depth)
            }
            _ => Ok(Content::Value(reader.read_value()?)),
        }
    }

    fn list(
        &self,
        reader: &mut Reader<'_>,
        kind: Kind<'s>,
        count: usize,
        depth: usize,
    ) -> Result<Content> {
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.single(reader, kind, depth + 1)?);
        }
        Ok(Content::List(elements))
    }

    fn dictionary(
        &self,
        reader: &mut Reader<'_>,
        kind: Kind<'s>,
        count: usize,
        depth: usize,
    ) -> Result<Content> {
        let mut fields = Fields::new();
        for _ in 0..count {
            let key = Name::from(reader.read_str()?);
            fields.insert(key, self.single(reader, kind, depth + 1)?);
        }
        Ok(Content::Dictionary(fields))
    }
}
