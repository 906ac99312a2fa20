"""Skerry: an embedded object database whose replicas stay in step through a server you run."""

import skerry.errors as errors
from skerry.client.app import App
from skerry.client.app_configuration import AppConfiguration
from skerry.client.changes import (
    InitialResults,
    ListChanges,
    ObjectChanges,
    ResultsChanges,
    UpdatedResults,
)
from skerry.client.collection_changes import (
    CollectionChanges,
    DeletedCollection,
    InitialCollection,
    UpdatedDictionary,
    UpdatedList,
    UpdatedSet,
)
from skerry.client.connection import ConnectionState
from skerry.client.credentials import AuthenticationProvider, Credentials
from skerry.client.email_password import EmailPasswordAuth
from skerry.client.file_session import SessionState
from skerry.client.frozen import FrozenRealm
from skerry.client.http import UserIdentity
from skerry.client.migration import Migration, NewObject, OldRealm
from skerry.client.realm import Realm
from skerry.client.realm_configuration import Configuration, SyncConfiguration
from skerry.client.results import Results
from skerry.client.session import SyncSession
from skerry.client.streams import ConnectionStateChange, Direction, Progress, ProgressMode
from skerry.client.subscriptions import (
    MutableSubscriptionSet,
    Subscription,
    SubscriptionSet,
    SubscriptionSetState,
)
from skerry.client.transaction import Transaction
from skerry.client.user import User
from skerry.client.user_store import UserState
from skerry.errors import CompensatingWriteError, CompensatingWriteInfo, SkerryError, SyncError
from skerry.geo import GeoBox, GeoCircle, GeoPoint, GeoPolygon
from skerry.model import (
    Backlinks,
    Counter,
    EmbeddedObject,
    RealmDictionary,
    RealmList,
    RealmObject,
    RealmSet,
    RealmValue,
    Schema,
    asdict,
    backlinks,
    field,
    ignored,
    primary_key,
    where,
)
from skerry.model.object_changes import DeletedObject, InitialObject, UpdatedObject
from skerry.query import Query
from skerry.types import Decimal128, Float32, Link, ObjectId, PreciseDatetime, Timestamp

__all__ = [
    "App",
    "AppConfiguration",
    "AuthenticationProvider",
    "Backlinks",
    "CollectionChanges",
    "CompensatingWriteError",
    "CompensatingWriteInfo",
    "Configuration",
    "ConnectionState",
    "ConnectionStateChange",
    "Counter",
    "Credentials",
    "Decimal128",
    "DeletedCollection",
    "DeletedObject",
    "Direction",
    "EmailPasswordAuth",
    "EmbeddedObject",
    "Float32",
    "FrozenRealm",
    "GeoBox",
    "GeoCircle",
    "GeoPoint",
    "GeoPolygon",
    "InitialCollection",
    "InitialObject",
    "InitialResults",
    "Link",
    "ListChanges",
    "Migration",
    "MutableSubscriptionSet",
    "NewObject",
    "ObjectChanges",
    "ObjectId",
    "OldRealm",
    "PreciseDatetime",
    "Progress",
    "ProgressMode",
    "Query",
    "Realm",
    "RealmDictionary",
    "RealmList",
    "RealmObject",
    "RealmSet",
    "RealmValue",
    "Results",
    "ResultsChanges",
    "Schema",
    "SessionState",
    "SkerryError",
    "Subscription",
    "SubscriptionSet",
    "SubscriptionSetState",
    "SyncConfiguration",
    "SyncError",
    "SyncSession",
    "Timestamp",
    "Transaction",
    "UpdatedDictionary",
    "UpdatedList",
    "UpdatedObject",
    "UpdatedResults",
    "UpdatedSet",
    "User",
    "UserIdentity",
    "UserState",
    "asdict",
    "backlinks",
    "errors",
    "field",
    "ignored",
    "primary_key",
    "where",
]
