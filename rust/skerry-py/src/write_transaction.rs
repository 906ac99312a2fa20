//! `WriteTransaction`: the one writer of a file.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PySequence, PyString, PyTuple};
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    CollectionType, Name, ObjectRef, Path, PathElement, Payload, PropertyType, Schema, Stamp, Value,
};
use skerry_store::realm::{UpdatePolicy, WriteTxn};

use crate::bulk::{BLOCK_ROWS, Bulk};
use crate::errors::CoreError;
use crate::{convert, gate, schema};

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

fn to_place(class_name: &str, key: &Bound<'_, PyAny>, path: &Bound<'_, PyAny>) -> PyResult<Path> {
    convert::to_path(ObjectRef::new(class_name, convert::to_key(key)?), path)
}

/// The kind of a collection inside a mixed.
fn nested(py: Python<'_>, name: &str) -> PyResult<CollectionType> {
    match CollectionType::from_name(name) {
        Some(kind @ (CollectionType::List | CollectionType::Dictionary)) => Ok(kind),
        Some(CollectionType::Single | CollectionType::Set) | None => {
            let reason = format!("\"list\" or \"dictionary\", not {name:?}");
            Err(CoreError::BadArgument { argument: "collection", reason }.to_py(py))
        }
    }
}

fn edit(transaction: &mut WriteTxn, path: Path, edit: Edit) -> Result<(), CoreError> {
    Ok(transaction.edit(&Op::At { path, edit })?)
}

