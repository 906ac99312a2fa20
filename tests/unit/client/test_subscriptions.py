"""Subscription sets: finding, adding, updating without loss, and waiting."""

import pytest
import trio

from skerry import RealmObject, Schema, SubscriptionSet, SubscriptionSetState, primary_key, where
from skerry.errors import (
    BadFlexibleSyncQueryError,
    IllegalStateError,
    QueryError,
    SchemaError,
    SessionInactiveError,
)
from tests.unit.client.fakes import FIRST_MS, FakeCore, FakeDisk, FakeFile, subscription_data


class Item(RealmObject):
    _id: int = primary_key()
    complexity: int = 1


class Task(RealmObject):
    _id: int = primary_key()
    complexity: int = 1


class Stranger(RealmObject):
    _id: int = primary_key()


class Host:
    """What the sets need of a realm, over a fake file."""

    def __init__(self):
        self.schema = Schema([Item, Task])
        self.file = FakeFile("x", FakeDisk([]))
        self.is_closed = False
        self.times_inactive = 0
        self.subscription_generation = 0
        self.time_ms = FIRST_MS
        self.committed = 0
        self.before_commit = None

    def now_ms(self):
        return self.time_ms

    def canonical(self, query):
        return FakeCore().check_query("", query.class_name, query.text, query.arguments)

    def subscribable(self, query):
        return FakeCore().check_subscription("", query.class_name, query.text, query.arguments)

    def inactive_error(self):
        return SessionInactiveError("inactive")

    def subscriptions_committed(self):
        self.committed += 1

    async def read_subscriptions(self):
        await trio.lowlevel.checkpoint()
        return self.file.subscriptions()

    async def read_subscription_set(self, version):
        await trio.lowlevel.checkpoint()
        return self.file.subscription_set(version)

    async def commit_subscriptions(self, items, expected_version):
        await trio.lowlevel.checkpoint()
        if self.before_commit is not None:
            interfere, self.before_commit = self.before_commit, None
            await interfere()
        return self.file.commit_subscriptions(items, expected_version)

    async def subscription_change(self, since):
        while self.subscription_generation == since:  # noqa: ASYNC110 - tests set it bare
            await trio.sleep(0.01)

    def put(self, version, state, error_message=None):
        """Give a set another state; None makes it superseded."""
        sets = self.file.disk.sets
        if state is None:
            del sets[version]
        else:
            items = sets[version].items if version in sets else []
            sets[version] = subscription_data(version, state, items, error_message)
        self.subscription_generation += 1


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def subscriptions(host):
    return SubscriptionSet(host, host.file.subscriptions())


async def test_a_new_file_has_an_empty_set(autojump_clock, subscriptions):
    assert (subscriptions.version, len(subscriptions)) == (0, 0)
    assert subscriptions.state is SubscriptionSetState.COMPLETE


async def test_update_commits_and_pins_to_the_new_set(autojump_clock, host, subscriptions):
    states = []

    def subscribe(new):
        states.append(new.state)
        new.add(where(Item, "complexity <= $0", 4), name="simple")

    assert await subscriptions.update(subscribe) is subscriptions
    assert states == [SubscriptionSetState.UNCOMMITTED]
    assert (subscriptions.version, subscriptions.state) == (1, SubscriptionSetState.PENDING)
    found = subscriptions.find_by_name("simple")
    assert (found.object_type, found.query_description) == ("Item", "complexity <= 4")
    assert found.created_at == found.updated_at
    assert subscriptions.find_by_query(where(Item, "complexity <= 4")) == found
    assert host.committed == 1


async def test_an_update_that_changes_nothing_is_a_version_all_the_same(
    autojump_clock, subscriptions
):
    await subscriptions.update(lambda new: None)
    assert subscriptions.version == 1


async def test_an_exception_in_the_block_commits_nothing(autojump_clock, host, subscriptions):
    def fail(new):
        new.add(where(Item))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await subscriptions.update(fail)
    assert host.file.subscriptions().version == 0


