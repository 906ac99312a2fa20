//! `WriteTransaction`: the one writer of a file.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PySequence, PyTuple};
use skerry_model::{Name, Stamp};
use skerry_store::realm::{UpdatePolicy, WriteTxn};

use crate::errors::CoreError;
use crate::{convert, gate};

const NAME: &str = "write transaction";

/// A local write; `None` once it is committed or rolled back.
#[pyclass(frozen, module = "skerry._core")]
#[derive(Debug)]
pub(crate) struct WriteTransaction {
    state: Mutex<Option<WriteTxn>>,
}

impl From<WriteTxn> for WriteTransaction {
    fn from(transaction: WriteTxn) -> Self {
        Self { state: Mutex::new(Some(transaction)) }
    }
}

fn policy_of(name: &str) -> Result<UpdatePolicy, CoreError> {
    match name {
        "error" => Ok(UpdatePolicy::Error),
        "all" => Ok(UpdatePolicy::All),
        "modified" => Ok(UpdatePolicy::Modified),
        _ => Err(CoreError::BadArgument {
            argument: "policy",
            reason: format!("\"error\", \"all\" or \"modified\", not {name:?}"),
        }),
    }
}

impl WriteTransaction {
    fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut WriteTxn) -> Result<T, CoreError> + Send,
    ) -> PyResult<T> {
        gate::run_open(py, &self.state, NAME, work)
    }
}

#[pymethods]
impl WriteTransaction {
    fn create(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        values: &Bound<'_, PySequence>,
        defaults: &Bound<'_, PySequence>,
        policy: &str,
    ) -> PyResult<bool> {
        let (class, py) = (Name::from(class_name), key.py());
        let key = convert::to_key(key)?;
        let (values, defaults) = (convert::to_pairs(values)?, convert::to_pairs(defaults)?);
        self.run(py, |transaction| {
            let policy = policy_of(policy)?;
            Ok(transaction.create(&class, &key, &values, &defaults, policy)?)
        })
    }

    fn set(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        prop: &str,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (class, property, py) = (Name::from(class_name), Name::from(prop), key.py());
        let (key, value) = (convert::to_key(key)?, convert::to_value(value)?);
        self.run(py, |transaction| Ok(transaction.set(&class, &key, &property, &value)?))
    }

    fn add_integer(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        prop: &str,
        amount: &Bound<'_, PyInt>,
    ) -> PyResult<()> {
        let (class, property, py) = (Name::from(class_name), Name::from(prop), key.py());
        let (key, amount) = (convert::to_key(key)?, convert::to_int64(amount)?);
        self.run(py, |transaction| Ok(transaction.add_integer(&class, &key, &property, amount)?))
    }

    fn delete(&self, class_name: &str, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (class, py) = (Name::from(class_name), key.py());
        let key = convert::to_key(key)?;
        self.run(py, |transaction| Ok(transaction.delete(&class, &key)?))
    }

    fn delete_all(&self, py: Python<'_>, class_name: &str) -> PyResult<u64> {
        let class = Name::from(class_name);
        self.run(py, |transaction| Ok(transaction.delete_all(&class)?))
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (class, key) = (Name::from(class_name), convert::to_key(key)?);
        let row = self.run(py, |transaction| Ok(transaction.get(&class, &key)?))?;
        row.map(|row| convert::from_row(py, &row)).transpose()
    }

    fn query<'py>(
        &self,
        py: Python<'py>,
        class_name: &str,
        rql: &str,
        args: &Bound<'py, PySequence>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        let rows = self.run(py, |transaction| {
            let rows = transaction.query(&class, rql, &arguments);
            rows.map_err(|error| CoreError::in_query(error, rql))
        })?;
        convert::from_rows(py, &rows)
    }

    fn count(
        &self,
        py: Python<'_>,
        class_name: &str,
        rql: &str,
        args: &Bound<'_, PySequence>,
    ) -> PyResult<u64> {
        let (class, arguments) = (Name::from(class_name), convert::to_arguments(args)?);
        self.run(py, |transaction| {
            let count = transaction.count(&class, rql, &arguments);
            count.map_err(|error| CoreError::in_query(error, rql))
        })
    }

    fn commit(&self, py: Python<'_>, now_ms: i64) -> PyResult<i64> {
        gate::take(py, &self.state, NAME, |transaction| {
            let transaction = transaction.ok_or(CoreError::Over(NAME))?;
            Ok(transaction.commit(Stamp::from_unix_ms(now_ms))?.0)
        })
    }

    /// Does nothing when the transaction is over: it is what a caller does on its way out.
    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        gate::take(py, &self.state, NAME, |transaction| {
            drop(transaction);
            Ok(())
        })
    }
}
