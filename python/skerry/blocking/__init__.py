"""Skerry without async: for threads, scripts and notebooks.

The classes are those of `skerry` with the same members, where what is awaited there is waited for
here, and async iterators are iterators with `close` and `next(timeout)`. Underneath is the trio API
on a thread of its own, one for each open app and each open local realm, which ends with it. What is
not here, such as models, queries and errors, is imported from `skerry`.

Ctrl-C while a call waits cancels the call, and is raised when that has ended. A thread that runs an
event loop gets an error that says what to use instead, except in the cells of a notebook.

Example::

    with Realm.open(Configuration([Item])) as realm:
        with realm.write() as txn:
            txn.add(Item(name="first"))
        print([item.name for item in realm.query(Item)])
"""

from skerry.blocking.app import App
from skerry.blocking.configuration import SyncConfiguration
from skerry.blocking.email_password import EmailPasswordAuth
from skerry.blocking.handlers import ErrorHandler
from skerry.blocking.realm import Realm
from skerry.blocking.results import Results
from skerry.blocking.session import SyncSession
from skerry.blocking.stream import Stream
from skerry.blocking.subscriptions import SubscriptionSet
from skerry.blocking.user import User

__all__ = [
    "App",
    "EmailPasswordAuth",
    "ErrorHandler",
    "Realm",
    "Results",
    "Stream",
    "SubscriptionSet",
    "SyncConfiguration",
    "SyncSession",
    "User",
]
