//! Every bound of the query language, in one place.

/// Longest query text, in bytes (server 3: 256 kB per subscription query).
pub const QUERY_MAX_BYTES: usize = 256 * 1024;

/// Deepest nesting of parentheses, negations and descriptors.
///
/// Parsing, checking, evaluating, printing and dropping recurse once per level, so this bounds the
/// stack of all of them. Chains of AND and OR are flat and do not count.
pub const NESTING_MAX_DEPTH: usize = 100;

/// Most elements of one list, literal or argument.
pub const LIST_MAX_ELEMENTS: usize = 65_536;

/// Most keys of one SORT or DISTINCT.
pub const DESCRIPTOR_MAX_KEYS: usize = 64;

/// Most SORT, DISTINCT and LIMIT clauses of one query.
pub const DESCRIPTORS_MAX: usize = 64;
