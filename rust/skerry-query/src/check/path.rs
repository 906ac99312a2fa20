//! Resolving paths: which property, which class, what is inside (sync-engine 8.3).

use skerry_model::{ClassSchema, CollectionType, Name, Property, PropertyType, Schema, Value};

use super::{Checker, Kind, Scope};
use crate::adapt::type_name;
use crate::ast::{Aggregate, Element, ElementKind, Index, Operation, Path, Quantifier};
use crate::error::QueryError;
use crate::expression::{End, Hop, PathExpr, PathOperation, Selector};
use crate::limits::PATH_MAX_ELEMENTS;
use crate::predicate::PropertyRef;
use crate::query::Argument;

/// A resolved path and the kind of its values.
pub(super) struct Resolved {
    pub(super) path: PathExpr,
    pub(super) kind: Kind,
}

/// What has been resolved so far.
struct Walk<'a> {
    /// The class before each hop, and behind the last.
    classes: Vec<&'a ClassSchema>,
    hops: Vec<Hop>,
    end: Option<(&'a ClassSchema, &'a Property, Vec<Selector>)>,
    /// `.length` behind a collection of text.
    is_length: bool,
    is_incoming: bool,
}

impl<'a> Walk<'a> {
    fn class(&self) -> &'a ClassSchema {
        self.classes.last().expect("the class that is queried stays")
    }

    fn hop(&mut self, hop: Hop, class: &'a ClassSchema) {
        self.hops.push(hop);
        self.classes.push(class);
    }

    /// Where the key of the dictionary goes that the last hop leads over, unless it has one.
    fn open_dictionary(&mut self) -> Option<&mut Option<Selector>> {
        match self.hops.last_mut()? {
            Hop::Link { property, selector, .. }
                if property.collection == CollectionType::Dictionary && selector.is_none() =>
            {
                Some(selector)
            }
            Hop::Link { .. } | Hop::Backlinks { .. } => None,
        }
    }

    /// Makes of the last hop, which leads over a property, what is selected of the property.
    fn end_with(&mut self, selector: Selector) {
        let Some(Hop::Link { property, .. }) = self.hops.pop() else { return };
        self.classes.pop();
        let class = self.class();
        self.end = Some((class, &class.properties[property.index], vec![selector]));
    }
}

impl<'s> Checker<'s> {
    pub(super) fn path(&self, scope: &Scope<'s, '_>, path: &Path) -> Result<Resolved, QueryError> {
        let elements = self.expanded(path)?;
        let elements = scope.without_variable(&elements)?;
        let mut walk = Walk {
            classes: vec![scope.class],
            hops: Vec::new(),
            end: None,
            is_length: false,
            is_incoming: false,
        };
        let mut rest = elements;
        while let Some((element, after)) = rest.split_first() {
            rest = self.step(&mut walk, element, after)?;
        }
        self.finish(walk, path)
    }

    /// The elements, with the names of a key-path argument in its place.
    fn expanded(&self, path: &Path) -> Result<Vec<Element>, QueryError> {
        let [Element { kind: ElementKind::KeyPath(index), position }] = path.elements.as_slice()
        else {
            let mixed = path.elements.iter().find(|e| matches!(e.kind, ElementKind::KeyPath(_)));
            return match mixed {
                None => Ok(path.elements.clone()),
                Some(element) if element.position == path.position => {
                    let what = "a key-path argument stands alone, without other elements";
                    Err(QueryError::unsupported(what, element.position))
                }
                Some(element) => Err(QueryError::Unexpected {
                    expected: "the name of a property",
                    found: "a key-path argument".to_owned(),
                    position: element.position,
                }),
            };
        };
        let Argument::Value(Value::String(text)) = self.argument(*index, *position)? else {
            let what = format!("argument $K{index} is a path and so must be text");
            return Err(QueryError::bad_argument(what, *position));
        };
        let names: Vec<Element> = text
            .split('.')
            .map(|name| {
                let kind = match name {
                    "@links" => ElementKind::Links,
                    "@keys" => ElementKind::Keys,
                    "@values" => ElementKind::Values,
                    name => ElementKind::Name(Name::from(name)),
                };
                Element { kind, position: *position }
            })
            .take(PATH_MAX_ELEMENTS + 1)
            .collect();
        if names.len() > PATH_MAX_ELEMENTS {
            let max_elements = PATH_MAX_ELEMENTS;
            return Err(QueryError::ListTooLong { max_elements, position: *position });
        }
        Ok(names)
    }

