//! The indexes that applications declare on properties.
//!
//! Invariant: what an index finds is what a scan of the column would find. A general index is one of
//! `SQLite`'s, which keeps it. A full-text index is two tables: one of FTS5 with the words of each text
//! ([`skerry_query::tokens`]), and one with the rows of which it may be wrong, which triggers note, whoever
//! writes the column. A search looks at the texts of the latter, so that it is right at any moment and
//! whatever was rolled back; a commit brings their words up to date ([`ObjectTables::index_words`]), all
//! in one statement, because FTS5 writes a segment of its own for every statement of a trigger. Which
//! property has what index is a column of the catalogue.
//!
//! Some properties are marked as indexed and have nothing more: the primary key has its unique index
//! anyhow, and what stands in a mixed has no order in `SQLite`.

use std::borrow::Cow;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, params};
use skerry_model::{IndexKind, Name, Schema};
use skerry_query::TextQuery;

use super::{ClassTable, Column, ObjectTables};
use crate::error::{Result, StoreError};

/// Words of a query beyond which the evaluator looks for them.
const SEARCH_WORDS_MAX: usize = 1000;

/// Stands before each word in the full-text table, so that a word without letters is one too.
const WORD_MARK: char = 'w';

/// Gives a connection the functions with which full-text indexes are made and searched.
pub fn register_functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("skerry_words", 1, flags, |context| {
        Ok(text_of(context.get_raw(0)).map(|text| words(&text)))
    })?;
    connection.create_scalar_function("skerry_finds", 2, flags, |context| {
        // A parameter, so it is read once for a whole scan.
        let query = context.get_or_create_aux(0, |source| -> Result<TextQuery, StoreError> {
            let source = source.as_str().map_err(StoreError::corrupted)?;
            TextQuery::parse(source).map_err(StoreError::corrupted)
        })?;
        Ok(query.matches(text_of(context.get_raw(1)).as_deref()))
    })?;
    Ok(())
}

fn text_of(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text)),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

/// The words of a text as the full-text table takes them: each marked, blanks between them.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + text.len() / 4);
    for token in skerry_query::tokens(text) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push(WORD_MARK);
        words.push_str(token.as_str());
    }
    words
}

/// The name of a kind in the catalogue.
pub(super) fn kind_name(kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::General => "general",
        IndexKind::FullText => "fulltext",
    }
}

/// Reads what [`kind_name`] wrote.
pub(super) fn kind_from_name(name: &str) -> Result<IndexKind> {
    match name {
        "general" => Ok(IndexKind::General),
        "fulltext" => Ok(IndexKind::FullText),
        other => Err(StoreError::corrupted(format!("unknown index \"{other}\""))),
    }
}

/// What makes or removes an index.
struct IndexChange<'a> {
    table: &'a ClassTable,
    column: &'a Column,
    wanted: Option<IndexKind>,
}

impl ObjectTables {
    /// Whether the declared classes have exactly the indexes that `schema` has for them.
    pub fn has_indexes(&self, schema: &Schema) -> bool {
        self.index_changes(schema).next().is_none()
    }

    /// Gives the classes of `schema` the indexes that it has for them, and takes away all others of
    /// theirs. To be called when the classes are there ([`ObjectTables::ensure_schema`]).
    pub fn ensure_indexes(&mut self, connection: &Connection, schema: &Schema) -> Result<()> {
        let mut is_changed = false;
        for change in self.index_changes(schema) {
            change.make(connection)?;
            is_changed = true;
        }
        if is_changed { self.reload(connection) } else { Ok(()) }
    }

    /// Brings the words of all full-text indexes up to date. To be called before a commit, which is
    /// only a matter of speed: until then every search looks at the texts that have changed.
    pub fn index_words(&self, connection: &Connection) -> Result<()> {
        self.catalogue().classes().try_for_each(|table| table.index_words(connection))
    }

    fn index_changes<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = IndexChange<'a>> {
        let classes = schema.classes().filter_map(|class| self.catalogue().class(&class.name));
        classes
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter_map(|(table, column)| {
                let wanted = schema.index(&table.schema.name, &column.property.name);
                (wanted != column.index).then_some(IndexChange { table, column, wanted })
            })
    }
}

impl IndexChange<'_> {
    fn make(&self, connection: &Connection) -> Result<()> {
        let Self { table, column, wanted } = self;
        if column.index.is_some() {
            drop_index(connection, table.id, column.number)?;
        }
        connection
            .prepare_cached("UPDATE property SET indexed = ?1 WHERE class_id = ?2 AND number = ?3")?
            .execute(params![wanted.map(kind_name), table.id, column.number])?;
        match wanted {
            Some(IndexKind::General) if !column.is_primary_key && !column.is_content => {
                let (class, name) = (table.table(), column.sql_name());
                let sql = format!("CREATE INDEX {class}_{name} ON {class} ({name})");
                Ok(connection.execute_batch(&sql)?)
            }
            Some(IndexKind::General) | None => Ok(()),
            Some(IndexKind::FullText) => create_full_text(connection, &table.table(), column),
        }
    }
}

