//! Running queries on the object tables.
//!
//! Invariant: the result is that of [`Query::run`] over all objects in order of insertion, links
//! with an absent target taken for null. What of the condition means exactly the same in SQL is
//! translated and narrows what is read ([`translate`]); what SQL cannot say of an object's own
//! values it asks the evaluator ([`leaf`]); the rest, other objects, sorting and distinct, is done by
//! the evaluator itself on the rows that remain.

mod fetch;
mod find;
mod leaf;
mod order;
mod range;
mod stored_objects;
mod translate;

use std::borrow::Cow;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use skerry_model::{Content, Name, ObjectKey};
use skerry_query::{Argument, Descriptor, Predicate, PropertyRef, Query, Row};

use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, ObjectTables, read_row};

pub(crate) use fetch::Explained;
pub(crate) use find::for_each_row;
pub(crate) use leaf::register as register_functions;
pub(crate) use order::StoredPlaces;
use stored_objects::StoredObjects;
pub(crate) use translate::{Condition, split};

/// An object as it was read.
#[derive(Clone, Debug)]
struct StoredRow<'t> {
    table: &'t ClassTable,
    row_id: i64,
    key: ObjectKey,
    values: Vec<Content>,
}

impl Row for StoredRow<'_> {
    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        let position = self.table.resolve(property);
        position.map_or(Cow::Owned(Content::NULL), |position| Cow::Borrowed(&self.values[position]))
    }
}

/// How many objects are wanted at most, before anything else happens to them.
fn first_limit(query: &Query) -> Option<u64> {
    match query.descriptors.first() {
        Some(Descriptor::Limit(limit)) => Some(*limit),
        Some(Descriptor::Sort(_) | Descriptor::Distinct(_)) | None => None,
    }
}

/// The statement that reads what matches, in order of insertion.
fn scan_sql(table: &ClassTable, condition: &str) -> String {
    format!("{} WHERE {condition} ORDER BY row_id", table.visible_scan_sql())
}

