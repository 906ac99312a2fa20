//! The objects of a file as conditions reach them.
//!
//! What has been looked up is kept for the query that runs: objects up to a bound, and for each link
//! property over which backlinks were asked, who links to whom.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rusqlite::Connection;
use rustc_hash::FxHashMap;
use skerry_model::{Content, Link, Name, ObjectKey, ObjectRef, Schema};
use skerry_query::limits::{OBJECT_STEPS_MAX, STEPS_MAX};
use skerry_query::{Objects, Predicate, PropertyRef, QueryError, Row, Targets};

use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, ObjectTables, key_from_sql};

/// Objects that are kept at a time.
const KEPT_OBJECTS_MAX: usize = 10_000;

/// Who links to whom with one property: by the key of the target, in order of insertion.
type Referrers = FxHashMap<ObjectKey, Vec<ObjectKey>>;

/// The objects of one version of a file.
pub(super) struct StoredObjects<'a> {
    tables: &'a ObjectTables,
    connection: &'a Connection,
    objects: RefCell<FxHashMap<Link, Option<Arc<[Content]>>>>,
    referrers: RefCell<FxHashMap<(Name, Name), Arc<Referrers>>>,
    /// Steps on the present object, and on those before it.
    steps: Cell<(u64, u64)>,
    /// The traits cannot fail, so what went wrong waits here.
    error: RefCell<Option<StoreError>>,
}

impl<'a> StoredObjects<'a> {
    pub(super) fn new(tables: &'a ObjectTables, connection: &'a Connection) -> Self {
        Self {
            tables,
            connection,
            objects: RefCell::default(),
            referrers: RefCell::default(),
            steps: Cell::new((0, 0)),
            error: RefCell::new(None),
        }
    }

    /// Whether all of the conditions hold for an object, whose steps are counted by themselves.
    pub(super) fn admit(&self, row: &dyn Row, conditions: &[&Predicate]) -> bool {
        let (now, before) = self.steps.get();
        self.steps.set((0, before + now));
        conditions.iter().all(|condition| condition.matches(row, self))
    }

    /// What went wrong meanwhile, if anything did.
    pub(super) fn finish(self) -> Result<()> {
        self.error.into_inner().map_or(Ok(()), Err)
    }

    /// The same before the end.
    pub(super) fn check(&self) -> Result<()> {
        self.error.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Whether something went wrong already, so that nothing that is read counts.
    pub(super) fn has_failed(&self) -> bool {
        self.error.borrow().is_some()
    }

    fn noted<T>(&self, found: Result<T>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                self.error.borrow_mut().get_or_insert(error);
                None
            }
        }
    }

    fn read(&self, link: &Link) -> Result<Option<Arc<[Content]>>> {
        let Some(table) = self.tables.catalogue().class(&link.class) else { return Ok(None) };
        if table.key.check(&link.key).is_err() {
            return Ok(None);
        }
        let read = self.tables.read_visible(self.connection, &link.class, &link.key)?;
        Ok(read.map(Arc::from))
    }

    /// Those that link with one property that is a single link.
    fn by_scalar(
        &self,
        table: &ClassTable,
        property: &PropertyRef,
        target: &Link,
    ) -> Result<Vec<Link>> {
        let place = (table.schema.name.clone(), property.name.clone());
        let known = self.referrers.borrow().get(&place).cloned();
        let referrers = if let Some(known) = known {
            known
        } else {
            let read = Arc::new(self.read_referrers(table, property)?);
            self.referrers.borrow_mut().insert(place, Arc::clone(&read));
            read
        };
        let class = &table.schema.name;
        let keys = referrers.get(&target.key).map_or(&[][..], Vec::as_slice);
        Ok(keys.iter().map(|key| Link { class: class.clone(), key: key.clone() }).collect())
    }

    fn read_referrers(&self, table: &ClassTable, property: &PropertyRef) -> Result<Referrers> {
        let mut referrers = Referrers::default();
        let Some(column) = table.resolve(property).map(|position| &table.columns[position]) else {
            return Ok(referrers);
        };
        let Some(target_key) = column.target_key else { return Ok(referrers) };
        let (key, link) = (table.key_column().sql_name(), column.sql_name());
        let sql = format!(
            "SELECT {link}, {key} FROM {} WHERE {link} IS NOT NULL ORDER BY row_id",
            table.table()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let target = key_from_sql(target_key, row.get_ref(0)?)?;
            let origin = key_from_sql(table.key, row.get_ref(1)?)?;
            referrers.entry(target).or_default().push(origin);
        }
        Ok(referrers)
    }

    fn read_all_referrers(
        &self,
        target: &Link,
        of: Option<(&Name, &PropertyRef)>,
    ) -> Result<Vec<Link>> {
        if let Some((class, property)) = of
            && let Some(table) = self.tables.catalogue().class(class)
            && let Some(position) = table.resolve(property)
            && !table.columns[position].is_content
        {
            return self.by_scalar(table, property, target);
        }
        let object = ObjectRef { class: target.class.clone(), key: target.key.clone() };
        let mut referrers: Vec<Link> = Vec::new();
        for (holder, property) in self.tables.holders(self.connection, &object)? {
            let is_meant =
                of.is_none_or(|(class, wanted)| *class == holder.class && wanted.name == property);
            let link = Link { class: holder.class, key: holder.key };
            if is_meant && !referrers.contains(&link) {
                referrers.push(link);
            }
        }
        Ok(referrers)
    }
}

impl Targets for StoredObjects<'_> {
    fn exists(&self, link: &Link) -> bool {
        self.noted(self.tables.has_target(self.connection, link)).unwrap_or(false)
    }
}

impl Objects for StoredObjects<'_> {
    fn schema(&self) -> &Schema {
        self.tables.catalogue().schema()
    }

    fn object(&self, link: &Link) -> Option<Arc<[Content]>> {
        if let Some(known) = self.objects.borrow().get(link) {
            return known.clone();
        }
        let read = self.noted(self.read(link))?;
        let mut objects = self.objects.borrow_mut();
        if objects.len() >= KEPT_OBJECTS_MAX {
            objects.clear();
        }
        objects.insert(link.clone(), read.clone());
        read
    }

    fn referrers(&self, target: &Link, of: Option<(&Name, &PropertyRef)>) -> Vec<Link> {
        self.noted(self.read_all_referrers(target, of)).unwrap_or_default()
    }

    fn position(&self, link: &Link) -> Option<u64> {
        let position = self.noted(self.tables.position(self.connection, link))?;
        position.map(i64::cast_unsigned)
    }

    fn may_step(&self) -> bool {
        let (now, before) = self.steps.get();
        self.steps.set((now + 1, before));
        if now < OBJECT_STEPS_MAX && now + before < STEPS_MAX {
            return true;
        }
        let max_steps = if now < OBJECT_STEPS_MAX { STEPS_MAX } else { OBJECT_STEPS_MAX };
        self.error.borrow_mut().get_or_insert(QueryError::TooManySteps { max_steps }.into());
        false
    }
}
