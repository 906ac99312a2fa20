//! Why bytes cannot be read, and why a changeset cannot be written.

use crate::DecimalError;

/// Why bytes are refused. Offsets are in bytes, from the start of what was given to the decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early, or a length says more than there is.
    #[error("byte {offset}: {needed_bytes} more bytes are needed, {remaining_bytes} remain")]
    Truncated {
        /// Where reading stopped.
        offset: usize,
        /// What is needed from there on, at least.
        needed_bytes: usize,
        /// What is there.
        remaining_bytes: usize,
    },
    /// Bytes after the end.
    #[error("byte {offset}: {count_bytes} bytes follow the end")]
    TrailingBytes {
        /// First byte too many.
        offset: usize,
        /// How many.
        count_bytes: usize,
    },
    /// More bytes than the limit.
    #[error("{actual_bytes} bytes are more than the allowed {max_bytes}")]
    TooLarge {
        /// What was given or would be produced, at least.
        actual_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// A msgpack value of another type.
    #[error("byte {offset}: {expected} was expected, the marker is {marker:#04x}")]
    UnexpectedType {
        /// Where the value starts.
        offset: usize,
        /// What belongs there.
        expected: &'static str,
        /// First byte of the value.
        marker: u8,
    },
    /// A number or length in a longer form than necessary.
    #[error("byte {offset}: not the shortest form")]
    NotShortest {
        /// Where the value starts.
        offset: usize,
    },
    /// Text that is not UTF-8.
    #[error("byte {offset}: not UTF-8")]
    BadUtf8 {
        /// First bad byte.
        offset: usize,
    },
    /// A number outside its range, or a code that stands for nothing.
    #[error("byte {offset}: {value} is no {what}")]
    OutOfRange {
        /// Where the number starts.
        offset: usize,
        /// What it should be.
        what: &'static str,
        /// The number.
        value: i128,
    },
    /// An extension type that does not belong there, or of another length than it has.
    #[error("byte {offset}: extension {ext_type} with {length_bytes} bytes does not belong here")]
    BadExtension {
        /// Where the value starts.
        offset: usize,
        /// Its type.
        ext_type: i8,
        /// Its length.
        length_bytes: usize,
    },
    /// Seconds and nanoseconds of different signs, or too many nanoseconds.
    #[error("byte {offset}: {seconds} s and {nanoseconds} ns are no timestamp")]
    BadTimestamp {
        /// Where the value starts.
        offset: usize,
        /// Seconds.
        seconds: i64,
        /// Nanoseconds.
        nanoseconds: i32,
    },
    /// Bytes that are no canonical decimal.
    #[error("byte {offset}: {error}")]
    BadDecimal {
        /// Where the value starts.
        offset: usize,
        /// What is wrong with it.
        #[source]
        error: DecimalError,
    },
    /// A format of another version.
    #[error("version {version} of the changeset format is not known")]
    UnknownVersion {
        /// The version.
        version: u64,
    },
    /// A changeset without instructions that is not zero bytes.
    #[error("a changeset without instructions is zero bytes")]
    NoInstructions,
    /// More instructions than a changeset may have.
    #[error("{count} instructions are more than the allowed {max}")]
    TooManyInstructions {
        /// How many the changeset says it has.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A text that the table of strings holds twice.
    #[error("entry {index} of the table of strings repeats an earlier one")]
    DuplicateString {
        /// The later one, from 0.
        index: usize,
    },
    /// An index that the table of strings does not have.
    #[error("byte {offset}: the table of strings has no entry {index}")]
    MissingString {
        /// Where the index starts.
        offset: usize,
        /// The index.
        index: u64,
    },
    /// The first use of a string before those of its predecessors.
    #[error("byte {offset}: string {index} is used before string {expected}")]
    StringOutOfOrder {
        /// Where the index starts.
        offset: usize,
        /// The index.
        index: usize,
        /// The one that should have been next.
        expected: usize,
    },
    /// Strings that no instruction uses.
    #[error("{unused} entries at the end of the table of strings are not used")]
    UnusedStrings {
        /// How many.
        unused: usize,
    },
    /// A flag that this instruction cannot have.
    #[error("byte {offset}: flags of op {op:#04x} do not go together with its instruction")]
    BadFlags {
        /// Where the instruction starts.
        offset: usize,
        /// Its op.
        op: u8,
    },
    /// An instruction with another number of arguments than it has.
    #[error("byte {offset}: the instruction has {expected} elements, not {actual}")]
    BadArity {
        /// Where the instruction starts.
        offset: usize,
        /// What its array says.
        actual: usize,
        /// What its op says.
        expected: usize,
    },
    /// "Same object" where no object went before.
    #[error("byte {offset}: no object went before")]
    NoPreviousObject {
        /// Where the instruction starts.
        offset: usize,
    },
    /// An object spelled out again where "same object" should stand.
    #[error("byte {offset}: the object is the previous one and must not be spelled out")]
    RepeatedObject {
        /// Where the instruction starts.
        offset: usize,
    },
    /// A path with no elements where its flag promises some, or with too many.
    #[error("byte {offset}: a path with {count} elements; 1 to {max} are allowed here")]
    BadPathLength {
        /// Where the array starts.
        offset: usize,
        /// How many elements.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The path of a list instruction that does not end with a position.
    #[error("byte {offset}: the path of {instruction} must end with a list position")]
    PathNotIndex {
        /// Where the instruction starts.
        offset: usize,
        /// Its name.
        instruction: &'static str,
    },
    /// A packed content that zstd cannot read.
    #[error("the compressed content is damaged: {reason}")]
    BadCompression {
        /// What zstd says.
        reason: String,
    },
}

/// Why a changeset cannot be encoded. Positions of instructions count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// More bytes than a changeset may have.
    #[error("the changeset needs {actual_bytes} bytes, {max_bytes} are allowed")]
    TooLarge {
        /// Its size.
        actual_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// More instructions than a changeset may have.
    #[error("the changeset has {count} instructions, {max} are allowed")]
    TooManyInstructions {
        /// Its instructions.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A path with too many elements.
    #[error("instruction {index}: its path has {count} elements, {max} are allowed")]
    PathTooLong {
        /// Position of the instruction.
        index: usize,
        /// Its elements.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The path of a list instruction that does not end with a position.
    #[error("instruction {index}: the path of {instruction} must end with a list position")]
    PathNotIndex {
        /// Position of the instruction.
        index: usize,
        /// Its name.
        instruction: &'static str,
    },
    /// An update of a list position without the prior size, or of something else with it.
    #[error("instruction {index}: prior_size goes with list positions, is_default with the rest")]
    WrongSide {
        /// Position of the instruction.
        index: usize,
    },
    /// A type that columns, or primary keys, cannot have.
    #[error("instruction {index}: {role} cannot have this type")]
    BadType {
        /// Position of the instruction.
        index: usize,
        /// "a column", "a dictionary key" or "a primary key".
        role: &'static str,
    },
    /// A column that is a link without target, a dictionary without key type, or one of them
    /// without being such.
    #[error("instruction {index}: a target goes with links, a key type with dictionaries")]
    BadColumn {
        /// Position of the instruction.
        index: usize,
    },
}
