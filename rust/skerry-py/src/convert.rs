//! Values both ways, exactly.
//!
//! The classes that Python has no type for are those of `skerry.types` and `uuid.UUID`; they are
//! looked up once. Whether a value fits a property is the store's to judge, not decided here: an
//! int stays an int here, also for a property of another type.

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySequence, PySet, PyString,
    PyTuple, PyType,
};
use pyo3::{Borrowed, intern};
use skerry_model::limits::PATH_ELEMENTS_MAX;
use skerry_model::{
    Content, Decimal128, Name, ObjectId, ObjectKey, ObjectRef, Path, PathElement, Timestamp, Uuid,
    Value,
};
use skerry_query::Argument;

use crate::errors::CoreError;
use crate::slots::Maker;

/// The Python classes of values.
struct Types {
    object_id: Py<PyType>,
    timestamp: Py<PyType>,
    decimal: Py<PyType>,
    float32: Py<PyType>,
    link: Py<PyType>,
    uuid: Py<PyType>,
    datetime: Py<PyType>,
    python_decimal: Py<PyType>,
    enumeration: Py<PyType>,
    /// 1970-01-01 in UTC.
    epoch: Py<PyAny>,
    object_ids: Maker<1>,
    timestamps: Maker<2>,
    links: Maker<2>,
    uuids: Maker<2>,
    /// What every UUID of ours says of how it was made.
    unknown_safety: Py<PyAny>,
}

static TYPES: PyOnceLock<Types> = PyOnceLock::new();

fn types(py: Python<'_>) -> PyResult<&Types> {
    TYPES.get_or_try_init(py, || {
        let own = py.import("skerry.types")?;
        let class = |name: &str| Ok::<_, PyErr>(own.getattr(name)?.cast_into::<PyType>()?.unbind());
        let class_of = |module: &str, name: &str| {
            Ok::<_, PyErr>(py.import(module)?.getattr(name)?.cast_into::<PyType>()?.unbind())
        };
        let standard = py.import("uuid")?;
        let uuid = standard.getattr("UUID")?.cast_into::<PyType>()?.unbind();
        let (object_id, timestamp, link) =
            (class("ObjectId")?, class("Timestamp")?, class("Link")?);
        Ok(Types {
            object_ids: Maker::of(object_id.bind(py), ["binary"])?,
            timestamps: Maker::of(timestamp.bind(py), ["seconds", "nanoseconds"])?,
            links: Maker::of(link.bind(py), ["class_name", "key"])?,
            uuids: Maker::of(uuid.bind(py), ["int", "is_safe"])?,
            unknown_safety: standard.getattr("SafeUUID")?.getattr("unknown")?.unbind(),
            object_id,
            timestamp,
            decimal: class("Decimal128")?,
            float32: class("Float32")?,
            datetime: class_of("datetime", "datetime")?,
            python_decimal: class_of("decimal", "Decimal")?,
            enumeration: class_of("enum", "Enum")?,
            epoch: own.getattr("EPOCH")?.unbind(),
            link,
            uuid,
        })
    })
}

fn refuse(py: Python<'_>, text: String) -> PyErr {
    CoreError::BadValue(text).to_py(py)
}

/// A value from Python.
pub(crate) fn to_value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    built_in_value(object).unwrap_or_else(|| own_value(object))
}

/// A value of a type that Python has itself.
fn built_in_value(object: &Bound<'_, PyAny>) -> Option<PyResult<Value>> {
    // The commonest types first; bool is a kind of int.
    if let Ok(text) = object.cast::<PyString>() {
        return Some(utf8(text).map(Value::string));
    }
    if object.is_none() {
        return Some(Ok(Value::Null));
    }
    if let Ok(truth) = object.cast::<PyBool>() {
        return Some(Ok(Value::Bool(truth.is_true())));
    }
    if let Ok(int) = object.cast::<PyInt>() {
        return Some(to_int64(int).map(Value::Int));
    }
    if let Ok(float) = object.cast::<PyFloat>() {
        return Some(Ok(Value::Double(float.value())));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Some(Ok(Value::binary(bytes.as_bytes())));
    }
    None
}

