"""What mypy must know of `skerry.aio`, and what it must refuse. Read by mypy, never run.

An unneeded `type: ignore` is an error in strict mode, so each one here proves a refusal.
"""

from typing import assert_type

from skerry import (
    AppConfiguration,
    Configuration,
    ConnectionStateChange,
    Credentials,
    Direction,
    MutableSubscriptionSet,
    ObjectId,
    ProgressMode,
    RealmObject,
    SyncError,
    Transaction,
    primary_key,
    where,
)
from skerry import User as TrioUser
from skerry.aio import (
    App,
    Realm,
    Results,
    Stream,
    SubscriptionSet,
    SyncConfiguration,
    SyncSession,
    User,
)


class Item(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    name: str


def on_error(session: SyncSession, error: SyncError) -> None:
    assert_type(session.user, User)


async def on_error_later(session: SyncSession, error: SyncError) -> None:
    on_error(session, error)


def subscribe(subscriptions: MutableSubscriptionSet) -> None:
    subscriptions.add(where(Item, "name == 'a'"))


async def use(configuration: AppConfiguration) -> None:
    async with App(configuration) as app:
        assert_type(app, App)
        user = await app.login(Credentials.anonymous())
        assert_type(user, User)
        assert_type(app.all_users(), list[User])
        SyncConfiguration(user, [Item], error_handler=on_error)
        mine = SyncConfiguration(user, [Item], error_handler=on_error_later)
        async with Realm.open(mine) as realm:
            assert_type(realm, Realm)
            await read(realm)
            await sync(realm)
    assert_type(await App(configuration).open(), App)
    assert_type(await Realm.open(Configuration([Item])), Realm)


def refuse(trio_user: TrioUser) -> None:
    SyncConfiguration(trio_user, [Item])  # type: ignore[arg-type]


async def read(realm: Realm) -> None:
    found = realm.query(Item, "name == $0", "a")
    assert_type(found, Results[Item])
    assert_type(await found.load(), Results[Item])
    assert_type(realm.find(Item, ObjectId()), Item | None)
    assert_type(realm.changed(), Stream[int])
    async for version in realm.changed():
        assert_type(version, int)
    async with realm.write() as txn:
        assert_type(txn, Transaction)
        assert_type(txn.add(Item(name="a name")), Item)


async def sync(realm: Realm) -> None:
    assert_type(await realm.subscriptions.update(subscribe), SubscriptionSet)
    assert_type(await realm.subscriptions.wait_for_synchronization(timeout=5), bool)
    session = realm.sync_session
    assert_type(await session.download_all_server_changes(5), bool)
    async for change in session.connection_state_changes():
        assert_type(change, ConnectionStateChange)
    session.progress(Direction.UPLOAD, 3)  # type: ignore[arg-type]
    session.progress(Direction.UPLOAD, ProgressMode.INDEFINITELY)
