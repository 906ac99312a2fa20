"""What mypy must know of realms, queries, writes and sessions. Read by mypy, never run.

An unneeded `type: ignore` is an error in strict mode, so each one here proves a refusal.
"""

from typing import assert_type

from skerry import (
    App,
    AppConfiguration,
    CompensatingWriteError,
    CompensatingWriteInfo,
    ConnectionState,
    Credentials,
    Decimal128,
    Direction,
    MutableSubscriptionSet,
    ObjectId,
    ProgressMode,
    Query,
    Realm,
    RealmObject,
    Results,
    SessionState,
    Subscription,
    SubscriptionSet,
    SyncConfiguration,
    SyncError,
    SyncSession,
    User,
    primary_key,
    where,
)


class Item(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    name: str
    complexity: int = 0


def on_error(session: SyncSession, error: SyncError) -> None:
    assert_type(session.state, SessionState)
    if isinstance(error, CompensatingWriteError):
        assert_type(error.writes, list[CompensatingWriteInfo])


async def on_error_later(session: SyncSession, error: SyncError) -> None:
    on_error(session, error)


def subscribe(subscriptions: MutableSubscriptionSet) -> None:
    query = where(Item, "complexity <= $0", 4)
    assert_type(query, Query)
    assert_type(subscriptions.add(query, name="simple-items"), Subscription)


def configure(user: User) -> SyncConfiguration:
    SyncConfiguration(user, [Item], error_handler=on_error_later)
    SyncConfiguration(user, [str])  # type: ignore[list-item]
    SyncConfiguration(user, [Item], error_handler=subscribe)  # type: ignore[arg-type]
    return SyncConfiguration(
        user, [Item], initial_subscriptions=subscribe, error_handler=on_error, name="items"
    )


async def use(app: App) -> None:
    user = await app.login(Credentials.email_password("ada@example.com", "a-long-way"))
    assert_type(user, User)
    async with Realm.open(configure(user)) as realm:
        assert_type(realm, Realm)
        await read(realm)
        await write(realm)
        await sync(realm)


async def read(realm: Realm) -> None:
    found = realm.query(Item, "complexity > $0", 3)
    assert_type(found, Results[Item])
    assert_type(found.first(), Item | None)
    assert_type(realm.find(Item, ObjectId()), Item | None)
    for item in found:
        assert_type(item, Item)
    assert_type(found[0], Item)
    assert_type(found[1:], Results[Item])
    assert_type(found.one(), Item)
    assert_type(found.one_or_none(), Item | None)
    assert_type(
        found.query("name == $0", "a").sort(("name", "desc"), "_id").limit(3), Results[Item]
    )
    assert_type(found.count(), int)
    assert_type(found.average("complexity"), float | Decimal128 | None)
    assert_type(await found.load(), Results[Item])
    assert_type(found.index(found[0]), int)
    found.sort(("name", "up"))  # type: ignore[arg-type]
    found.limit("3")  # type: ignore[arg-type]


async def write(realm: Realm) -> None:
    async with realm.write() as txn:
        item = txn.add(Item(name="a name"))
        assert_type(item, Item)
        item.name = 3  # type: ignore[assignment]
        assert_type(txn.query(Item), list[Item])
        assert_type(txn.delete(item), bool)


async def sync(realm: Realm) -> None:
    assert_type(await realm.subscriptions.update(subscribe), SubscriptionSet)
    assert_type(await realm.subscriptions.wait_for_synchronization(timeout=5), bool)
    session = realm.sync_session
    assert_type(session.connection_state, ConnectionState)
    assert_type(await session.upload_all_local_changes(5), bool)
    async for progress in session.progress(Direction.UPLOAD, ProgressMode.CURRENT_CHANGES):
        assert_type(progress.estimate, float)
    async for change in session.connection_state_changes():
        assert_type(change.new_state, ConnectionState)
    session.progress("upload", ProgressMode.INDEFINITELY)  # type: ignore[arg-type]


AppConfiguration(app_id="items")  # type: ignore[call-arg]
