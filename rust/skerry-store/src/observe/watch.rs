//! What of an object is watched: everything up to some links away, or what key paths say.
//!
//! A key path is names of properties with dots between, `*` for every property of an object:
//! `name`, `owner.name`, `owner.*`. Each property on the way is watched itself, so that `owner.name`
//! tells when there is another owner. A path that ends with a link watches which object it leads to,
//! nothing in it. Inside of embedded objects a change is told by the property that they are in,
//! whichever of theirs it was.
//!
//! Invariant: a path is refused by name when it leads nowhere in the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use skerry_model::{ClassSchema, Name, PropertyType, Schema};

use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, LinkTargets, ObjectTables, link_targets};

/// Links up to which changes are seen when there are no key paths (client-api 2.3).
pub const DEPTH_MAX: u32 = 4;

/// Key paths that one observer takes.
pub const KEY_PATHS_MAX: usize = 256;

/// Names in one key path.
pub const KEY_PATH_PARTS_MAX: usize = 16;

/// Every property.
const WILDCARD: &str = "*";

/// Key paths as they were given; `None` watches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPaths(pub(super) Option<Vec<String>>);

/// What is watched, in terms of the tables of a file.
#[derive(Clone, Debug)]
pub(super) enum Watch {
    /// Everything up to `depth` links away.
    Deep {
        /// Number of the class.
        class_id: i64,
        /// Links.
        depth: u32,
        /// The fewest links that lead to each class, by number.
        reach: BTreeMap<i64, u32>,
    },
    /// What key paths say.
    Paths {
        /// All places on the paths.
        nodes: Arc<[Node]>,
        /// The one where they begin.
        root: usize,
    },
}

/// A place on key paths: an object of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Number of the class.
    pub(super) class_id: i64,
    /// Numbers of the properties that are watched.
    pub(super) numbers: BTreeSet<u32>,
    /// Where paths go on: over links in the property of this number, to that node.
    pub(super) links: Vec<(u32, usize)>,
}

impl Watch {
    /// What key paths from objects of a class watch.
    pub(super) fn compile(
        tables: &ObjectTables,
        table: &ClassTable,
        key_paths: &KeyPaths,
    ) -> Result<Self> {
        let Some(texts) = &key_paths.0 else { return Ok(Self::deep(tables, table, DEPTH_MAX)) };
        let paths = parse(tables.catalogue().schema(), &table.schema, texts)?;
        let mut compiler = Compiler { tables, nodes: Vec::new(), known: FxHashMap::default() };
        let root = compiler.node(table, &paths.iter().map(Vec::as_slice).collect());
        Ok(Self::Paths { nodes: compiler.nodes.into(), root })
    }

    /// Everything up to `depth` links away.
    pub(super) fn deep(tables: &ObjectTables, table: &ClassTable, depth: u32) -> Self {
        let (catalogue, schema) = (tables.catalogue(), tables.catalogue().schema());
        let mut reach = BTreeMap::from([(table.id, 0)]);
        let mut here = vec![table];
        for hops in 1..=depth {
            let mut next = Vec::new();
            for property in here.iter().flat_map(|class| &class.schema.properties) {
                let targets: Vec<&ClassTable> = match link_targets(schema, property) {
                    LinkTargets::Every => catalogue.classes().collect(),
                    LinkTargets::These(names) => {
                        names.into_iter().filter_map(|name| catalogue.class(name)).collect()
                    }
                };
                for target in targets {
                    reach.entry(target.id).or_insert_with(|| {
                        next.push(target);
                        hops
                    });
                }
            }
            here = next;
        }
        Self::Deep { class_id: table.id, depth, reach }
    }

    /// What is watched of the objects to which links in a property lead, by number of their class.
    pub(super) fn beyond(&self, number: u32) -> Vec<(i64, Self)> {
        let Self::Paths { nodes, root } = self else { return Vec::new() };
        let links = nodes[*root].links.iter().filter(|link| link.0 == number);
        let beyond = links.map(|&(_, node)| {
            (nodes[node].class_id, Self::Paths { nodes: Arc::clone(nodes), root: node })
        });
        beyond.collect()
    }
}

type Path<'p> = Vec<&'p str>;

fn parse<'p>(schema: &Schema, class: &ClassSchema, texts: &'p [String]) -> Result<Vec<Path<'p>>> {
    let refuse = |path: &str, reason: String| StoreError::KeyPath {
        class: class.name.clone(),
        path: path.to_owned(),
        reason,
    };
    if texts.len() > KEY_PATHS_MAX {
        let reason = format!("{} key paths are given, at most {KEY_PATHS_MAX} may be", texts.len());
        return Err(refuse(&texts[KEY_PATHS_MAX], reason));
    }
    let parsed = texts.iter().map(|text| {
        let path: Path<'p> = text.split('.').collect();
        if path.len() > KEY_PATH_PARTS_MAX {
            let reason =
                format!("it has {} names, at most {KEY_PATH_PARTS_MAX} may be", path.len());
            return Err(refuse(text, reason));
        }
        check(schema, class, &path, &mut FxHashMap::default())
            .map_err(|reason| refuse(text, reason))?;
        Ok(path)
    });
    parsed.collect()
}