impl ObjectTables {
    /// Compiles a query text against the classes of the file. Link constants to absent objects are
    /// taken for null.
    pub fn compile(
        &self,
        connection: &Connection,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Query> {
        let objects = StoredObjects::new(self, connection);
        let schema = self.catalogue().schema();
        let compiled = Query::compile_with(schema, class, text, arguments, &objects);
        objects.finish()?;
        Ok(compiled?)
    }

    /// The objects that a query gives, each with what an application sees of it (as
    /// [`ObjectTables::read_visible`]), in the order of the class's properties.
    pub fn query(&self, connection: &Connection, query: &Query) -> Result<Vec<Vec<Content>>> {
        let rows = self.run(connection, query)?;
        Ok(rows.into_iter().map(|row| row.values).collect())
    }

    /// The same by the evaluator alone, which looks at every object: what the result means.
    pub fn evaluate(&self, connection: &Connection, query: &Query) -> Result<Vec<Vec<Content>>> {
        let table = self.class("query", &query.class)?;
        let objects = StoredObjects::new(self, connection);
        let mut rows = Vec::new();
        let mut everything = split(self, table, &Predicate::True);
        everything.residual.push(&query.predicate);
        self.scan(&objects, connection, table, everything, None, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        let rows = query.arrange(rows, &objects);
        objects.finish()?;
        Ok(rows.into_iter().map(|row| row.values).collect())
    }

    /// How many objects [`ObjectTables::query`] would give.
    pub fn count_matching(&self, connection: &Connection, query: &Query) -> Result<u64> {
        let table = self.class("query", &query.class)?;
        let condition = split(self, table, &query.predicate);
        if !condition.residual.is_empty() || !query.descriptors.is_empty() {
            let rows = self.find(connection, query)?;
            return u64::try_from(rows.len()).map_err(StoreError::corrupted);
        }
        let sql = format!("SELECT count(*) FROM {} WHERE {}", table.table(), condition.sql);
        let mut statement = connection.prepare_cached(&sql)?;
        let count: i64 =
            statement.query_row(params_from_iter(condition.parameters), |row| row.get(0))?;
        u64::try_from(count).map_err(StoreError::corrupted)
    }

    /// Hands every matching object to `visit`, in order of insertion, without holding them all in
    /// memory: its key and what it holds, the latter as in [`ObjectTables::query`].
    pub fn select(
        &self,
        connection: &Connection,
        class: &Name,
        predicate: &Predicate,
        mut visit: impl FnMut(ObjectKey, Vec<Content>) -> Result<()>,
    ) -> Result<()> {
        let table = self.class("query", class)?;
        let condition = split(self, table, predicate);
        let objects = StoredObjects::new(self, connection);
        self.scan(&objects, connection, table, condition, None, &mut |row| {
            visit(row.key, row.values)
        })?;
        objects.finish()
    }

    fn run<'t>(&'t self, connection: &Connection, query: &Query) -> Result<Vec<StoredRow<'t>>> {
        let table = self.class("query", &query.class)?;
        let condition = split(self, table, &query.predicate);
        let objects = StoredObjects::new(self, connection);
        let mut rows = Vec::new();
        self.scan(&objects, connection, table, condition, first_limit(query), &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        let rows = query.arrange(rows, &objects);
        objects.finish()?;
        Ok(rows)
    }

    /// Hands what matches to `visit`, as an application sees it, `limit` objects at most.
    fn scan<'t>(
        &self,
        objects: &StoredObjects<'_>,
        connection: &Connection,
        table: &'t ClassTable,
        mut condition: Condition<'_>,
        limit: Option<u64>,
        visit: &mut dyn FnMut(StoredRow<'t>) -> Result<()>,
    ) -> Result<()> {
        range::settle(connection, table, &mut condition)?;
        let mut sql = scan_sql(table, &condition.sql);
        let mut parameters = condition.parameters;
        // SQL can end the reading only if nothing is filtered out afterwards.
        if let (Some(limit), true) = (limit, condition.residual.is_empty()) {
            sql.push_str(" LIMIT ?");
            parameters.push(SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        }
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        let mut left = limit.unwrap_or(u64::MAX);
        while left > 0
            && let Some(row) = rows.next()?
        {
            let row = self.stored_row(connection, table, row)?;
            if objects.admit(&row, &condition.residual) {
                visit(row)?;
                left -= 1;
            }
            if objects.has_failed() {
                break;
            }
        }
        Ok(())
    }

    /// An object as an application sees it, from a row with all columns of the class and its id.
    fn stored_row<'t>(
        &self,
        connection: &Connection,
        table: &'t ClassTable,
        row: &rusqlite::Row<'_>,
    ) -> Result<StoredRow<'t>> {
        let key_position =
            table.schema.position(&table.schema.primary_key).expect("a class has a key");
        let mut values = read_row(self.catalogue().schema(), table, row)?;
        self.hide_dangling(connection, table, &mut values)?;
        let key = values[key_position]
            .as_value()
            .and_then(ObjectKey::from_value)
            .ok_or_else(|| StoreError::corrupted("a primary key of no key type"))?;
        let row_id = row.get(table.columns.len())?;
        Ok(StoredRow { table, row_id, key, values })
    }
}

#[cfg(test)]
mod tests {
    use skerry_model::{ClassSchema, IndexKind, Property, PropertyType, Schema};

    use super::*;

    const INDEXED: [(&str, PropertyType, bool); 6] = [
        ("int", PropertyType::Int, false),
        ("intN", PropertyType::Int, true),
        ("text", PropertyType::String, false),
        ("textN", PropertyType::String, true),
        ("dateN", PropertyType::Timestamp, true),
        ("oid", PropertyType::ObjectId, false),
    ];

