//! The way into the engine: detach from the interpreter, take the lock, run, map the error.
//!
//! Invariant: a lock is waited for and held only by threads that are detached, so that a thread
//! which holds one never waits for the interpreter, and the two cannot block each other. No other
//! file detaches.

use std::sync::Mutex;

use pyo3::prelude::*;

use crate::errors::CoreError;

/// Runs `work` detached.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, CoreError> + Send,
) -> PyResult<T> {
    py.detach(work).map_err(|error| error.to_py(py))
}

/// Runs `work` detached, on what the mutex guards. `name` is what the caller knows it by.
pub(crate) fn run_locked<S: Send, T: Send>(
    py: Python<'_>,
    state: &Mutex<S>,
    name: &'static str,
    work: impl FnOnce(&mut S) -> Result<T, CoreError> + Send,
) -> PyResult<T> {
    run(py, || {
        let mut state = state.lock().map_err(|_poisoned| CoreError::Poisoned(name))?;
        work(&mut state)
    })
}

/// Runs `work` detached, on what is there until it is closed.
pub(crate) fn run_open<S: Send, T: Send>(
    py: Python<'_>,
    state: &Mutex<Option<S>>,
    name: &'static str,
    work: impl FnOnce(&mut S) -> Result<T, CoreError> + Send,
) -> PyResult<T> {
    run_locked(py, state, name, |state| work(state.as_mut().ok_or(CoreError::Over(name))?))
}

/// Takes out what is there and gives it to `work`, detached and after the lock has been released.
pub(crate) fn take<S: Send, T: Send>(
    py: Python<'_>,
    state: &Mutex<Option<S>>,
    name: &'static str,
    work: impl FnOnce(Option<S>) -> Result<T, CoreError> + Send,
) -> PyResult<T> {
    run(py, || {
        let taken = state.lock().map_err(|_poisoned| CoreError::Poisoned(name))?.take();
        work(taken)
    })
}