/// Python has one type of floats. Where 32 bits are stored, it is rounded to them.
fn fit(transaction: &WriteTxn, place: &Path, value: Value) -> Value {
    match value {
        Value::Double(double) if is_float(transaction.tables().catalogue().schema(), place) => {
            Value::Float(narrow(double))
        }
        value => value,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
fn narrow(double: f64) -> f32 {
    double as f32
}

fn is_float(schema: &Schema, place: &Path) -> bool {
    let class = schema.class(&place.object.class);
    let Some(mut property) = class.and_then(|class| class.property(&place.field)) else {
        return false;
    };
    for element in &place.elements {
        let PathElement::Key(key) = element else { continue };
        let target = property.target.as_deref().and_then(|target| schema.class(target));
        // The key of a dictionary stays in the same property.
        let inner = target.filter(|class| class.embedded).and_then(|class| class.property(key));
        property = inner.unwrap_or(property);
    }
    property.ty == PropertyType::Float
}

impl WriteTransaction {
    /// Makes an edit at a place. `make` gets what fits values to the place.
    fn edit_at(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        make: impl FnOnce(&dyn Fn(Value) -> Value) -> Edit + Send,
    ) -> PyResult<()> {
        let place = to_place(class_name, key, path)?;
        self.run(key.py(), |transaction| {
            let made = make(&|value| fit(transaction, &place, value));
            edit(transaction, place, made)
        })
    }

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
            Ok(transaction.create_with(&class, &key, values, defaults, policy)?)
        })
    }

    /// Rows are tuples of the key, the values and the defaults. They are read a block at a time, and
    /// written without holding up other threads.
    fn create_all(
        &self,
        class_name: &str,
        names: Vec<String>,
        default_names: Vec<String>,
        rows: &Bound<'_, PyAny>,
        policy: &str,
    ) -> PyResult<u64> {
        let policy = policy_of(policy).map_err(|error| error.to_py(rows.py()))?;
        let bulk = Bulk::new(class_name, names, default_names, policy);
        let (mut count, mut rows) = (0, rows.try_iter()?);
        loop {
            let block = rows.by_ref().take(BLOCK_ROWS).map(|row| bulk.row(&row?));
            let block = block.collect::<PyResult<Vec<_>>>()?;
            if block.is_empty() {
                return Ok(count);
            }
            count += self.run(rows.py(), |transaction| bulk.write(transaction, block))?;
        }
    }

    fn assign(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        content: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let place = to_place(class_name, key, path)?;
        let content = convert::to_content(content)?;
        self.run(key.py(), |transaction| Ok(transaction.assign(place, content)?))
    }

    fn list_insert_all(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
        contents: &Bound<'_, PySequence>,
    ) -> PyResult<()> {
        let place = to_place(class_name, key, path)?;
        let (index, contents) = (convert::to_position(index)?, convert::to_contents(contents)?);
        self.run(key.py(), |transaction| Ok(transaction.insert_all(place, index, contents)?))
    }

    #[pyo3(signature = (class_name, key, path, value, *, is_default = false))]
    fn set(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        is_default: bool,
    ) -> PyResult<()> {
        let (place, value) = (to_place(class_name, key, path)?, convert::to_value(value)?);
        let is_property = path.is_instance_of::<PyString>();
        self.run(key.py(), |transaction| {
            let value = fit(transaction, &place, value);
            if is_property && !is_default {
                let object = &place.object;
                return Ok(transaction.set(&object.class, &object.key, &place.field, &value)?);
            }
            edit(transaction, place, Edit::Set { value, is_default })
        })
    }

    fn put(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        property: &str,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = key.py();
        let (class, property) = (Name::from(class_name), Name::from(property));
        let (key, value) = (convert::to_key(key)?, convert::to_content(value)?);
        self.run(py, |transaction| Ok(transaction.put(&class, &key, &property, value)?))
    }

    fn fill(&self, class_name: &str, property: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (class, property) = (Name::from(class_name), Name::from(property));
        let (py, value) = (value.py(), convert::to_content(value)?);
        self.run(py, |transaction| Ok(transaction.fill(&class, &property, value)?))
    }

    fn classes(&self, py: Python<'_>) -> PyResult<Vec<schema::Described>> {
        self.run(py, |transaction| Ok(schema::describe(transaction.schema())))
    }

    fn keys<'py>(&self, py: Python<'py>, class_name: &str) -> PyResult<Bound<'py, PyList>> {
        let class = Name::from(class_name);
        let keys = self.run(py, |transaction| Ok(transaction.keys(&class)?))?;
        let keys = keys.iter().map(|key| convert::from_key(py, key));
        PyList::new(py, keys.collect::<PyResult<Vec<_>>>()?)
    }

    fn add_integer(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        amount: &Bound<'_, PyInt>,
    ) -> PyResult<()> {
        let amount = convert::to_int64(amount)?;
        self.edit_at(class_name, key, path, |_| Edit::AddInteger(amount))
    }

    fn list_insert(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (index, value) = (convert::to_position(index)?, convert::to_value(value)?);
        self.edit_at(class_name, key, path, |fit| Edit::ListInsert {
            index,
            value: Payload::Value(fit(value)),
        })
    }

    fn list_insert_embedded(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (index, value) = (convert::to_position(index)?, Payload::ObjectValue);
        self.edit_at(class_name, key, path, |_| Edit::ListInsert { index, value })
    }

    fn list_insert_collection(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
        collection: &str,
    ) -> PyResult<()> {
        let index = convert::to_position(index)?;
        let value = match nested(key.py(), collection)? {
            CollectionType::List => Payload::List,
            CollectionType::Dictionary | CollectionType::Single | CollectionType::Set => {
                Payload::Dictionary
            }
        };
        self.edit_at(class_name, key, path, |_| Edit::ListInsert { index, value })
    }

    fn list_set(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (index, value) = (convert::to_position(index)?, convert::to_value(value)?);
        self.edit_at(class_name, key, path, |fit| Edit::ListSet { index, value: fit(value) })
    }

    fn list_move(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
        to: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (from, to) = (convert::to_position(index)?, convert::to_position(to)?);
        self.edit_at(class_name, key, path, |_| Edit::ListMove { from, to })
    }

    fn list_erase(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        index: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let index = convert::to_position(index)?;
        self.edit_at(class_name, key, path, |_| Edit::ListErase { index })
    }

    fn clear(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.edit_at(class_name, key, path, |_| Edit::Clear)
    }

    fn set_insert(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let value = convert::to_value(value)?;
        self.edit_at(class_name, key, path, |fit| Edit::SetInsert(fit(value)))
    }

    fn set_erase(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let value = convert::to_value(value)?;
        self.edit_at(class_name, key, path, |fit| Edit::SetErase(fit(value)))
    }

    fn dictionary_set(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        name: &str,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (name, value) = (Name::from(name), convert::to_value(value)?);
        self.edit_at(class_name, key, path, |fit| Edit::DictionarySet {
            key: name,
            value: fit(value),
        })
    }

    fn dictionary_erase(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        name: &str,
    ) -> PyResult<()> {
        let name = Name::from(name);
        self.edit_at(class_name, key, path, |_| Edit::DictionaryErase { key: name })
    }

    fn set_embedded(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.edit_at(class_name, key, path, |_| Edit::SetEmbedded)
    }

    fn set_collection(
        &self,
        class_name: &str,
        key: &Bound<'_, PyAny>,
        path: &Bound<'_, PyAny>,
        collection: &str,
    ) -> PyResult<()> {
        let kind = nested(key.py(), collection)?;
        self.edit_at(class_name, key, path, |_| Edit::SetCollection(kind))
    }

    fn delete(&self, class_name: &str, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (class, py) = (Name::from(class_name), key.py());
        let key = convert::to_key(key)?;
        self.run(py, |transaction| Ok(transaction.delete(&class, &key)?))
    }

    fn delete_telling<'py>(
        &self,
        class_name: &str,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let (class, py) = (Name::from(class_name), key.py());
        let key = convert::to_key(key)?;
        let holders = self.run(py, |transaction| Ok(transaction.delete_telling(&class, &key)?))?;
        let told = |holders: Vec<ObjectRef>| {
            let holders = holders
                .iter()
                .map(|holder| Ok((holder.class.to_string(), convert::from_key(py, &holder.key)?)));
            PyList::new(py, holders.collect::<PyResult<Vec<_>>>()?)
        };
        holders.map(told).transpose()
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
        let (class, asked) = (Name::from(class_name), convert::to_key(key)?);
        let row = self.run(py, |transaction| Ok(transaction.get(&class, &asked)?))?;
        row.map(|row| convert::from_row_of(py, &row, &asked, key)).transpose()
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

    #[pyo3(signature = (now_ms, *, stamped = false))]
    fn commit(&self, py: Python<'_>, now_ms: i64, stamped: bool) -> PyResult<i64> {
        gate::take(py, &self.state, NAME, |transaction| {
            let transaction = transaction.ok_or(CoreError::Over(NAME))?;
            let stamp = Stamp::from_unix_ms(now_ms);
            let version =
                if stamped { transaction.commit_stamped(stamp) } else { transaction.commit(stamp) };
            Ok(version?.0)
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