    /// Takes one element, and for `@links` those that belong to it; gives what is left.
    fn step<'e>(
        &self,
        walk: &mut Walk<'s>,
        element: &Element,
        after: &'e [Element],
    ) -> Result<&'e [Element], QueryError> {
        let position = element.position;
        if walk.is_length {
            let what = "nothing can be taken of the length of a text";
            return Err(QueryError::invalid_property(what, position));
        }
        if let Some((class, property, selectors)) = &mut walk.end {
            match inner(class, property, selectors, &element.kind) {
                Inner::Selector(selector) => selectors.push(selector_of(self, selector, position)?),
                Inner::Length => walk.is_length = true,
                Inner::NoMember => return Err(no_member(class, property, element)),
                Inner::NoIndex => return Err(no_index(class, property, position)),
                Inner::NotNested => return Err(not_nested(class, property, position)),
            }
            return Ok(after);
        }
        match &element.kind {
            ElementKind::Name(name) => self.name(walk, name, position).map(|()| after),
            ElementKind::Links => self.backlinks(walk, after, position),
            ElementKind::Index(index) => self.index(walk, index, position).map(|()| after),
            ElementKind::Values if walk.open_dictionary().is_some() => Ok(after),
            ElementKind::Keys if walk.open_dictionary().is_some() => {
                walk.end_with(Selector::Keys);
                Ok(after)
            }
            ElementKind::Keys | ElementKind::Values => {
                let what = "only dictionaries have @keys and @values";
                Err(QueryError::invalid_property(what, position))
            }
            ElementKind::KeyPath(_) => {
                let what = "a key-path argument stands alone, without other elements";
                Err(QueryError::unsupported(what, position))
            }
        }
    }

    fn name(&self, walk: &mut Walk<'s>, name: &Name, position: usize) -> Result<(), QueryError> {
        let class = walk.class();
        let Some(property) = self.schema.property_named(class, name) else {
            if let Some(selector) = walk.open_dictionary() {
                *selector = Some(Selector::Name(name.clone()));
                return Ok(());
            }
            return Err(QueryError::UnknownProperty {
                class: class.name.clone(),
                property: name.to_string(),
                position,
            });
        };
        match property.target.as_deref().and_then(|target| self.schema.class(target)) {
            Some(target) => {
                let property =
                    PropertyRef::resolve(class, &property.name).expect("the class has it");
                let (class, is_embedded) = (target.name.clone(), target.embedded);
                let hop = Hop::Link { property, class, selector: None, is_embedded };
                walk.hop(hop, target);
            }
            None => walk.end = Some((class, property, Vec::new())),
        }
        Ok(())
    }

    /// `@links.Class.property`, or `@links` alone before `@count`.
    fn backlinks<'e>(
        &self,
        walk: &mut Walk<'s>,
        after: &'e [Element],
        position: usize,
    ) -> Result<&'e [Element], QueryError> {
        let target = walk.class();
        if after.is_empty() {
            walk.is_incoming = true;
            return Ok(after);
        }
        let [
            Element { kind: ElementKind::Name(class), .. },
            Element { kind: ElementKind::Name(property), .. },
            rest @ ..,
        ] = after
        else {
            let what = "@links wants a class and one of its properties behind it";
            return Err(QueryError::invalid_property(what, position));
        };
        let unknown = || {
            let what = format!(
                "there is no property \"{class}.{property}\" that links to class \"{}\"",
                target.name
            );
            QueryError::invalid_property(what, position)
        };
        let origin = self.schema.class_named(class).ok_or_else(unknown)?;
        let leads_here = |found: &&Property| found.target.as_ref() == Some(&target.name);
        let found = self.schema.property_named(origin, property).filter(leads_here);
        let property = &found.ok_or_else(unknown)?.name;
        let property = PropertyRef::resolve(origin, property).ok_or_else(unknown)?;
        let (target, class) = (target.name.clone(), origin.name.clone());
        walk.hop(Hop::Backlinks { target, class, property }, origin);
        Ok(rest)
    }

    /// An index behind a property that leads to other objects.
    fn index(&self, walk: &mut Walk<'s>, index: &Index, position: usize) -> Result<(), QueryError> {
        let class = walk.class().name.clone();
        let Some(Hop::Link { property, selector, .. }) = walk.hops.last_mut() else {
            let what = format!("objects of class \"{class}\" take no index");
            return Err(QueryError::unsupported(what, position));
        };
        if selector.is_some() {
            let what = format!("property \"{}\" takes one index", property.name);
            return Err(QueryError::unsupported(what, position));
        }
        let found = selector_of(self, index.clone().into(), position)?;
        let fits = match (&found, property.collection) {
            (Selector::Every, CollectionType::Single) => false,
            (Selector::Every, _)
            | (Selector::Key(_), CollectionType::Dictionary)
            | (Selector::Position(_) | Selector::First | Selector::Last, CollectionType::List) => {
                true
            }
            (Selector::Key(key), _) => {
                let what = format!("property \"{}\" has no member \"{key}\"", property.name);
                return Err(QueryError::invalid_property(what, position));
            }
            _ => false,
        };
        if !fits {
            let what = format!("property \"{}\" takes no such index", property.name);
            return Err(QueryError::unsupported(what, position));
        }
        if found != Selector::Every {
            *selector = Some(found);
        }
        Ok(())
    }

    fn finish(&self, mut walk: Walk<'s>, path: &Path) -> Result<Resolved, QueryError> {
        let position = path.position;
        if let (None, Some(Hop::Link { property, selector: Some(selector), .. })) =
            (&walk.end, walk.hops.last())
        {
            if property.collection != CollectionType::Dictionary {
                let what = format!("an element of \"{}\" is no value", property.name);
                return Err(QueryError::unsupported(what, position));
            }
            let selector = selector.clone();
            walk.end_with(selector);
        }
        let Walk { end, is_length, is_incoming, .. } = &walk;
        let kind = self.kind_of_end(&walk);
        let (operation, kind) = match &path.operation {
            None if *is_incoming => {
                let what = "@links alone is no value; what can be asked of it is @count";
                return Err(QueryError::Unexpected {
                    expected: "a class or @count behind @links",
                    found: what.to_owned(),
                    position,
                });
            }
            None if *is_length => (Some(PathOperation::Length), Kind::Value(PropertyType::Int)),
            None => (None, kind),
            Some(operation) => {
                let (operation, kind) = self.operation(&walk, &kind, operation, position)?;
                (Some(operation), kind)
            }
        };
        let is_list = is_list(&walk, operation.as_ref());
        let end = match end {
            _ if *is_incoming => End::Incoming(walk.class().name.clone()),
            None => End::Objects,
            Some((class, property, selectors)) => End::Property {
                property: PropertyRef::resolve(class, &property.name).expect("the class has it"),
                selectors: selectors.clone(),
            },
        };
        let found =
            PathExpr { quantifier: path.quantifier, hops: walk.hops, end, operation, is_list };
        check_quantifier(&found, position)?;
        Ok(Resolved { path: found, kind })
    }

    fn kind_of_end(&self, walk: &Walk<'s>) -> Kind {
        let Some((_, property, selectors)) = &walk.end else {
            let class = walk.class();
            let name = class.name.clone();
            return if class.embedded { Kind::Embedded(name) } else { Kind::Link(name) };
        };
        if selectors.last() == Some(&Selector::Keys) && property.ty != PropertyType::Mixed {
            return Kind::Value(PropertyType::String);
        }
        match property.target.as_deref().and_then(|target| self.schema.class(target)) {
            Some(target) if target.embedded => Kind::Embedded(target.name.clone()),
            Some(target) => Kind::Link(target.name.clone()),
            // The engine takes the values of any dictionary for mixed.
            None if property.collection == CollectionType::Dictionary => {
                Kind::Value(PropertyType::Mixed)
            }
            None => Kind::Value(property.ty),
        }
    }

    fn operation(
        &self,
        walk: &Walk<'s>,
        kind: &Kind,
        operation: &Operation,
        position: usize,
    ) -> Result<(PathOperation, Kind), QueryError> {
        let not_for = |name: &str| {
            let what = format!("{name} is not defined for {}", kind.describe());
            QueryError::unsupported(what, position)
        };
        match operation {
            Operation::Type => Ok((PathOperation::Type, Kind::Type)),
            Operation::Count => {
                let counted = Ok((PathOperation::Count, Kind::Value(PropertyType::Int)));
                let Some((_, property, selectors)) = &walk.end else {
                    let has_objects = walk.is_incoming || !walk.hops.is_empty();
                    return if has_objects { counted } else { Err(not_for("@count")) };
                };
                let whole = property.collection != CollectionType::Single
                    && matches!(selectors.as_slice(), [] | [Selector::Values | Selector::Keys]);
                let sized = matches!(
                    kind,
                    Kind::Value(PropertyType::String | PropertyType::Binary | PropertyType::Mixed)
                );
                if whole || sized { counted } else { Err(not_for("@count")) }
            }
            Operation::Aggregate(aggregate, None) => {
                let kind = match (&walk.end, kind) {
                    (Some((_, property, selectors)), Kind::Value(_))
                        if property.collection != CollectionType::Single
                            && matches!(selectors.as_slice(), [] | [Selector::Values]) =>
                    {
                        aggregate_kind(*aggregate, property.ty, false)
                    }
                    _ => None,
                };
                let kind = kind.ok_or_else(|| not_for(aggregate_name(*aggregate)))?;
                Ok((PathOperation::Aggregate(*aggregate, None), kind))
            }
            Operation::Aggregate(aggregate, Some(name)) => {
                aggregate_of((self.schema, walk), *aggregate, name, position)
            }
        }
    }
}

