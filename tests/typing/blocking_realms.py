"""What mypy must know of `skerry.blocking`, and what it must refuse. Read by mypy, never run.

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
    Progress,
    ProgressMode,
    RealmObject,
    Subscription,
    SyncError,
    Transaction,
    primary_key,
    where,
)
from skerry import Realm as TrioRealm
from skerry import User as TrioUser
from skerry.blocking import (
    App,
    EmailPasswordAuth,
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
    assert_type(subscriptions.add(where(Item, "name == 'a'")), Subscription)


def use(configuration: AppConfiguration) -> None:
    with App(configuration) as app:
        assert_type(app, App)
        assert_type(app.email_password_auth, EmailPasswordAuth)
        assert_type(app.current_user, User | None)
        assert_type(app.all_users(), list[User])
        user = app.login(Credentials.anonymous())
        assert_type(user, User)
        assert_type(user.app, App)
        user.log_out()
        mine = SyncConfiguration(user, [Item], error_handler=on_error)
        with Realm.open(mine) as realm:
            read(realm)
            write(realm)
            sync(realm)
    assert_type(App(configuration).open(), App)


def refuse(user: User, trio_user: TrioUser, trio_realm: TrioRealm) -> None:
    SyncConfiguration(trio_user, [Item])  # type: ignore[arg-type]
    SyncConfiguration(user, [Item], error_handler=on_error_later)  # type: ignore[arg-type]
    read(trio_realm)  # type: ignore[arg-type]


def read(realm: Realm) -> None:
    assert_type(realm.configuration, Configuration | SyncConfiguration)
    found = realm.query(Item, "name == $0", "a")
    assert_type(found, Results[Item])
    assert_type(found.load(), Results[Item])
    assert_type(found.first(), Item | None)
    assert_type(found[0], Item)
    assert_type(realm.find(Item, ObjectId()), Item | None)
    for item in found:
        assert_type(item, Item)
    assert_type(realm.changed(), Stream[int])
    for version in realm.changed():
        assert_type(version, int)


def write(realm: Realm) -> None:
    with realm.write() as txn:
        assert_type(txn, Transaction)
        assert_type(txn.add(Item(name="a name")), Item)


def sync(realm: Realm) -> None:
    assert_type(realm.subscriptions.update(subscribe), SubscriptionSet)
    assert_type(realm.subscriptions.wait_for_synchronization(timeout=5), bool)
    session = realm.sync_session
    assert_type(session, SyncSession)
    assert_type(session.upload_all_local_changes(5), bool)
    with session.progress(Direction.UPLOAD, ProgressMode.CURRENT_CHANGES) as progress:
        assert_type(progress.next(timeout=1), Progress)
    for change in session.connection_state_changes():
        assert_type(change, ConnectionStateChange)
    session.progress("upload", ProgressMode.INDEFINITELY)  # type: ignore[arg-type]
