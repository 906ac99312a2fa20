"""Model classes: annotated Python classes and the schema made of them. No input or output."""

from skerry.model.backlinks import Backlinks
from skerry.model.collections import RealmDictionary, RealmList, RealmSet
from skerry.model.counter import Counter
from skerry.model.embedded import EmbeddedObject
from skerry.model.fields import backlinks, field, ignored, primary_key
from skerry.model.mixed import RealmValue
from skerry.model.objects import RealmObject, asdict, schema_of, where
from skerry.model.schema import Schema

__all__ = [
    "Backlinks",
    "Counter",
    "EmbeddedObject",
    "RealmDictionary",
    "RealmList",
    "RealmObject",
    "RealmSet",
    "RealmValue",
    "Schema",
    "asdict",
    "backlinks",
    "field",
    "ignored",
    "primary_key",
    "schema_of",
    "where",
]
