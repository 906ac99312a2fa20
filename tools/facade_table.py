"""What of the trio API is in `skerry.blocking` and `skerry.aio`, and by which kind of call.

To extend it: add the member to its class here and run ``python -m tools.facades``. A public member
that is not here fails tests/unit/test_facades.py, as does one that is here and no longer there.
What this does not hold: how the calls are made, which is `tools.facades`' and the packages' own.
"""

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """How a member of a facade reaches its target."""

    HERE = "here"
    """On the calling thread: it is short, or the thread's own work, and safe from any thread."""
    THERE = "there"
    """On the portal's loop, though it is no coroutine: it touches what the loop changes."""
    AWAIT = "await"
    """A coroutine: run on the portal's loop, and waited for."""
    STREAM = "stream"
    """Makes an async iterator, on the portal's loop."""
    ONCE = "once"
    """A static coroutine: a portal is made for it alone."""
    INIT = "init"
    """A constructor whose target is made with an error handler that is adapted."""


HERE, THERE, AWAIT, STREAM, ONCE, INIT = Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A class of the trio API and its two facades.

    Attributes:
        source: Its module, under `skerry.client`.
        target: The module of the facades, under `skerry.blocking` and `skerry.aio`.
        text: What the facades are, for their docstrings.
        base: The hand-written base, as module and class, where the plain facade is not enough.
        members: In the order in which they are written.
        by_hand: Members that the hand-written base has.
        left_out: Members that the facades do not have, with the reason.
    """

    source: str
    target: str
    text: str
    base: tuple[str, str] | None = None
    members: dict[str, Kind]
    by_hand: frozenset[str] = frozenset()
    left_out: dict[str, str] = field(default_factory=dict)


SURFACES: dict[str, Surface] = {
    "App": Surface(
        source="app",
        target="app",
        text="An app on a server, and the owner of everything that runs for it.",
        base=("lifecycle", "AppLifecycle"),
        members={
            "configuration": HERE,
            "email_password_auth": HERE,
            "current_user": THERE,
            "all_users": THERE,
            "login": AWAIT,
        },
        by_hand=frozenset({"__aenter__", "__aexit__"}),
    ),
    "EmailPasswordAuth": Surface(
        source="email_password",
        target="email_password",
        text="Registering e-mail users; got from `App.email_password_auth`.",
        members={"register_user": AWAIT},
    ),
    "User": Surface(
        source="user",
        target="user",
        text="A user of an app on this device. Properties are live and readable in every state.",
        members={
            "app": HERE,
            "id": HERE,
            "state": HERE,
            "is_logged_in": HERE,
            "provider": HERE,
            "identities": HERE,
            "access_token": HERE,
            "refresh_token": HERE,
            "device_id": HERE,
            "profile": HERE,
            "custom_data": HERE,
            "log_out": AWAIT,
            "refresh_custom_data": AWAIT,
        },
        by_hand=frozenset({"__eq__", "__hash__", "__repr__"}),
    ),
    "SyncConfiguration": Surface(
        source="realm_configuration",
        target="configuration",
        text="A realm that syncs for a user.",
        base=("configured", "ConfigurationFacade"),
        members={
            "__init__": INIT,
            "schema": HERE,
            "name": HERE,
            "synchronous": HERE,
            "query_cache_bytes": HERE,
            "encryption_key": HERE,
            "path": HERE,
            "user": HERE,
            "initial_subscriptions": HERE,
            "rerun_on_open": HERE,
            "initial_data_timeout_s": HERE,
            "schema_version": HERE,
            "max_number_of_active_versions": HERE,
        },
        by_hand=frozenset({"error_handler"}),
    ),
    "Realm": Surface(
        source="realm",
        target="realm",
        text="An open realm file, local or synced.",
        base=("lifecycle", "RealmLifecycle"),
        members={
            "configuration": HERE,
            "schema": HERE,
            "is_closed": HERE,
            "version": HERE,
            "sync_session": HERE,
            "subscriptions": HERE,
            "objects": HERE,
            "query": HERE,
            "find": HERE,
            "freeze": HERE,
            "schema_version": HERE,
            "number_of_active_versions": HERE,
            "write_copy_to": AWAIT,
            "changed": STREAM,
            "changes_of": STREAM,
            "collection_changes_of": STREAM,
            "delete_realm": ONCE,
            "compact": ONCE,
        },
        by_hand=frozenset({"open", "write"}),
        left_out={
            "write_blocking": "`write` of skerry.blocking; in asyncio it would stop the loop",
        },
    ),
    "SyncSession": Surface(
        source="session",
        target="session",
        text="Control of a realm's sync; got from `Realm.sync_session` or in the error handler.",
        members={
            "configuration": HERE,
            "user": HERE,
            "state": HERE,
            "connection_state": HERE,
            "is_sync_agent": HERE,
            "download_all_server_changes": AWAIT,
            "upload_all_local_changes": AWAIT,
            "pause": HERE,
            "resume": HERE,
            "connection_state_changes": STREAM,
            "progress": STREAM,
        },
    ),
    "SubscriptionSet": Surface(
        source="subscriptions",
        target="subscriptions",
        text="One version of a realm's subscriptions; got from `Realm.subscriptions`.",
        members={
            "version": HERE,
            "state": HERE,
            "error_message": HERE,
            "__len__": HERE,
            "__iter__": HERE,
            "find_by_name": HERE,
            "find_by_query": HERE,
            "update": AWAIT,
            "refresh": AWAIT,
            "wait_for_synchronization": AWAIT,
        },
    ),
    "Results": Surface(
        source="results",
        target="results",
        text="The objects of a query at the version of its making; never changes.",
        members={
            "version": HERE,
            "description": HERE,
            "as_query": HERE,
            "explain": HERE,
            "load": AWAIT,
            "changes": STREAM,
            "query": HERE,
            "sort": HERE,
            "distinct": HERE,
            "limit": HERE,
            "first": HERE,
            "last": HERE,
            "one": HERE,
            "one_or_none": HERE,
            "find": HERE,
            "__len__": HERE,
            "__bool__": HERE,
            "__getitem__": HERE,
            "__iter__": HERE,
            "__reversed__": HERE,
            "__contains__": HERE,
            "index": HERE,
            "count": HERE,
            "min": HERE,
            "max": HERE,
            "sum": HERE,
            "average": HERE,
            "arrow": HERE,
            "__arrow_c_schema__": HERE,
            "__arrow_c_stream__": HERE,
            "to_pyarrow": HERE,
            "to_pandas": HERE,
            "to_polars": HERE,
            "_repr_html_": HERE,
        },
        by_hand=frozenset({"__repr__"}),
    ),
}

# Classes of the trio API that wait, and are in the facades in another form.
IN_ANOTHER_FORM = {
    "CollectionChanges": "what a facade's `changes_of` gives is a `Stream`",
    "ObjectChanges": "likewise",
    "ResultsChanges": "what `Results.changes` gives is a `Stream`",
    "RealmDictionary": "`Realm.collection_changes_of` observes it",
    "RealmList": "likewise",
    "RealmSet": "likewise",
}

# Names in annotations that are others in the facades, where a synced configuration is no subclass.
RENAMED = {"Configuration": "Configuration | SyncConfiguration"}
# Names that the facades' packages define for themselves.
OWN = {"ErrorHandler": "handlers"}

# What is told otherwise in docstrings: patterns, and what stands there instead.
WORDS = {
    "blocking": {
        r"Args, returns, raises, cancellation:": "Args, returns, raises:",
        r"\b[Aa]n async iterator": "an iterator",
        r"async with": "with",
        r"await ": "",
        r",\s+on another thread than the realm's, or\s+the realm is closed": " or after closing",
        r"sync or async, in order, on the realm's loop\s+and apart from sync; a plain function must"
        r" not block\.": "in order, on a worker\n        thread, where it may wait.",
    },
    "aio": {
        r",\s+on another thread than the realm's, or\s+the realm is closed": " or after closing",
        r"on the realm's loop\s+and apart from sync": "on the loop that\n        opened the realm",
    },
}