    fn tables() -> (Connection, ObjectTables) {
        let mut properties = vec![Property::scalar("_id", PropertyType::Int, false)];
        properties.extend(INDEXED.map(|(name, ty, nullable)| Property::scalar(name, ty, nullable)));
        let (name, primary_key) = ("C".into(), "_id".into());
        let class = ClassSchema { name, primary_key, properties, embedded: false };
        let schema = Schema::new([class]).unwrap();
        let schema = INDEXED.iter().fold(schema, |schema, (name, _, _)| {
            schema.with_index("C", *name, IndexKind::General).unwrap()
        });
        let connection = Connection::open_in_memory().unwrap();
        ObjectTables::create(&connection).unwrap();
        let mut tables = ObjectTables::open(&connection).unwrap();
        tables.ensure_schema(&connection, &schema).unwrap();
        tables.ensure_indexes(&connection, &schema).unwrap();
        (connection, tables)
    }

    /// How the rows of a query are looked for.
    fn plan(connection: &Connection, tables: &ObjectTables, text: &str) -> String {
        let query = tables.compile(connection, &"C".into(), text, &[]).unwrap();
        let table = tables.class("query", &query.class).unwrap();
        let mut condition = split(tables, table, &query.predicate);
        assert!(condition.residual.is_empty(), "{text}");
        range::settle(connection, table, &mut condition).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {}", scan_sql(table, &condition.sql));
        let mut statement = connection.prepare(&sql).unwrap();
        let steps = statement.query_map(params_from_iter(condition.parameters), |row| row.get(3));
        steps.unwrap().collect::<rusqlite::Result<Vec<String>>>().unwrap().join("; ")
    }

    #[test]
    fn indexes_are_used_for_equality_lists_and_ranges() {
        let (connection, tables) = tables();
        let constants = |ty| match ty {
            PropertyType::Int => ("1", "2"),
            PropertyType::String => ("'a'", "'b'"),
            PropertyType::Timestamp => ("T1:0", "T2:0"),
            _ => ("oid(000000000000000000000001)", "oid(000000000000000000000002)"),
        };
        for (name, ty, _nullable) in INDEXED {
            let (a, b) = constants(ty);
            for condition in [
                format!("{name} == {a}"),
                format!("{name} IN {{{a}, {b}}}"),
                format!("{name} == {a} OR {name} == {b}"),
                format!("{name} > {a}"),
                format!("{name} <= {a}"),
                format!("{name} >= {a} AND {name} < {b}"),
                format!("{name} BETWEEN {{{a}, {b}}}"),
            ] {
                let plan = plan(&connection, &tables, &condition);
                assert!(plan.contains("USING INDEX o1_p"), "{condition}: {plan}");
            }
        }
    }

    #[test]
    fn wide_ranges_are_scanned_for() {
        let (connection, tables) = tables();
        // In each column the numbers from 1 to 30000, as text too.
        connection
            .execute_batch(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
                 INSERT INTO o1 (p0, p1, p2, p3, p4)
                     SELECT i, i, i, format('%05d', i), format('%05d', i) FROM n",
            )
            .unwrap();
        for (name, quote) in [("int", ""), ("intN", ""), ("text", "'"), ("textN", "'")] {
            let number = |i: u32| format!("{quote}{i:05}{quote}").replace("00000", "0");
            let number = |i: u32| if quote.is_empty() { i.to_string() } else { number(i) };
            for (condition, is_wide) in [
                (format!("{name} > {}", number(29_000)), false),
                (format!("{name} > {}", number(20_000)), true),
                (format!("{name} > {0} AND {name} <= {1}", number(9000), number(9900)), false),
                (format!("{name} > {0} AND {name} <= {1}", number(9000), number(12_000)), true),
                (format!("{name} < {}", number(900)), false),
                (format!("{name} < {}", number(5000)), true),
                (format!("{name} < {} AND {name} == {}", number(5000), number(7)), false),
            ] {
                let plan = plan(&connection, &tables, &condition);
                assert_eq!(plan.contains("SCAN o1"), is_wide, "{condition}: {plan}");
            }
        }
    }
}
