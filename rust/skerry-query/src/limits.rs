//! Every bound of the query language, in one place.

/// Longest query text, in bytes (server 3: 256 kB per subscription query).
pub const QUERY_MAX_BYTES: usize = 256 * 1024;

/// Deepest nesting of parentheses and negations.
///
/// Parsing, checking, evaluating, printing and dropping recurse once per level, so this bounds the
/// stack of all of them. Chains of AND and OR are flat and do not count.
pub const NESTING_MAX_DEPTH: usize = 100;

/// Longest text of all subscriptions of one class joined, in bytes.
pub const COMBINED_QUERY_MAX_BYTES: usize = 16 * QUERY_MAX_BYTES;

/// How much text of what nesting is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextLimits {
    pub(crate) max_bytes: usize,
    pub(crate) max_depth: usize,
}

/// For one query.
pub(crate) const SINGLE: TextLimits =
    TextLimits { max_bytes: QUERY_MAX_BYTES, max_depth: NESTING_MAX_DEPTH };

/// For joined subscriptions: each becomes a part of a chain and stands in parentheses, two levels, and
/// may have been printed, which adds a few around the innermost comparisons.
pub(crate) const COMBINED: TextLimits =
    TextLimits { max_bytes: COMBINED_QUERY_MAX_BYTES, max_depth: NESTING_MAX_DEPTH + 8 };

/// Most elements of one list, literal or argument.
pub const LIST_MAX_ELEMENTS: usize = 65_536;

/// Most keys of one SORT or DISTINCT.
pub const DESCRIPTOR_MAX_KEYS: usize = 64;

/// Most SORT, DISTINCT and LIMIT clauses of one query.
pub const DESCRIPTORS_MAX: usize = 64;

/// Most elements of one path.
pub const PATH_MAX_ELEMENTS: usize = 64;

/// Most steps from object to object in evaluating a query on one object.
pub const OBJECT_STEPS_MAX: u64 = 1_000_000;

/// The same on all objects together.
pub const STEPS_MAX: u64 = 100_000_000;

/// Most points of one region.
pub const REGION_MAX_POINTS: usize = 10_000;
