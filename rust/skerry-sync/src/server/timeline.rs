//! The views of one client over the versions of the history, and the course of an object through them.
//!
//! "In view at b" means the view that was in force at b, which is why definitions are kept from each
//! bootstrap on until the client's base has passed them (design 6).

use std::sync::Arc;

use skerry_model::{ObjectRef, QueryVersion, ServerVersion};
use skerry_store::server::FieldValues;

use super::view::{Presence, View};

/// A view in force from a version on.
#[derive(Clone, Debug)]
pub struct Term {
    /// From here on.
    pub from: ServerVersion,
    /// The subscription set that asked for it.
    pub query_version: QueryVersion,
    /// Its canonical text.
    pub text: String,
    /// The view.
    pub view: Arc<View>,
}

/// The views of one client, ascending by version. Before the first, nothing is in view.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    terms: Vec<Term>,
    nothing: Arc<View>,
}

/// What one version did to an object.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The version.
    pub version: ServerVersion,
    /// Its queryable values afterwards.
    pub after: Option<&'a FieldValues>,
    /// See [`skerry_store::server::Touch::ghost`].
    pub ghost: Option<&'a FieldValues>,
    /// Whether the client itself did it.
    pub is_own: bool,
}

/// What became of an object over some versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// Where it was at the beginning.
    pub start: Presence,
    /// Where it is at the end.
    pub end: Presence,
    /// Whether it ever was outside the view.
    pub was_outside: bool,
    /// The version at which it first ceased to be inside, by leaving or by being erased.
    pub left_at: Option<ServerVersion>,
    /// The version at which it first went from outside to inside.
    pub entered_at: Option<ServerVersion>,
}

impl Timeline {
    /// A timeline of these terms, which ascend.
    pub fn new(terms: Vec<Term>) -> Self {
        Self { terms, nothing: Arc::default() }
    }

    /// Puts a view in force from a version on, which is not below the last one.
    pub fn push(&mut self, term: Term) {
        self.terms.push(term);
    }

    /// Replaces whatever came into force after a version by one term.
    pub fn replace_after(&mut self, version: ServerVersion, term: Term) {
        self.terms.retain(|earlier| earlier.from <= version);
        self.terms.push(term);
    }

    /// The newest term.
    pub fn latest(&self) -> Option<&Term> {
        self.terms.last()
    }

    /// The view in force at a version.
    pub fn at(&self, version: ServerVersion) -> &Arc<View> {
        let term = self.terms.iter().rev().find(|term| term.from <= version);
        term.map_or(&self.nothing, |term| &term.view)
    }

    /// The views that came into force in `after < version <= up_to`.
    pub fn changes(
        &self,
        after: ServerVersion,
        up_to: ServerVersion,
    ) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| after < term.from && term.from <= up_to)
    }

    /// The version at which the client's stream begins. It has seen nothing of what went before.
    pub fn begins(&self) -> ServerVersion {
        self.terms.first().map_or(ServerVersion(0), |term| term.from)
    }

    /// Whether an erase of an object that existed neither before nor after belongs to the client's stream:
    /// only if it could have seen the object when that last existed.
    pub fn passes_ghost(
        &self,
        object: &ObjectRef,
        version: ServerVersion,
        ghost: Option<&FieldValues>,
    ) -> bool {
        self.at(version).presence(object, ghost) == Presence::Inside
    }

    /// Whether nothing was in view at any version of `after <= version <= up_to`.
    pub fn is_blank(&self, after: ServerVersion, up_to: ServerVersion) -> bool {
        let is_empty = |view: &View| view.classes().next().is_none();
        is_empty(self.at(after)) && self.changes(after, up_to).all(|term| is_empty(&term.view))
    }

    /// Forgets terms that ended at or before `base`.
    pub fn trim(&mut self, base: ServerVersion) {
        let keep = self.terms.iter().rposition(|term| term.from <= base).unwrap_or(0);
        self.terms.drain(..keep);
    }

    /// The course of an object over `after < version <= up_to`, from its queryable values at `after` and
    /// what each version that touched it did, ascending.
    pub fn course<'a>(
        &self,
        object: &ObjectRef,
        after: ServerVersion,
        up_to: ServerVersion,
        start: Option<&'a FieldValues>,
        steps: impl IntoIterator<Item = Step<'a>>,
    ) -> Course {
        let mut view = self.at(after);
        let mut fields = start;
        let first = view.presence(object, fields);
        let mut course = Course {
            start: first,
            end: first,
            was_outside: first == Presence::Outside,
            left_at: None,
            entered_at: None,
        };
        let mut changes = self.changes(after, up_to).peekable();
        for Step { version, after: values, ghost, is_own } in steps {
            // A view that comes into force at a version follows what others did up to it.
            while let Some(term) = changes.next_if(|term| term.from < version) {
                view = &term.view;
                course.step(term.from, view.presence(object, fields));
            }
            if fields.is_none()
                && values.is_none()
                && view.presence(object, ghost) == Presence::Inside
            {
                // It came and went in between, and took the client's own creation with it.
                course.left_at.get_or_insert(version);
            }
            fields = values;
            course.step(version, view.presence(object, fields));
            if is_own && course.end == Presence::Outside {
                // The rules have changed since it was accepted: the client holds what it may not see.
                course.left_at.get_or_insert(version);
            }
        }
        for term in changes {
            course.step(term.from, term.view.presence(object, fields));
        }
        course
    }
}

impl Course {
    fn step(&mut self, version: ServerVersion, next: Presence) {
        if self.end == Presence::Inside && next != Presence::Inside {
            self.left_at.get_or_insert(version);
        }
        if self.was_outside && self.end != Presence::Inside && next == Presence::Inside {
            self.entered_at.get_or_insert(version);
        }
        self.was_outside |= next == Presence::Outside;
        self.end = next;
    }

    /// The same course, with the client being without the object at a version.
    #[must_use]
    pub fn with_absence(mut self, version: ServerVersion) -> Self {
        self.was_outside = true;
        if self.end == Presence::Inside {
            self.entered_at = Some(self.entered_at.map_or(version, |entered| entered.min(version)));
        }
        self
    }

    /// The version at which it has to be taken from the client: it was there, and whatever followed was not
    /// all for this client's eyes.
    pub fn must_be_erased_at(&self) -> Option<ServerVersion> {
        let is_gone = self.was_outside && self.end != Presence::Inside;
        if is_gone { self.left_at } else { None }
    }

    /// Whether the client has to be given the object anew: it is in view, but was not all the time.
    pub fn must_be_sent_whole(&self) -> bool {
        self.was_outside && self.end == Presence::Inside
    }
}