/// `links.@sum.property`
fn aggregate_of(
    (schema, walk): (&Schema, &Walk<'_>),
    aggregate: Aggregate,
    name: &Name,
    position: usize,
) -> Result<(PathOperation, Kind), QueryError> {
    let word = aggregate_name(aggregate);
    if walk.end.is_some() || walk.is_incoming || !walk.hops.iter().any(Hop::is_multiple) {
        let what = format!("{word} of a property wants a path to several objects before it");
        return Err(QueryError::unsupported(what, position));
    }
    let class = walk.class();
    let Some(property) = schema.property_named(class, name) else {
        let (class, property) = (class.name.clone(), name.to_string());
        return Err(QueryError::UnknownProperty { class, property, position });
    };
    let kind = match property.collection {
        CollectionType::Single => aggregate_kind(aggregate, property.ty, true),
        _ => None,
    };
    let Some(kind) = kind else {
        let ty = type_name(property.ty);
        let what = format!("{word} is not defined for property \"{name}\" of type {ty}");
        return Err(QueryError::unsupported(what, position));
    };
    let property = PropertyRef::resolve(class, &property.name).expect("the class has it");
    Ok((PathOperation::Aggregate(aggregate, Some(property)), kind))
}

/// What an element behind a property is.
enum Inner {
    Selector(RawSelector),
    Length,
    NoMember,
    NoIndex,
    NotNested,
}

/// A selector whose argument is not put in yet.
enum RawSelector {
    Ready(Selector),
    Argument(usize),
}

impl From<Index> for RawSelector {
    fn from(index: Index) -> Self {
        Self::Ready(match index {
            Index::Position(position) => Selector::Position(position),
            Index::First => Selector::First,
            Index::Last => Selector::Last,
            Index::Every => Selector::Every,
            Index::Key(key) => Selector::Key(key),
            Index::Argument(index) => return Self::Argument(index),
        })
    }
}

fn selector_of(
    checker: &Checker<'_>,
    selector: RawSelector,
    position: usize,
) -> Result<Selector, QueryError> {
    let index = match selector {
        RawSelector::Ready(selector) => return Ok(selector),
        RawSelector::Argument(index) => index,
    };
    match checker.argument(index, position)? {
        Argument::Value(Value::String(key)) => Ok(Selector::Key(key.clone())),
        Argument::Value(Value::Int(at)) if *at >= 0 => Ok(Selector::Position(at.unsigned_abs())),
        Argument::Value(_) | Argument::List(_) => {
            let what = format!("argument ${index} is an index and so a key or a position from 0");
            Err(QueryError::bad_argument(what, position))
        }
    }
}

/// What an element means behind a property and the selectors that it has already.
fn inner(
    checked: &ClassSchema,
    property: &Property,
    selectors: &[Selector],
    element: &ElementKind,
) -> Inner {
    debug_assert!(checked.property(&property.name).is_some());
    let selector = match element {
        ElementKind::Name(name) => RawSelector::Ready(Selector::Name(name.clone())),
        ElementKind::Keys => RawSelector::Ready(Selector::Keys),
        ElementKind::Values => RawSelector::Ready(Selector::Values),
        ElementKind::Index(index) => RawSelector::from(index.clone()),
        ElementKind::Links | ElementKind::KeyPath(_) => return Inner::NoMember,
    };
    let is_mixed = property.ty == PropertyType::Mixed;
    if !selectors.is_empty() || property.collection == CollectionType::Single {
        // Only dictionaries may be asked again for a key, and they have none inside.
        let nests = is_mixed || property.collection == CollectionType::Dictionary;
        return match property.collection {
            _ if nests => Inner::Selector(selector),
            CollectionType::Single => match element {
                ElementKind::Index(Index::Key(_)) | ElementKind::Name(_) => Inner::NoMember,
                ElementKind::Index(_) => Inner::NoIndex,
                _ => Inner::NoMember,
            },
            _ => Inner::NotNested,
        };
    }
    let is_text = matches!(property.ty, PropertyType::String | PropertyType::Binary);
    match (property.collection, &selector) {
        (CollectionType::Dictionary, RawSelector::Ready(selector)) => match selector {
            Selector::Position(_) | Selector::First | Selector::Last => Inner::NoIndex,
            _ => Inner::Selector(RawSelector::Ready(selector.clone())),
        },
        (CollectionType::Dictionary | CollectionType::List, RawSelector::Argument(_)) => {
            Inner::Selector(selector)
        }
        (_, RawSelector::Ready(Selector::Name(name)))
            if is_text && name.eq_ignore_ascii_case("length") =>
        {
            Inner::Length
        }
        (_, RawSelector::Ready(Selector::Every)) => Inner::Selector(selector),
        (CollectionType::List, RawSelector::Ready(found)) => match found {
            Selector::Position(_) | Selector::First | Selector::Last => Inner::Selector(selector),
            _ => Inner::NoMember,
        },
        (
            _,
            RawSelector::Ready(
                Selector::Name(_) | Selector::Key(_) | Selector::Keys | Selector::Values,
            ),
        ) => Inner::NoMember,
        _ => Inner::NoIndex,
    }
}

fn no_member(class: &ClassSchema, property: &Property, element: &Element) -> QueryError {
    let member = match &element.kind {
        ElementKind::Name(name) => name.to_string(),
        ElementKind::Links => "@links".to_owned(),
        ElementKind::Keys => "@keys".to_owned(),
        ElementKind::Values => "@values".to_owned(),
        ElementKind::KeyPath(index) => format!("$K{index}"),
        ElementKind::Index(Index::Key(key)) => key.to_string(),
        ElementKind::Index(_) => "an index".to_owned(),
    };
    let what = format!("property \"{}.{}\" has no member \"{member}\"", class.name, property.name);
    QueryError::invalid_property(what, element.position)
}

fn no_index(class: &ClassSchema, property: &Property, position: usize) -> QueryError {
    let what = format!("property \"{}.{}\" takes no such index", class.name, property.name);
    QueryError::unsupported(what, position)
}

fn not_nested(class: &ClassSchema, property: &Property, position: usize) -> QueryError {
    let what = format!(
        "property \"{}.{}\" is not of type mixed, so nothing is inside of its elements",
        class.name, property.name
    );
    QueryError::unsupported(what, position)
}

/// Whether a path may give several values. A number of elements and an aggregate are one for each
/// collection, and one of a property of objects is one for all of them.
fn is_list(walk: &Walk<'_>, operation: Option<&PathOperation>) -> bool {
    let are_many = |hops: &[Hop]| hops.iter().any(Hop::is_multiple);
    let Some((_, property, selectors)) = &walk.end else {
        return match (operation, walk.hops.split_last()) {
            (Some(PathOperation::Aggregate(..)), _) => false,
            (Some(PathOperation::Count), Some((_, before))) if !walk.is_incoming => {
                are_many(before)
            }
            _ => are_many(&walk.hops),
        };
    };
    let is_one = match operation {
        Some(PathOperation::Count | PathOperation::Aggregate(..)) => {
            matches!(selectors.as_slice(), [] | [Selector::Values | Selector::Keys])
        }
        Some(PathOperation::Type | PathOperation::Length) | None => false,
    };
    are_many(&walk.hops) || (!is_one && end_is_list(property, selectors))
}

/// Whether a property and what is selected of it may give several values.
fn end_is_list(property: &Property, selectors: &[Selector]) -> bool {
    let many = selectors.iter().any(Selector::is_multiple);
    let by_key = matches!(selectors, [Selector::Key(_) | Selector::Name(_), ..]);
    match property.collection {
        CollectionType::Single => many,
        CollectionType::List | CollectionType::Set => true,
        CollectionType::Dictionary => many || !by_key,
    }
}

/// A quantifier wants several values, or an object.
fn check_quantifier(path: &PathExpr, position: usize) -> Result<(), QueryError> {
    let Some(quantifier) = path.quantifier else { return Ok(()) };
    let has_list = match &path.end {
        End::Objects => true,
        End::Incoming(_) => path.hops.iter().any(Hop::is_multiple),
        End::Property { property, selectors } => {
            property.collection != CollectionType::Single
                || path.hops.iter().any(Hop::is_multiple)
                || selectors.iter().any(Selector::is_multiple)
        }
    };
    if has_list {
        return Ok(());
    }
    let word = match quantifier {
        Quantifier::Any => "ANY",
        Quantifier::All => "ALL",
        Quantifier::None => "NONE",
    };
    let what = format!("the path behind {word} must contain a list");
    Err(QueryError::unsupported(what, position))
}

fn aggregate_name(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Min => "@min",
        Aggregate::Max => "@max",
        Aggregate::Sum => "@sum",
        Aggregate::Average => "@avg",
    }
}

/// The kind of an aggregate over values of a type; `None` where there is none. Dates have a least and
/// a greatest where they are properties of objects, and not in collections of dates.
fn aggregate_kind(aggregate: Aggregate, ty: PropertyType, of_objects: bool) -> Option<Kind> {
    let is_limit = matches!(aggregate, Aggregate::Min | Aggregate::Max);
    let found = match (ty, aggregate) {
        (PropertyType::Timestamp, _) if is_limit && of_objects => PropertyType::Timestamp,
        (
            PropertyType::Int
            | PropertyType::Float
            | PropertyType::Double
            | PropertyType::Decimal
            | PropertyType::Mixed,
            _,
        ) if is_limit => ty,
        (PropertyType::Int, Aggregate::Sum) => PropertyType::Int,
        (PropertyType::Int | PropertyType::Float | PropertyType::Double, _) => PropertyType::Double,
        (PropertyType::Decimal | PropertyType::Mixed, _) => PropertyType::Decimal,
        _ => return None,
    };
    Some(Kind::Value(found))
}
