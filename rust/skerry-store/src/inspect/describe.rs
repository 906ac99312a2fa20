//! Instructions in one line each, for people to read.
//!
//! Texts are cut, so that a line stays a line; what is cut ends with `…`. Control characters are
//! escaped: the line goes to a terminal.

use std::fmt::Write as _;

use skerry_model::{
    CollectionType, Instruction, ObjectKey, ObjectRef, Path, PathElement, Payload, TableKind,
    UpdateSide, Value,
};

/// Characters of a value that are shown.
const VALUE_MAX_CHARS: usize = 120;

/// The instruction in one line.
pub fn describe(instruction: &Instruction) -> String {
    let said = match instruction {
        Instruction::AddTable { class, kind } => match kind {
            TableKind::Embedded => format!("{} embedded", text(class)),
            TableKind::TopLevel { pk_field, pk_type, pk_nullable, asymmetric } => {
                let mark = if *pk_nullable { "?" } else { "" };
                let asymmetric = if *asymmetric { " asymmetric" } else { "" };
                let (class, field) = (text(class), text(pk_field));
                format!("{class} key {field}: {}{mark}{asymmetric}", pk_type.name())
            }
        },
        Instruction::EraseTable { class } => text(class),
        Instruction::CreateObject { object } | Instruction::EraseObject { object } => named(object),
        Instruction::Update { path, value, side } => {
            let side = match side {
                UpdateSide::IsDefault(true) => " (default)".to_owned(),
                UpdateSide::IsDefault(false) => String::new(),
                UpdateSide::PriorSize(size) => format!(" (of {})", size.get()),
            };
            format!("{} = {}{side}", place(path), payload(value))
        }
        Instruction::AddInteger { path, value } => format!("{} += {value}", place(path)),
        Instruction::AddColumn { class, field, ty, nullable, collection, target, key_type: _ } => {
            let mark = if *nullable { "?" } else { "" };
            let of = target.as_ref().map(|target| format!(" to {}", text(target)));
            let kind = match collection {
                CollectionType::Single => String::new(),
                kind => format!("{} of ", kind.name()),
            };
            let (class, field) = (text(class), text(field));
            format!("{class}.{field}: {kind}{}{mark}{}", ty.name(), of.unwrap_or_default())
        }
        Instruction::EraseColumn { class, field } => format!("{}.{}", text(class), text(field)),
        Instruction::ArrayInsert { path, value, prior_size } => {
            format!("{} = {} (of {prior_size})", place(path), payload(value))
        }
        Instruction::ArrayMove { path, to, prior_size } => {
            format!("{} to {to} (of {prior_size})", place(path))
        }
        Instruction::ArrayErase { path, prior_size } => {
            format!("{} (of {prior_size})", place(path))
        }
        Instruction::Clear { path, collection } => {
            format!("{} ({})", place(path), collection.name())
        }
        Instruction::SetInsert { path, value: element }
        | Instruction::SetErase { path, value: element } => {
            format!("{} {}", place(path), value(element))
        }
    };
    format!("{} {said}", instruction.name())
}

fn place(path: &Path) -> String {
    let mut said = format!("{}.{}", named(&path.object), text(&path.field));
    for element in &path.elements {
        match element {
            PathElement::Index(index) => write!(said, "[{index}]"),
            PathElement::Key(key) => write!(said, "[{}]", quoted(key)),
        }
        .expect("a string can be written to");
    }
    said
}

fn named(object: &ObjectRef) -> String {
    format!("{}[{}]", text(&object.class), key(&object.key))
}

fn key(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Null => "null".to_owned(),
        ObjectKey::Int(int) => int.to_string(),
        ObjectKey::String(text) => quoted(text),
        ObjectKey::ObjectId(id) => format!("oid({id})"),
        ObjectKey::Uuid(id) => format!("uuid({id})"),
        ObjectKey::GlobalKey { hi, lo } => format!("global({hi}, {lo})"),
    }
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Value(one) => value(one),
        Payload::ObjectValue => "new embedded object".to_owned(),
        Payload::List => "list".to_owned(),
        Payload::Dictionary => "dictionary".to_owned(),
        Payload::Erased => "erased".to_owned(),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::String(text) => quoted(text),
        Value::Binary(bytes) => binary(bytes),
        Value::Float(float) => format!("{float:?}"),
        Value::Double(float) => format!("{float:?}"),
        Value::Timestamp(time) => format!("T{}:{}", time.seconds(), time.nanoseconds()),
        Value::Decimal(number) => number.to_string(),
        Value::Link(link) => format!("-> {}[{}]", text(&link.class), key(&link.key)),
        Value::ObjectId(id) => format!("oid({id})"),
        Value::Uuid(id) => format!("uuid({id})"),
    }
}

fn binary(bytes: &[u8]) -> String {
    let mut said = format!("{} bytes", bytes.len());
    if !bytes.is_empty() {
        said.push(' ');
    }
    for byte in bytes.iter().take(VALUE_MAX_CHARS / 4) {
        write!(said, "{byte:02x}").expect("a string can be written to");
    }
    if bytes.len() > VALUE_MAX_CHARS / 4 {
        said.push('…');
    }
    said
}

/// A name as it is, without what a terminal would obey.
fn text(name: &str) -> String {
    cut(name)
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

fn quoted(text: &str) -> String {
    let shown = cut(text);
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(VALUE_MAX_CHARS).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_instruction_reads_well() {
        let object = ObjectRef::new("Item", ObjectKey::Int(7));
        let at = |index| Path::new(object.clone(), "tags", [PathElement::Index(index)]);
        let property = |name: &str| Path::property(object.clone(), name);
        let long = "x".repeat(VALUE_MAX_CHARS + 1);
        let cases = [
            (
                Instruction::CreateObject { object: object.clone() },
                "CreateObject Item[7]".to_owned(),
            ),
            (
                Instruction::Update {
                    path: property("name"),
                    value: Payload::Value(Value::string("a\u{1b}[2J")),
                    side: UpdateSide::IsDefault(true),
                },
                "Update Item[7].name = \"a\\u{1b}[2J\" (default)".to_owned(),
            ),
            (
                Instruction::ArrayInsert {
                    path: at(2),
                    value: Payload::Value(Value::string(long.as_str())),
                    prior_size: 2,
                },
                format!(
                    "ArrayInsert Item[7].tags[2] = \"{}\"… (of 2)",
                    "x".repeat(VALUE_MAX_CHARS)
                ),
            ),
            (
                Instruction::AddInteger { path: property("count"), value: -3 },
                "AddInteger Item[7].count += -3".to_owned(),
            ),
            (
                Instruction::SetErase {
                    path: property("set"),
                    value: Value::link("Other", ObjectKey::String("k".into())),
                },
                "SetErase Item[7].set -> Other[\"k\"]".to_owned(),
            ),
        ];
        for (instruction, said) in cases {
            assert_eq!(describe(&instruction), said);
        }
    }
}