/// A value of one of the looked-up classes.
fn own_value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = object.py();
    let types = types(py)?;
    // Asking each class in turn takes longer than reading the value, and dates come last.
    if object.get_type().is(types.datetime.bind(py)) {
        return moment(object, types).map(Value::Timestamp);
    }
    if object.is_instance(types.object_id.bind(py))? {
        let bytes = object.getattr(intern!(py, "binary"))?;
        return Ok(Value::ObjectId(ObjectId(array(&bytes, "ObjectId")?)));
    }
    if object.is_instance(types.timestamp.bind(py))? {
        return timestamp(object).map(Value::Timestamp);
    }
    if object.is_instance(types.uuid.bind(py))? {
        let bytes = object.getattr(intern!(py, "bytes"))?;
        return Ok(Value::Uuid(Uuid(array(&bytes, "UUID")?)));
    }
    if object.is_instance(types.decimal.bind(py))? {
        let text = object.getattr(intern!(py, "text"))?;
        return decimal(py, &text.extract::<pyo3::pybacked::PyBackedStr>()?);
    }
    if object.is_instance(types.float32.bind(py))? {
        // It has been rounded when it was made.
        return Ok(Value::Float(object.getattr(intern!(py, "value"))?.extract()?));
    }
    if object.is_instance(types.link.bind(py))? {
        let class: String = object.getattr(intern!(py, "class_name"))?.extract()?;
        let key = to_key(&object.getattr(intern!(py, "key"))?)?;
        return Ok(Value::link(class, key));
    }
    foreign_value(object, types)
}

/// A value of one of Python's classes that stand for ours.
fn foreign_value(object: &Bound<'_, PyAny>, types: &Types) -> PyResult<Value> {
    let py = object.py();
    if object.is_instance(types.datetime.bind(py))? {
        return moment(object, types).map(Value::Timestamp);
    }
    if object.is_instance(types.python_decimal.bind(py))? {
        return decimal(py, &object.str()?.extract::<pyo3::pybacked::PyBackedStr>()?);
    }
    if object.is_instance(types.enumeration.bind(py))? {
        return to_value(&object.getattr(intern!(py, "value"))?);
    }
    let name = object.get_type().name()?;
    Err(refuse(py, format!("no property type holds a {name}")))
}

fn decimal(py: Python<'_>, text: &str) -> PyResult<Value> {
    let number: Result<Decimal128, _> = text.parse();
    number
        .map(Value::Decimal)
        .map_err(|error| refuse(py, format!("no Decimal128: {text:?}: {error}")))
}

/// The point in time of a datetime, with the nanoseconds of those that have them.
fn moment(object: &Bound<'_, PyAny>, types: &Types) -> PyResult<Timestamp> {
    let py = object.py();
    if object.getattr(intern!(py, "tzinfo"))?.is_none() {
        return Err(refuse(py, "a datetime needs a time zone, such as UTC".to_owned()));
    }
    let since = object.sub(types.epoch.bind(py))?;
    let part = |name: &Bound<'_, PyString>| since.getattr(name)?.extract::<i64>();
    let (days, seconds) = (part(intern!(py, "days"))?, part(intern!(py, "seconds"))?);
    // A plain one is known to have none, and looking for what is absent is dear.
    let is_plain = object.get_type().is(types.datetime.bind(py));
    let finer = if is_plain { None } else { object.getattr_opt(intern!(py, "nanosecond"))? };
    let nanoseconds = finer.map_or(Ok(0), |below_micro| below_micro.extract::<i64>())?;
    let nanoseconds = part(intern!(py, "microseconds"))? * 1000 + nanoseconds;
    // Years have four digits, so this fits; a timedelta's parts below the day are never negative.
    let (mut seconds, mut nanoseconds) = (days * 86_400 + seconds, nanoseconds);
    if seconds < 0 && nanoseconds > 0 {
        (seconds, nanoseconds) = (seconds + 1, nanoseconds - 1_000_000_000);
    }
    let nanoseconds = i32::try_from(nanoseconds).unwrap_or(i32::MAX);
    Timestamp::new(seconds, nanoseconds)
        .ok_or_else(|| refuse(py, format!("no Timestamp: {seconds} s, {nanoseconds} ns")))
}

