//! How a query is run, for people to read.

use std::fmt;

/// How a query is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The class.
    pub class: String,
    /// Where the objects come from.
    pub access: Access,
    /// Conditions that the evaluator decides on the objects that are left, one by one.
    pub evaluated: Vec<String>,
    /// SORT, DISTINCT and LIMIT, in order.
    pub descriptors: Vec<String>,
}

/// Where the objects of a query come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// From columns in memory.
    Columns {
        /// The columns that the condition and the order are read from.
        columns: Vec<PlannedColumn>,
        /// What of the condition they decide.
        condition: String,
        /// Whether an index of a column answers it.
        is_indexed: bool,
    },
    /// From the tables of the file.
    Sql {
        /// What of the condition SQL decides.
        condition: String,
        /// What `SQLite` plans to do.
        steps: Vec<String>,
        /// Why not from columns.
        reason: &'static str,
    },
}

/// A column in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedColumn {
    /// The property.
    pub property: String,
    /// Bytes that it takes; `None` while it is not in memory, which the query would change.
    pub bytes: Option<usize>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "class {}", self.class)?;
        match &self.access {
            Access::Columns { columns, condition, is_indexed } => {
                let how = if *is_indexed { "index in memory" } else { "columns in memory" };
                writeln!(f, "{how}: {condition}")?;
                for PlannedColumn { property, bytes } in columns {
                    match bytes {
                        Some(bytes) => writeln!(f, "  {property}: {bytes} bytes")?,
                        None => writeln!(f, "  {property}: to be read")?,
                    }
                }
            }
            Access::Sql { condition, steps, reason } => {
                writeln!(f, "SQL: {condition}")?;
                steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
                writeln!(f, "  not from columns: {reason}")?;
            }
        }
        for condition in &self.evaluated {
            writeln!(f, "evaluator: {condition}")?;
        }
        self.descriptors.iter().try_for_each(|step| writeln!(f, "then {step}"))
    }
}
