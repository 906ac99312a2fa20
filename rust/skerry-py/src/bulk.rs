//! Many objects in one call: rows from Python, written a block at a time.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use skerry_model::{Content, Name, ObjectKey};
use skerry_store::realm::{UpdatePolicy, WriteTxn};

use crate::convert;
use crate::errors::CoreError;

/// Rows that are read before they are written.
pub(crate) const BLOCK_ROWS: usize = 512;

/// One object of many: its key, and what it holds in the order of the names.
pub(crate) type Row = (ObjectKey, Vec<Content>);

/// Many objects of one class.
pub(crate) struct Bulk {
    class: Name,
    values: Vec<Name>,
    defaults: Vec<Name>,
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
        Self { class: class.into(), values: names(values), defaults: names(defaults), policy }
    }

    /// Reads one row.
    pub(crate) fn row(&self, row: &Bound<'_, PyAny>) -> PyResult<Row> {
        let row = row.cast::<PyTuple>()?;
        let count = 1 + self.values.len() + self.defaults.len();
        if row.len() != count {
            let reason = format!("a row has {count} elements, not {}", row.len());
            return Err(CoreError::BadArgument { argument: "rows", reason }.to_py(row.py()));
        }
        let key = convert::to_key(&row.get_item(0)?)?;
        let contents = row.iter().skip(1).map(|content| convert::to_content(&content));
        Ok((key, contents.collect::<PyResult<_>>()?))
    }

    /// Creates the objects; how many of them are new.
    pub(crate) fn write(
        &self,
        transaction: &mut WriteTxn,
        rows: Vec<Row>,
    ) -> Result<u64, CoreError> {
        let mut count = 0;
        for (key, mut contents) in rows {
            let defaults = contents.split_off(self.values.len());
            let named = |names: &[Name], contents: Vec<Content>| {
                names.iter().cloned().zip(contents).collect()
            };
            let (values, defaults) =
                (named(&self.values, contents), named(&self.defaults, defaults));
            let is_new =
                transaction.create_with(&self.class, &key, values, defaults, self.policy)?;
            count += u64::from(is_new);
        }
        Ok(count)
    }
}
