"""Subscription sets of a file that no server knows yet."""

import pytest

from skerry import errors
from skerry._core import RealmFile

from .conftest import write

FIRST = ("0" * 23 + "1", "mine", "Thing", "int > 1", 5, 6)
SECOND = ("0" * 23 + "2", None, "ByText", "TRUEPREDICATE", 7, 7)


def test_a_new_file_has_the_empty_set(synced):
    empty = synced.subscriptions()
    assert (empty.version, empty.items, empty.error_message) == (0, [], None)
    assert synced.subscription_set(1) is None


def test_a_committed_set_is_pending_and_kept(synced, schema_json):
    made = synced.commit_subscriptions([FIRST, SECOND], 0)
    assert (made.version, made.state, made.items) == (1, "pending", [FIRST, SECOND])
    path = synced.path
    synced.close()
    again = RealmFile.open(path, schema_json, synced=True)
    assert again.subscriptions().items == [FIRST, SECOND]
    assert again.subscription_set(1).version == 1
    again.close()


def test_a_set_derived_from_an_old_one_is_refused(synced):
    synced.commit_subscriptions([FIRST], 0)
    with pytest.raises(errors.StaleSubscriptionSetError):
        synced.commit_subscriptions([SECOND], 0)
    assert synced.subscriptions().items == [FIRST]
    assert synced.commit_subscriptions([SECOND], 1).version == 2


def test_twins_bad_ids_and_local_files_are_refused(synced, file):
    with pytest.raises(errors.IllegalStateError):
        synced.commit_subscriptions([FIRST, (SECOND[0], "mine", *SECOND[2:])], 0)
    with pytest.raises(errors.ConfigurationError):
        synced.commit_subscriptions([("xyz", *FIRST[1:])], 0)
    with pytest.raises(errors.IllegalStateError):
        file.commit_subscriptions([FIRST], 0)
    assert synced.subscriptions().version == 0


def test_a_class_without_subscription_takes_no_new_objects(synced):
    def create(txn):
        txn.create("Thing", 1, [], [], "error")

    with pytest.raises(errors.NoSubscriptionForWriteError, match="Thing"):
        write(synced, create)
    synced.commit_subscriptions([FIRST], 0)
    write(synced, create)
    assert synced.pending_upload()
