//! Many objects in one call: rows from Python, written a block at a time.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use skerry_model::{Content, Name, ObjectKey};
use skerry_store::realm::{RowNames, UpdatePolicy, WriteTxn};

use crate::convert;
use crate::errors::CoreError;

/// Rows that are read before they are written.
pub(crate) const BLOCK_ROWS: usize = 512;

/// One object of many: its key, and what it holds in the order of the names.
pub(crate) type Row = (ObjectKey, Vec<Content>);

/// Many objects of one class.
pub(crate) struct Bulk {
    class: Name,
    names: RowNames,
    policy: UpdatePolicy,
}

impl Bulk {
    pub(crate) fn new(
        class: &str,
        values: Vec<String>,
        defaults: Vec<String>,
        policy: UpdatePolicy,
    ) -> Self {
        let names = |names: Vec<String>| names.into_iter().map(Name::from).collect();
        let names = RowNames { values: names(values), defaults: names(defaults) };
        Self { class: class.into(), names, policy }
    }

    /// Reads one row.
    pub(crate) fn row(&self, row: &Bound<'_, PyAny>) -> PyResult<Row> {
        let row = row.cast::<PyTuple>()?;
        let count = 1 + self.names.values.len() + self.names.defaults.len();
        if row.len() != count {
            let reason = format!("a row has {count} elements, not {}", row.len());
            return Err(CoreError::BadArgument { argument: "rows", reason }.to_py(row.py()));
        }
        let key = convert::to_key(&row.get_item(0)?)?;
        let mut contents = Vec::with_capacity(count - 1);
        for content in row.iter_borrowed().skip(1) {
            contents.push(convert::to_content(&content)?);
        }
        Ok((key, contents))
    }

    /// Creates the objects; how many of them are new.
    pub(crate) fn write(
        &self,
        transaction: &mut WriteTxn,
        rows: Vec<Row>,
    ) -> Result<u64, CoreError> {
        let mut count = 0;
        for (key, contents) in rows {
            let is_new =
                transaction.create_row(&self.class, &key, &self.names, contents, self.policy)?;
            count += u64::from(is_new);
        }
        Ok(count)
    }
}