/// What is known of paths from a class, by how many names are left of them.
type Checked<'s> = FxHashMap<(&'s str, usize), bool>;

/// Whether a path leads somewhere, or why not.
fn check<'s>(
    schema: &'s Schema,
    class: &'s ClassSchema,
    path: &[&str],
    known: &mut Checked<'s>,
) -> Result<(), String> {
    let Some((&name, rest)) = path.split_first() else { return Ok(()) };
    if name == WILDCARD {
        if rest.is_empty() {
            return Ok(());
        }
        let leads = |property| {
            let Some(target) = target_of(schema, property) else { return false };
            let place = (&*target.name, rest.len());
            if let Some(&leads) = known.get(&place) {
                return leads;
            }
            let leads = check(schema, target, rest, known).is_ok();
            known.insert(place, leads);
            leads
        };
        if class.properties.iter().any(leads) {
            return Ok(());
        }
        return Err(format!("no link of class \"{}\" leads on to \"{}\"", class.name, rest[0]));
    }
    let Some(property) = schema.property_named(class, name) else {
        return Err(format!("class \"{}\" has no property \"{name}\"", class.name));
    };
    if rest.is_empty() {
        return Ok(());
    }
    let Some(target) = target_of(schema, property) else {
        return Err(format!(
            "property \"{}.{name}\" holds no objects, so \"{}\" cannot follow",
            class.name, rest[0]
        ));
    };
    check(schema, target, rest, known)
}

/// The class of the objects in a property, if it is known.
fn target_of<'s>(
    schema: &'s Schema,
    property: &'s skerry_model::Property,
) -> Option<&'s ClassSchema> {
    (property.ty == PropertyType::Link).then_some(())?;
    property.target.as_ref().and_then(|target| schema.class(target))
}

/// What is left of paths.
type Rests<'p> = BTreeSet<&'p [&'p str]>;

struct Compiler<'t, 'p> {
    tables: &'t ObjectTables,
    nodes: Vec<Node>,
    /// Paths share what they have in common, so that wildcards do not multiply.
    known: FxHashMap<(i64, Rests<'p>), usize>,
}

impl<'p> Compiler<'_, 'p> {
    /// Paths have been checked; what leads nowhere has come over a wildcard.
    fn node(&mut self, table: &ClassTable, paths: &Rests<'p>) -> usize {
        if let Some(&known) = self.known.get(&(table.id, paths.clone())) {
            return known;
        }
        let (mut numbers, mut links) = (BTreeSet::new(), Vec::new());
        for column in &table.columns {
            let rests = self.behind(&table.schema, &column.property, paths);
            if rests.is_empty() {
                continue;
            }
            numbers.insert(column.number);
            for (class, rests) in self.beyond(&column.property, &rests) {
                let Some(target) = self.tables.catalogue().class(&class).cloned() else { continue };
                links.push((column.number, self.node(&target, &rests)));
            }
        }
        self.nodes.push(Node { class_id: table.id, numbers, links });
        self.known.insert((table.id, paths.clone()), self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// What follows a property in paths that begin with it.
    fn behind(
        &self,
        class: &ClassSchema,
        property: &skerry_model::Property,
        paths: &Rests<'p>,
    ) -> Rests<'p> {
        let schema = self.tables.catalogue().schema();
        let rests = paths.iter().filter_map(|path| {
            let (&name, rest) = path.split_first()?;
            let is_meant = || schema.property_named(class, name) == Some(property);
            (name == WILDCARD || is_meant()).then_some(rest)
        });
        rests.collect()
    }

    /// Where paths go on over the links in a property, also those in embedded objects.
    fn beyond(
        &self,
        property: &skerry_model::Property,
        rests: &Rests<'p>,
    ) -> BTreeMap<Name, Rests<'p>> {
        let schema = self.tables.catalogue().schema();
        let mut found: BTreeMap<Name, Rests<'p>> = BTreeMap::new();
        let going_on = |rests: &Rests<'p>| -> Rests<'p> {
            rests.iter().copied().filter(|rest| !rest.is_empty()).collect()
        };
        // Every step takes a name from each path, so it ends however classes embed each other.
        let mut embedded = vec![(property, going_on(rests))];
        while let Some((property, rests)) = embedded.pop() {
            let Some(target) = target_of(schema, property).filter(|_| !rests.is_empty()) else {
                continue;
            };
            if target.embedded {
                for inner in &target.properties {
                    let behind = self.behind(target, inner, &rests);
                    embedded.push((inner, going_on(&behind)));
                }
            } else {
                found.entry(target.name.clone()).or_default().extend(rests);
            }
        }
        found
    }
}