async def test_two_instances_do_not_lose_each_others_updates(autojump_clock, host, subscriptions):
    other = SubscriptionSet(host, host.file.subscriptions())
    await subscriptions.update(lambda new: new.add(where(Item), name="one"))
    await other.update(lambda new: new.add(where(Task), name="two"))
    assert [item.name for item in other] == ["one", "two"]


async def test_a_commit_in_between_repeats_the_block_on_the_newer_set(
    autojump_clock, host, subscriptions
):
    other = SubscriptionSet(host, host.file.subscriptions())

    async def interfere():
        await other.update(lambda new: new.add(where(Task), name="theirs"))

    host.before_commit = interfere
    seen = []

    def subscribe(new):
        seen.append([item.name for item in new])
        new.add(where(Item), name="mine")

    await subscriptions.update(subscribe)
    assert seen == [[], ["theirs"]]
    assert [item.name for item in subscriptions] == ["theirs", "mine"]
    assert subscriptions.version == 2


class TestAdd:
    async def test_the_same_subscription_is_returned_unchanged(
        self, autojump_clock, host, subscriptions
    ):
        def subscribe(new):
            first = new.add(where(Item), name="all")
            host.time_ms += 1000
            assert new.add(where(Item), name="all", update_existing=True) is first
            anonymous = new.add(where(Item))
            assert anonymous != first
            assert new.add(where(Item)) is anonymous

        await subscriptions.update(subscribe)
        assert [item.name for item in subscriptions] == ["all", None]

    async def test_another_query_of_a_name_needs_leave(self, autojump_clock, host, subscriptions):
        await subscriptions.update(lambda new: new.add(where(Item), name="all"))
        before = subscriptions.find_by_name("all")
        with pytest.raises(IllegalStateError, match=r"'all'.*TRUEPREDICATE"):
            await subscriptions.update(lambda new: new.add(where(Item, "x == 1"), name="all"))
        host.time_ms += 1500
        await subscriptions.update(
            lambda new: new.add(where(Item, "x == 1"), name="all", update_existing=True)
        )
        after = subscriptions.find_by_name("all")
        assert (after.id, after.created_at) == (before.id, before.created_at)
        assert (after.updated_at - before.updated_at).total_seconds() == 1.5
        assert after.query_description == "x == 1"

    async def test_a_name_is_not_found_for_another_class(self, autojump_clock, subscriptions):
        await subscriptions.update(lambda new: new.add(where(Item), name="all"))
        with pytest.raises(IllegalStateError):
            await subscriptions.update(lambda new: new.add(where(Task), name="all"))

    async def test_what_no_server_takes_is_refused_where_it_is_added(
        self, autojump_clock, subscriptions
    ):
        limited = where(Item, "x == 1 LIMIT(1)")
        with pytest.raises(QueryError, match="LIMIT is not supported in subscriptions"):
            await subscriptions.update(lambda new: new.add(limited))
        assert subscriptions.version == 0
        assert subscriptions.find_by_query(limited) is None

    async def test_wrong_queries_and_classes_are_refused(self, autojump_clock, subscriptions):
        with pytest.raises(QueryError):
            await subscriptions.update(lambda new: new.add(where(Item, "!")))
        with pytest.raises(SchemaError, match="Stranger"):
            await subscriptions.update(lambda new: new.add(where(Stranger)))
        with pytest.raises(ValueError, match="empty"):
            await subscriptions.update(lambda new: new.add(where(Item), name=""))


async def test_removing_by_name_object_class_and_all(autojump_clock, subscriptions):
    def fill(new):
        for index in range(3):
            new.add(where(Item, f"x == {index}"))
        new.add(where(Task), name="tasks")
        new.add(where(Task, "x == 1"), name="more")

    def prune(new):
        assert new.remove("tasks")
        assert not new.remove("tasks")
        assert new.remove(new.find_by_name("more"))
        assert new.remove_all(Item)
        assert not new.remove_all(Item)
        with pytest.raises(SchemaError):
            new.remove_all(Stranger)
        new.add(where(Task), name="named")
        new.add(where(Task))
        assert new.remove_all(anonymous_only=True)
        assert [item.name for item in new] == ["named"]
        assert new.remove_all()
        assert not new.remove_all()

    await subscriptions.update(fill)
    assert len(subscriptions) == 5
    await subscriptions.update(prune)
    assert len(subscriptions) == 0


