//! Checking a query without a file.

use pyo3::prelude::*;
use pyo3::types::PySequence;
use skerry_model::Schema;
use skerry_query::{Argument, Query, check_locally};

use crate::errors::CoreError;
use crate::{convert, gate, schema};

/// Returns the canonical text of a query, with its arguments put in.
#[pyfunction]
pub(crate) fn check_query(
    py: Python<'_>,
    schema_json: &str,
    class_name: &str,
    rql: &str,
    args: &Bound<'_, PySequence>,
) -> PyResult<String> {
    let arguments = convert::to_arguments(args)?;
    gate::run(py, || canonical(&schema::parse(schema_json)?, class_name, rql, &arguments))
}

fn canonical(
    schema: &Schema,
    class_name: &str,
    rql: &str,
    arguments: &[Argument],
) -> Result<String, CoreError> {
    let query = Query::compile(schema, class_name, rql, arguments);
    Ok(query.map_err(|error| CoreError::query(error, rql))?.to_string())
}

/// Returns the canonical text of a query that can be a subscription, with its arguments put in.
#[pyfunction]
pub(crate) fn check_subscription(
    py: Python<'_>,
    schema_json: &str,
    class_name: &str,
    rql: &str,
    args: &Bound<'_, PySequence>,
) -> PyResult<String> {
    let arguments = convert::to_arguments(args)?;
    gate::run(py, || {
        let schema = schema::parse(schema_json)?;
        let text = canonical(&schema, class_name, rql, &arguments)?;
        check_locally(&schema, class_name, &text)?;
        Ok(text)
    })
}