/// A primary key from Python.
pub(crate) fn to_key(object: &Bound<'_, PyAny>) -> PyResult<ObjectKey> {
    let value = to_value(object)?;
    ObjectKey::from_value(&value).ok_or_else(|| {
        let kind = object.get_type().name().map_or_else(|_| String::new(), |name| name.to_string());
        refuse(object.py(), format!("a primary key is an int, str, ObjectId or UUID, not {kind}"))
    })
}

/// What a property is to hold, from Python: lists, tuples, sets and dicts of contents, or a value.
/// What of it is a set or an embedded object says the schema, later.
pub(crate) fn to_content(object: &Bound<'_, PyAny>) -> PyResult<Content> {
    content_within(object, 0)
}

fn content_within(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Content> {
    // A list may hold itself.
    if depth > PATH_ELEMENTS_MAX {
        let text = format!("collections are nested at most {PATH_ELEMENTS_MAX} deep");
        return Err(refuse(object.py(), text));
    }
    if let Some(value) = built_in_value(object) {
        return value.map(Content::Value);
    }
    let elements = |object: &Bound<'_, PyAny>| {
        let elements = object.try_iter()?.map(|one| content_within(&one?, depth + 1));
        elements.collect::<PyResult<Vec<_>>>().map(Content::List)
    };
    if let Ok(list) = object.cast_exact::<PyList>() {
        let mut elements = Vec::with_capacity(list.len());
        for element in list.iter() {
            elements.push(content_within(&element, depth + 1)?);
        }
        return Ok(Content::List(elements));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        return elements(object);
    }
    if let Ok(fields) = object.cast::<PyDict>() {
        let fields = fields.iter().map(|(name, field)| {
            let name = name.cast_into::<PyString>().map_err(|_other| {
                refuse(object.py(), "the keys of a dictionary are str".to_owned())
            })?;
            Ok((Name::from(utf8(&name)?), content_within(&field, depth + 1)?))
        });
        return fields.collect::<PyResult<_>>().map(Content::Dictionary);
    }
    // Asking whether it is a set takes longer.
    if object.get_type().is(types(object.py())?.datetime.bind(object.py())) {
        return own_value(object).map(Content::Value);
    }
    if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        return elements(object);
    }
    own_value(object).map(Content::Value)
}

/// Contents by position.
pub(crate) fn to_contents(objects: &Bound<'_, PySequence>) -> PyResult<Vec<Content>> {
    objects.try_iter()?.map(|object| to_content(&object?)).collect()
}

/// Arguments of a query: values, and lists of values for IN.
pub(crate) fn to_arguments(objects: &Bound<'_, PySequence>) -> PyResult<Vec<Argument>> {
    objects
        .try_iter()?
        .map(|object| {
            let object = object?;
            if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
                let items = object.try_iter()?.map(|item| to_value(&item?));
                items.collect::<PyResult<_>>().map(Argument::List)
            } else {
                to_value(&object).map(Argument::Value)
            }
        })
        .collect()
}

/// Pairs of property name and content.
pub(crate) fn to_pairs(pairs: &Bound<'_, PySequence>) -> PyResult<Vec<(Name, Content)>> {
    pairs
        .try_iter()?
        .map(|pair| {
            let pair = pair?;
            let pair = pair.cast::<PyTuple>()?;
            let name = pair.get_item(0)?;
            let name = Name::from(utf8(name.cast::<PyString>()?)?);
            Ok((name, to_content(&pair.get_item(1)?)?))
        })
        .collect()
}