async def test_a_subscription_equals_itself_in_the_same_version_only(
    autojump_clock, host, subscriptions
):
    await subscriptions.update(lambda new: [new.add(where(Item)), new.add(where(Task))])
    one, other = subscriptions
    assert one != other
    again = SubscriptionSet(host, host.file.subscriptions())
    assert next(iter(again)) == one
    await subscriptions.update(lambda new: None)
    assert next(iter(subscriptions)) != one
    assert next(iter(subscriptions)).id == one.id


class TestWait:
    async def committed(self, subscriptions):
        await subscriptions.update(lambda new: new.add(where(Item)))
        return subscriptions

    async def test_ends_when_the_set_is_complete(
        self, autojump_clock, host, subscriptions, nursery
    ):
        await self.committed(subscriptions)

        async def complete():
            for state in ("bootstrapping", "awaiting_mark", "complete"):
                await trio.sleep(1)
                host.put(1, state)

        nursery.start_soon(complete)
        assert await subscriptions.wait_for_synchronization() is True
        assert trio.current_time() >= 3
        assert subscriptions.state is SubscriptionSetState.COMPLETE

    async def test_times_out_with_false(self, autojump_clock, subscriptions):
        await self.committed(subscriptions)
        assert await subscriptions.wait_for_synchronization(2) is False
        with pytest.raises(ValueError, match="timeout"):
            await subscriptions.wait_for_synchronization(0)

    async def test_an_outer_deadline_is_not_taken_for_its_own(self, autojump_clock, subscriptions):
        await self.committed(subscriptions)
        with trio.move_on_after(1) as outer:
            await subscriptions.wait_for_synchronization(5)
            pytest.fail("the outer deadline was swallowed")
        assert outer.cancelled_caught

    async def test_a_refused_set_raises_with_the_servers_text(
        self, autojump_clock, host, subscriptions
    ):
        await self.committed(subscriptions)
        host.put(1, "error", "field not queryable")
        with pytest.raises(BadFlexibleSyncQueryError, match="field not queryable") as caught:
            await subscriptions.wait_for_synchronization()
        assert not caught.value.is_fatal
        assert subscriptions.error_message == "field not queryable"

    async def test_a_superseded_set_waits_for_a_newer_one(
        self, autojump_clock, host, subscriptions, nursery
    ):
        await self.committed(subscriptions)
        other = SubscriptionSet(host, host.file.subscriptions())
        await other.update(lambda new: new.add(where(Task)))
        host.put(1, None)

        async def complete():
            await trio.sleep(1)
            host.put(2, "complete")

        nursery.start_soon(complete)
        assert await subscriptions.wait_for_synchronization() is True
        assert trio.current_time() >= 1
        assert subscriptions.state is SubscriptionSetState.SUPERSEDED

    async def test_ends_when_the_session_becomes_inactive(
        self, autojump_clock, host, subscriptions, nursery
    ):
        await self.committed(subscriptions)

        async def fail():
            await trio.sleep(1)
            host.times_inactive += 1
            host.subscription_generation += 1

        nursery.start_soon(fail)
        with pytest.raises(SessionInactiveError):
            await subscriptions.wait_for_synchronization()


async def test_after_closing_the_pinned_set_is_readable_and_nothing_else(
    autojump_clock, host, subscriptions
):
    await subscriptions.update(lambda new: new.add(where(Item), name="all"))
    host.is_closed = True
    assert [item.name for item in subscriptions] == ["all"]
    assert subscriptions.find_by_name("all").as_query() == where(Item)
    for call in (
        lambda: subscriptions.update(lambda new: None),
        subscriptions.refresh,
        subscriptions.wait_for_synchronization,
    ):
        with pytest.raises(IllegalStateError):
            await call()


async def test_iteration_shows_the_pinned_set_and_refresh_keeps_to_it(
    autojump_clock, host, subscriptions
):
    other = SubscriptionSet(host, host.file.subscriptions())
    await other.update(lambda new: new.add(where(Item)))
    await subscriptions.refresh()
    assert (subscriptions.version, len(subscriptions), list(subscriptions)) == (0, 0, [])