fn create_full_text(connection: &Connection, class: &str, column: &Column) -> Result<()> {
    let name = column.sql_name();
    let words = words_table(class, column);
    // The words are all that FTS5 gets, and which rows they are in all that it keeps. Its tokeniser
    // only has to split at blanks and leave the rest alone, which this one does. The upserts are
    // such because the conflict clause of the statement that fires a trigger outranks the trigger's.
    Ok(connection.execute_batch(&format!(
        "CREATE VIRTUAL TABLE {words} USING fts5(
             words, content='', contentless_delete=1, detail=none, tokenize='ascii');
         INSERT INTO {words} (rowid, words)
             SELECT row_id, skerry_words({name}) FROM {class} WHERE typeof({name}) = 'text';
         CREATE TABLE {words}_pending (row_id INTEGER PRIMARY KEY) STRICT;
         CREATE TRIGGER {words}_insert AFTER INSERT ON {class} WHEN typeof(new.{name}) = 'text' BEGIN
             INSERT INTO {words}_pending VALUES (new.row_id) ON CONFLICT DO NOTHING;
         END;
         CREATE TRIGGER {words}_delete AFTER DELETE ON {class} WHEN typeof(old.{name}) = 'text' BEGIN
             INSERT INTO {words}_pending VALUES (old.row_id) ON CONFLICT DO NOTHING;
         END;
         CREATE TRIGGER {words}_update AFTER UPDATE OF {name} ON {class}
             WHEN new.{name} IS NOT old.{name} BEGIN
             INSERT INTO {words}_pending VALUES (new.row_id) ON CONFLICT DO NOTHING;
         END;"
    ))?)
}

/// Name of the table with the words of a column.
fn words_table(class: &str, column: &Column) -> String {
    format!("{class}_{}_words", column.sql_name())
}

/// Removes whatever index the column has; a column that has none is left as it is.
pub(super) fn drop_index(connection: &Connection, class_id: i64, number: u32) -> Result<()> {
    let name = format!("o{class_id}_p{number}");
    Ok(connection.execute_batch(&format!(
        "DROP INDEX IF EXISTS {name};
         DROP TRIGGER IF EXISTS {name}_words_insert;
         DROP TRIGGER IF EXISTS {name}_words_delete;
         DROP TRIGGER IF EXISTS {name}_words_update;
         DROP TABLE IF EXISTS {name}_words_pending;
         DROP TABLE IF EXISTS {name}_words;"
    ))?)
}

impl ClassTable {
    /// Brings the words of the class's full-text indexes up to date.
    pub(crate) fn index_words(&self, connection: &Connection) -> Result<()> {
        let is_searched = |column: &&Column| column.index == Some(IndexKind::FullText);
        for column in self.columns.iter().filter(is_searched) {
            let class = self.table();
            let (name, words) = (column.sql_name(), words_table(&class, column));
            let run = |sql: &str| connection.prepare_cached(sql)?.execute([]);
            let any = format!("SELECT EXISTS (SELECT 1 FROM {words}_pending)");
            if !connection.prepare_cached(&any)?.query_row([], |row| row.get(0))? {
                continue;
            }
            run(&format!(
                "DELETE FROM {words} WHERE rowid IN (SELECT row_id FROM {words}_pending)"
            ))?;
            // In order of the rows, as FTS5 wants it: one that goes back makes it begin a segment.
            run(&format!(
                "INSERT INTO {words} (rowid, words)
                 SELECT row_id, skerry_words({name}) FROM {words}_pending CROSS JOIN {class} USING (row_id)
                 WHERE typeof({name}) = 'text' ORDER BY row_id"
            ))?;
            run(&format!("DELETE FROM {words}_pending"))?;
        }
        Ok(())
    }

    /// That a text is one that the query asks for, as an SQL condition on this class's table that is
    /// never null, with its two parameters. `None` when the property has no full-text index, or the
    /// query is so long that it is better evaluated.
    pub fn text_search(
        &self,
        property: &Name,
        query: &TextQuery,
    ) -> Option<(String, [SqlValue; 2])> {
        let column = self.column(property)?;
        if column.index != Some(IndexKind::FullText) {
            return None;
        }
        let count = query.words().len() + query.prefixes().len() + query.excluded().len();
        if count > SEARCH_WORDS_MAX {
            return None;
        }
        let class = self.table();
        let (name, words) = (column.sql_name(), words_table(&class, column));
        // Without a wanted word all others match, those without any text included.
        let (operator, not) = if query.wants_words() { ("IN", "") } else { ("NOT IN", "NOT ") };
        let sql = format!(
            "({class}.row_id {operator} (
                 SELECT rowid FROM {words}
                 WHERE {words} MATCH ? AND rowid NOT IN (SELECT row_id FROM {words}_pending)
                 UNION ALL SELECT row_id FROM {words}_pending CROSS JOIN {class} USING (row_id)
                 WHERE {not}skerry_finds(?, {name})))"
        );
        let parameters = [match_text(query), query.source().to_owned()].map(SqlValue::Text);
        Some((sql, parameters))
    }
}

/// What FTS5 is to look for: what the query wants, without what it excludes; the latter alone when
/// it wants nothing. Quoted, for its own language has words too.
fn match_text(query: &TextQuery) -> String {
    let word = |token: &skerry_query::text::Token| format!("\"{WORD_MARK}{}\"", token.as_str());
    let wanted = query.words().iter().map(word);
    let wanted = wanted.chain(query.prefixes().iter().map(|start| format!("{} *", word(start))));
    let wanted = wanted.collect::<Vec<_>>().join(" AND ");
    let excluded = query.excluded().iter().map(word).collect::<Vec<_>>().join(" OR ");
    match (wanted.is_empty(), excluded.is_empty()) {
        (false, false) => format!("({wanted}) NOT ({excluded})"),
        (true, _) => excluded,
        (false, true) => wanted,
    }
}