/// A place in an object: a property alone, or a sequence of the property, positions in lists, keys
/// of dictionaries and properties of embedded objects.
pub(crate) fn to_path(object: ObjectRef, path: &Bound<'_, PyAny>) -> PyResult<Path> {
    if let Ok(property) = path.cast::<PyString>() {
        return Ok(Path::property(object, utf8(property)?));
    }
    let py = path.py();
    let bad = |reason: &str| {
        CoreError::BadArgument { argument: "path", reason: reason.to_owned() }.to_py(py)
    };
    let mut steps = path.cast::<PySequence>()?.try_iter()?;
    let property = steps.next().ok_or_else(|| bad("begins with a property"))??;
    let property = property.cast::<PyString>().map_err(|_other| bad("begins with a property"))?;
    let mut place = Path::property(object, utf8(property)?);
    let elements = steps.map(|step| {
        let step = step?;
        match (step.cast::<PyString>(), to_index(&step)) {
            (Ok(key), _) => Ok(PathElement::Key(Name::from(utf8(key)?))),
            (Err(_), Some(index)) => Ok(PathElement::Index(index)),
            (Err(_), None) => Err(bad("has keys, and positions of 32 bits from 0 on")),
        }
    });
    place.elements = elements.collect::<PyResult<_>>()?;
    Ok(place)
}

/// A position in a list.
pub(crate) fn to_position(object: &Bound<'_, PyAny>) -> PyResult<u32> {
    let reason = "a position of 32 bits, from 0 on".to_owned();
    let bad = CoreError::BadArgument { argument: "index", reason };
    to_index(object).ok_or_else(|| bad.to_py(object.py()))
}

fn to_index(object: &Bound<'_, PyAny>) -> Option<u32> {
    if object.is_instance_of::<PyBool>() { None } else { object.extract().ok() }
}

/// A string's text. Python's strings may hold halves of surrogate pairs, which UTF-8 cannot.
fn utf8<'a>(text: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    let is_encodable = text.to_str();
    is_encodable.map_err(|error| refuse(text.py(), format!("the text is no Unicode: {error}")))
}

/// An int that fits into 64 bits.
pub(crate) fn to_int64(int: &Bound<'_, PyInt>) -> PyResult<i64> {
    int.extract::<i64>().map_err(|error| {
        let py = int.py();
        if error.is_instance_of::<PyOverflowError>(py) {
            refuse(py, "the int does not fit into 64 bits".to_owned())
        } else {
            error
        }
    })
}

fn array<const N: usize>(object: &Bound<'_, PyAny>, class: &str) -> PyResult<[u8; N]> {
    let bytes = object.cast::<PyBytes>()?.as_bytes();
    bytes.try_into().map_err(|_wrong_length| {
        refuse(object.py(), format!("a {class} has {N} bytes, not {}", bytes.len()))
    })
}

fn timestamp(object: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = object.py();
    let seconds: i64 = object.getattr(intern!(py, "seconds"))?.extract()?;
    let nanoseconds: i32 = object.getattr(intern!(py, "nanoseconds"))?.extract()?;
    Timestamp::new(seconds, nanoseconds)
        .ok_or_else(|| refuse(py, format!("no Timestamp: {seconds} s, {nanoseconds} ns")))
}

/// A value for Python.
pub(crate) fn from_value<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Int(int) => PyInt::new(py, *int).into_any(),
        Value::Bool(truth) => borrowed(PyBool::new(py, *truth)),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Binary(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Float(float) => PyFloat::new(py, f64::from(*float)).into_any(),
        Value::Double(float) => PyFloat::new(py, *float).into_any(),
        Value::Timestamp(time) => {
            let seconds = PyInt::new(py, time.seconds()).into_any();
            let nanoseconds = PyInt::new(py, time.nanoseconds()).into_any();
            types(py)?.timestamps.make(py, [seconds, nanoseconds])?
        }
        Value::Decimal(number) => types(py)?.decimal.bind(py).call1((number.to_string(),))?,
        Value::Link(link) => {
            let key = from_key(py, &link.key)?;
            types(py)?.links.make(py, [PyString::new(py, &link.class).into_any(), key])?
        }
        Value::ObjectId(id) => object_id(py, *id)?,
        Value::Uuid(id) => uuid(py, *id)?,
    })
}

