//! Reading objects of which the rows are known, and what there is to say of how a query is run.
//!
//! Invariant: an object read by its row is what a scan of the class would have given.

use rusqlite::{Connection, params_from_iter};
use skerry_model::{Content, ObjectKey};
use skerry_query::{Predicate, Query};

use super::stored_objects::StoredObjects;
use super::{StoredRow, scan_sql, split};
use crate::error::Result;
use crate::objects::{ClassTable, ObjectTables};

/// How the tables run a query.
#[derive(Clone, Debug)]
pub(crate) struct Explained {
    /// What SQL decides.
    pub(crate) condition: String,
    /// What `SQLite` plans to do.
    pub(crate) steps: Vec<String>,
    /// What the evaluator decides on the rows that are left.
    pub(crate) evaluated: Vec<String>,
}

impl ObjectTables {
    /// The keys of the objects that a query gives, in its order.
    pub(crate) fn query_keys(
        &self,
        connection: &Connection,
        query: &Query,
    ) -> Result<Vec<ObjectKey>> {
        let rows = self.run(connection, query)?;
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    /// The objects in these rows, in this order.
    pub(crate) fn fetch(
        &self,
        connection: &Connection,
        table: &ClassTable,
        row_ids: impl Iterator<Item = i64>,
    ) -> Result<Vec<Vec<Content>>> {
        let objects = StoredObjects::new(self, connection);
        let rows = self.fetch_rows(&objects, connection, table, row_ids, &[])?;
        Ok(rows.into_iter().map(|row| row.values).collect())
    }

    /// What a query gives of the objects in these rows, which ascend, if `conditions` is what is not
    /// known of its condition.
    pub(crate) fn fetch_arranged(
        &self,
        connection: &Connection,
        (table, query): (&ClassTable, &Query),
        row_ids: impl Iterator<Item = i64>,
        conditions: &[&Predicate],
    ) -> Result<Vec<Vec<Content>>> {
        let objects = StoredObjects::new(self, connection);
        let rows = self.fetch_rows(&objects, connection, table, row_ids, conditions)?;
        let rows = query.arrange(rows, &objects);
        objects.finish()?;
        Ok(rows.into_iter().map(|row| row.values).collect())
    }

    fn fetch_rows<'t>(
        &self,
        objects: &StoredObjects<'_>,
        connection: &Connection,
        table: &'t ClassTable,
        row_ids: impl Iterator<Item = i64>,
        conditions: &[&Predicate],
    ) -> Result<Vec<StoredRow<'t>>> {
        let mut fetched = Vec::new();
        self.each_admitted(objects, connection, table, row_ids, conditions, &mut |row| {
            fetched.push(row);
        })?;
        Ok(fetched)
    }

    /// How [`ObjectTables::query`] runs a query.
    pub(crate) fn explain(&self, connection: &Connection, query: &Query) -> Result<Explained> {
        let table = self.class("query", &query.class)?;
        let condition = split(self, table, &query.predicate);
        let sql = format!("EXPLAIN QUERY PLAN {}", scan_sql(table, &condition.sql));
        let mut statement = connection.prepare(&sql)?;
        let steps =
            statement.query_map(params_from_iter(condition.parameters), |row| row.get("detail"))?;
        let steps = steps.collect::<rusqlite::Result<_>>()?;
        let evaluated = condition.residual.iter().map(ToString::to_string).collect();
        Ok(Explained { condition: condition.sql, steps, evaluated })
    }
}

#[cfg(test)]
mod tests {
    use skerry_model::content::spell;
    use skerry_model::{
        ClassSchema, CollectionType, Instruction, ObjectRef, Property, PropertyType, Schema, Value,
    };

    use super::*;

    /// Steps from object to object are bounded for each object, not for all that are fetched.
    #[test]
    fn many_objects_may_take_more_steps_than_one() {
        let class = ClassSchema {
            name: "C".into(),
            primary_key: "_id".into(),
            properties: vec![
                Property::scalar("_id", PropertyType::Int, false),
                Property::links("next", CollectionType::List, "C"),
            ],
            embedded: false,
        };
        let schema = Schema::new([class]).unwrap();
        let connection = Connection::open_in_memory().unwrap();
        ObjectTables::create(&connection).unwrap();
        let mut tables = ObjectTables::open(&connection).unwrap();
        tables.ensure_schema(&connection, &schema).unwrap();
        for key in 0..4 {
            let object = ObjectRef::new("C", ObjectKey::Int(key));
            let create = Instruction::CreateObject { object: object.clone() };
            tables.apply(&connection, &create).unwrap();
            let links = vec![Content::Value(Value::link("C", ObjectKey::Int((key + 1) % 4))); 4];
            let contents = [Content::Value(Value::Int(key)), Content::List(links)];
            for instruction in spell(&schema, schema.class("C").unwrap(), &object, &contents) {
                tables.apply(&connection, &instruction).unwrap();
            }
        }
        // 4^0 + 4^1 + ... + 4^9 steps, a third of a million, for each of four.
        let text = format!("NONE {}._id == 7", ["next"; 10].join("."));
        let query = tables.compile(&connection, &"C".into(), &text, &[]).unwrap();
        let table = tables.class("query", &query.class).unwrap();
        let fetched =
            tables.fetch_arranged(&connection, (table, &query), 1..=4, &[&query.predicate]);
        assert_eq!(fetched.unwrap().len(), 4);
        assert_eq!(tables.evaluate(&connection, &query).unwrap().len(), 4);
    }
}
