//! Making objects of Python's classes without their constructors.
//!
//! A constructor written in Python takes longer than all else about a value, and checks again what the
//! store has checked. So `object.__new__` makes the object, and the descriptors of the class's slots set
//! what the constructor would have. Invariant: only values that the constructor would take as they are, for
//! classes of which all state is in these slots.

use pyo3::prelude::*;
use pyo3::types::PyType;

/// Makes objects of one class with `N` slots.
#[derive(Debug)]
pub(crate) struct Maker<const N: usize> {
    class: Py<PyType>,
    /// `object.__new__`
    new: Py<PyAny>,
    /// The `__set__` of each slot.
    set: [Py<PyAny>; N],
}

impl<const N: usize> Maker<N> {
    /// For a class that has slots of these names.
    pub(crate) fn of(class: &Bound<'_, PyType>, slots: [&str; N]) -> PyResult<Self> {
        let py = class.py();
        let new = py.get_type::<PyAny>().getattr("__new__")?.unbind();
        let mut set = Vec::with_capacity(N);
        for slot in slots {
            set.push(class.getattr(slot)?.getattr("__set__")?.unbind());
        }
        let set = set.try_into().expect("one for each slot");
        Ok(Self { class: class.clone().unbind(), new, set })
    }

    /// An object with these values in its slots.
    pub(crate) fn make<'py>(
        &self,
        py: Python<'py>,
        values: [Bound<'py, PyAny>; N],
    ) -> PyResult<Bound<'py, PyAny>> {
        let made = self.new.bind(py).call1((self.class.bind(py),))?;
        for (set, value) in self.set.iter().zip(values) {
            set.bind(py).call1((&made, value))?;
        }
        Ok(made)
    }
}