/// A primary key for Python. The legacy key of classes without one is no value there.
pub(crate) fn from_key<'py>(py: Python<'py>, key: &ObjectKey) -> PyResult<Bound<'py, PyAny>> {
    Ok(match key {
        ObjectKey::Null | ObjectKey::GlobalKey { .. } => py.None().into_bound(py),
        ObjectKey::Int(int) => PyInt::new(py, *int).into_any(),
        ObjectKey::String(text) => PyString::new(py, text).into_any(),
        ObjectKey::ObjectId(id) => object_id(py, *id)?,
        ObjectKey::Uuid(id) => uuid(py, *id)?,
    })
}

/// What a property holds, for Python: lists as lists, dictionaries and embedded objects as dicts,
/// sets as sets.
pub(crate) fn from_content<'py>(py: Python<'py>, content: &Content) -> PyResult<Bound<'py, PyAny>> {
    Ok(match content {
        Content::Value(value) => from_value(py, value)?,
        Content::List(elements) => {
            let elements = elements.iter().map(|element| from_content(py, element));
            PyList::new(py, elements.collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        Content::Set(set) => {
            let values = set.iter().map(|value| from_value(py, value));
            let values = values.collect::<PyResult<Vec<_>>>()?;
            let made = PySet::new(py, &values)?;
            // To Python, true is 1: where two elements would become one, it gets a list.
            if made.len() == values.len() {
                made.into_any()
            } else {
                PyList::new(py, values)?.into_any()
            }
        }
        Content::Dictionary(fields) | Content::Object(fields) => {
            let made = PyDict::new(py);
            for (name, field) in fields {
                made.set_item(name.as_str(), from_content(py, field)?)?;
            }
            made.into_any()
        }
    })
}

/// A row for Python.
pub(crate) fn from_row<'py>(py: Python<'py>, row: &[Content]) -> PyResult<Bound<'py, PyTuple>> {
    let values = row.iter().map(|content| from_content(py, content));
    PyTuple::new(py, values.collect::<PyResult<Vec<_>>>()?)
}

/// The row of the object that `given` is the key of, which is not made again where it holds its key.
pub(crate) fn from_row_of<'py>(
    py: Python<'py>,
    row: &[Content],
    key: &ObjectKey,
    given: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyTuple>> {
    let ObjectKey::ObjectId(id) = key else { return from_row(py, row) };
    if !given.get_type().is(types(py)?.object_id.bind(py)) {
        return from_row(py, row);
    }
    let values = row.iter().map(|content| match content {
        Content::Value(Value::ObjectId(held)) if held == id => Ok(given.clone()),
        other => from_content(py, other),
    });
    PyTuple::new(py, values.collect::<PyResult<Vec<_>>>()?)
}

/// Rows for Python.
pub(crate) fn from_rows<'py>(
    py: Python<'py>,
    rows: &[Vec<Content>],
) -> PyResult<Bound<'py, PyList>> {
    let rows = rows.iter().map(|row| from_row(py, row)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, rows)
}

fn borrowed<'py>(truth: Borrowed<'_, 'py, PyBool>) -> Bound<'py, PyAny> {
    truth.to_owned().into_any()
}

fn object_id(py: Python<'_>, id: ObjectId) -> PyResult<Bound<'_, PyAny>> {
    types(py)?.object_ids.make(py, [PyBytes::new(py, &id.0).into_any()])
}

fn uuid(py: Python<'_>, id: Uuid) -> PyResult<Bound<'_, PyAny>> {
    let types = types(py)?;
    let number = u128::from_be_bytes(id.0).into_pyobject(py)?.into_any();
    types.uuids.make(py, [number, types.unknown_safety.bind(py).clone()])
}
