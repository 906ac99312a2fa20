"""Model classes: annotated Python classes and the schema made of them. No input or output."""

from skerry.model.fields import field, primary_key
from skerry.model.objects import RealmObject, asdict, schema_of, where
from skerry.model.schema import Schema

__all__ = ["RealmObject", "Schema", "asdict", "field", "primary_key", "schema_of", "where"]
