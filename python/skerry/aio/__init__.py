"""Skerry for asyncio programs.

The classes are those of `skerry` with the same members; what they return is awaited in asyncio, on
any loop and on several. Underneath is the trio API on a thread of its own, one for each open app
and each open local realm, which ends with it. What is not here, such as models, queries and errors,
is imported from `skerry`.

A task that is cancelled cancels the call that it waits for and waits for its end, so that nothing
goes on behind it; `asyncio.timeout` and task groups work as everywhere.

Example::

    async with Realm.open(Configuration([Item])) as realm:
        async with realm.write() as txn:
            txn.add(Item(name="first"))
        print([item.name for item in realm.query(Item)])
"""

from skerry.aio.app import App
from skerry.aio.configuration import SyncConfiguration
from skerry.aio.email_password import EmailPasswordAuth
from skerry.aio.handlers import ErrorHandler
from skerry.aio.realm import Realm
from skerry.aio.results import Results
from skerry.aio.session import SyncSession
from skerry.aio.stream import Stream
from skerry.aio.subscriptions import SubscriptionSet
from skerry.aio.user import User

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
