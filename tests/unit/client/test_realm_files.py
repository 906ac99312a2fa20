"""The life of a file: deleted, compacted, copied, bundled, frozen, in memory, for reading only, and
what goes wrong with files."""

import hashlib
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from skerry import (
    Configuration,
    Realm,
    RealmObject,
    SyncConfiguration,
    errors,
    primary_key,
)
from skerry._core import RealmFile
from skerry.client.environment import Environment


class Note(RealmObject):
    _id: int = primary_key()
    text: str = ""
    next: "Note | None" = None


@pytest.fixture
def configuration(tmp_path):
    return Configuration([Note], directory=tmp_path, name="a")


def like(configuration, **options):
    return Configuration([Note], directory=configuration.path.parent, name="a", **options)


async def fill(configuration, keys=range(3), text="text"):
    async with Realm.open(configuration) as realm, realm.write() as txn:
        for key in keys:
            txn.add(Note(_id=key, text=text))


async def keys_of(configuration):
    async with Realm.open(configuration) as realm:
        return [note._id for note in realm.objects(Note)]


def names(folder):
    return sorted(entry.name for entry in Path(folder).iterdir())


async def test_a_deleted_realm_leaves_nothing_and_begins_anew(configuration, tmp_path):
    assert not await Realm.delete_realm(configuration)
    await fill(configuration)
    async with Realm.open(configuration) as realm:
        with pytest.raises(errors.RealmInUseError, match=str(configuration.path)):
            await Realm.delete_realm(configuration)
        assert realm.find(Note, 1) is not None
    assert await Realm.delete_realm(configuration)
    assert names(tmp_path) == []
    assert await keys_of(configuration) == []


async def test_another_process_keeps_a_file_from_being_deleted(configuration):
    await fill(configuration)
    program = (
        "import sys\n"
        "from skerry._core import RealmFile\n"
        f"file = RealmFile.open({str(configuration.path)!r}, '[]', synced=False)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220 -- nothing else runs on this loop
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(errors.RealmInUseError):
            await Realm.delete_realm(configuration)
        assert not await Realm.compact(configuration)
        other.stdin.close()
    assert await Realm.compact(configuration)
    assert await Realm.delete_realm(configuration)


async def test_a_damaged_file_is_refused_by_name_and_can_be_deleted(configuration):
    await fill(configuration, range(200), "x" * 300)
    whole = configuration.path.read_bytes()
    for bytes_left in (
        b"no realm at all" * 100,
        whole[:5000],
        whole[:50],
        b"SQLite format 3\0" * 9,
    ):
        configuration.path.write_bytes(bytes_left)
        with pytest.raises(errors.CorruptedError) as caught:
            await keys_of(configuration)
        assert str(configuration.path) in str(caught.value)
        assert "restore it or delete it" in str(caught.value)
        assert configuration.path.read_bytes() == bytes_left, "it is left alone"
        assert await Realm.delete_realm(configuration)
    assert await keys_of(configuration) == []


async def test_a_realm_is_compacted_on_launch_when_the_program_says_so(configuration):
    asked = []

    def decide(total_bytes, used_bytes):
        asked.append((total_bytes, used_bytes))
        return used_bytes * 2 < total_bytes

    compacting = like(configuration, compact_on_launch=decide)
    assert await keys_of(compacting) == []
    assert asked == [], "there was nothing to compact"
    await fill(configuration, range(500), "x" * 500)
    async with Realm.open(configuration) as realm, realm.write() as txn:
        for key in range(400):
            txn.delete(txn.find(Note, key))
    size = configuration.path.stat().st_size
    assert len(await keys_of(compacting)) == 100
    ((total, used),) = asked
    assert used * 2 < total == size
    assert configuration.path.stat().st_size < size / 2
    async with Realm.open(configuration) as realm:
        assert not await Realm.compact(configuration), "it is open"
        assert len(realm.objects(Note)) == 100
    assert len(await keys_of(compacting)) == 100
    assert asked[1][0] == asked[1][1], "nothing is left to give back"


async def test_a_copy_is_written_once_and_opens_with_its_version(configuration, tmp_path):
    await fill(configuration)
    copy = Configuration([Note], directory=tmp_path / "new", name="copy", schema_version=4)
    async with Realm.open(configuration) as realm:
        async with realm.write() as txn:
            # What is not committed is not copied.
            txn.add(Note(_id=77))
            await realm.write_copy_to(copy)
        with pytest.raises(errors.ConfigurationError, match="exists already"):
            await realm.write_copy_to(copy.path)
        with pytest.raises(errors.ConfigurationError, match="lives in memory"):
            await realm.write_copy_to(Configuration([Note], in_memory=True))
        assert names(tmp_path / "new") == ["copy.realm"]
        assert await keys_of(copy) == [0, 1, 2]
        async with Realm.open(copy) as copied:
            assert copied.schema_version == 4
        await realm.write_copy_to(str(tmp_path / "by-path.realm"))
        assert (tmp_path / "by-path.realm").exists()


async def test_a_bundled_file_is_copied_when_there_is_none(configuration, tmp_path):
    await fill(configuration)
    bundle = tmp_path / "bundle.bin"
    configuration.path.rename(bundle)
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    bundle.chmod(0o444)
    target = tmp_path / "app"
    wrong = Configuration(
        [Note], directory=target, initial_data_file=bundle, initial_data_file_sha256="0" * 64
    )
    with pytest.raises(errors.ConfigurationError, match=digest):
        await keys_of(wrong)
    assert names(target) == []
    right = Configuration(
        [Note],
        directory=target,
        initial_data_file=bundle,
        initial_data_file_sha256=digest.upper(),
        initial_data=lambda txn: pytest.fail("the file is not new"),
    )
    await fill(right, [10])
    assert await keys_of(right) == [0, 1, 2, 10], "copied once, and written since"
    absent = Configuration([Note], directory=target, name="b", initial_data_file=tmp_path / "no")
    with pytest.raises(errors.FileAccessError, match="no"):
        await keys_of(absent)


async def test_initial_data_are_part_of_the_new_file_or_there_is_none(configuration, tmp_path):
    class Mistake(Exception):
        pass

    def fail(txn):
        txn.add(Note(_id=1))
        raise Mistake

    with pytest.raises(Mistake):
        await keys_of(like(configuration, initial_data=fail))
    assert names(tmp_path) == []
    kept = []

    def load(txn):
        kept.append(txn.add(Note(_id=1, text="first")))

    loading = like(configuration, initial_data=load)
    for _ in range(2):
        assert await keys_of(loading) == [1]
    assert [note.text for note in kept] == ["first"], "called once; frozen as committed"


async def test_a_frozen_realm_stays_at_its_version(configuration):
    await fill(configuration)
    async with Realm.open(configuration) as realm:
        with realm.freeze() as frozen:
            async with realm.write() as txn:
                txn.delete(txn.find(Note, 1))
            assert frozen.version < realm.version
            assert [note._id for note in frozen.objects(Note)] == [0, 1, 2]
            assert frozen.find(Note, 1).text == "text"
            assert len(frozen.query(Note, "_id > $0", 0)) == 2
            assert realm.number_of_active_versions == 2
        assert realm.number_of_active_versions == 1
        assert frozen.is_closed
        for ask in (lambda: frozen.objects(Note), lambda: frozen.find(Note, 1)):
            with pytest.raises(errors.ClosedRealmError):
                ask()
        other = realm.freeze()
    assert other.is_closed, "with its realm"
    with pytest.raises(errors.ClosedRealmError):
        realm.freeze()


async def test_too_many_versions_are_refused_before_anything_is_written(configuration):
    await fill(configuration)
    limited = like(configuration, max_number_of_active_versions=2)
    async with Realm.open(limited) as realm:
        held = []
        for key in (10, 11):
            held.append(realm.freeze())
            async with realm.write() as txn:
                txn.add(Note(_id=key))
        version = realm.version
        with pytest.raises(errors.TooManyVersionsError, match="3 versions"):
            async with realm.write() as txn:
                txn.add(Note(_id=12))
        with pytest.raises(errors.TooManyVersionsError), realm.write_blocking():
            pytest.fail("it did not begin")
        assert realm.version == version
        held.pop().close()
        async with realm.write() as txn:
            txn.add(Note(_id=12))


async def test_realms_in_memory_share_by_name_and_go_with_the_last(tmp_path):
    one = Configuration([Note], name="shared", directory=tmp_path, in_memory=True)
    two = Configuration([Note], name="shared", in_memory=True)
    other = Configuration([Note], name="other", in_memory=True)
    async with Realm.open(two) as second:
        async with Realm.open(one) as first, first.write() as txn:
            txn.add(Note(_id=1))
        async with Realm.open(other) as third:
            assert len(third.objects(Note)) == 0
        assert [note._id for note in second.objects(Note)] == [1]
        async with Realm.open(one) as again:
            assert again.find(Note, 1) is not None
    assert await keys_of(one) == []
    assert names(tmp_path) == []
    with pytest.raises(errors.ConfigurationError, match="lives in memory"):
        await Realm.delete_realm(one)


async def test_a_realm_for_reading_only_is_not_written(configuration, tmp_path):
    reading = like(configuration, read_only=True)
    with pytest.raises(errors.FileAccessError, match="does not exist"):
        await keys_of(reading)
    assert names(tmp_path) == []
    await fill(configuration)
    before = configuration.path.read_bytes()
    assert await keys_of(reading) == [0, 1, 2]
    assert configuration.path.read_bytes() == before
    async with Realm.open(reading) as realm:
        assert len(realm.query(Note, "text == 'text'")) == 3
        with pytest.raises(errors.IllegalStateError, match="open it for writing"):
            async with realm.write():
                pytest.fail("it did not begin")
        async with Realm.open(configuration) as writer, writer.write() as txn:
            txn.add(Note(_id=9))
        assert len(realm.objects(Note)) == 4, "others may write"
        del writer, txn
    fresh = Configuration([Note], directory=tmp_path, name="a", read_only=True, schema_version=1)
    assert len(await keys_of(fresh)) == 4, "a smaller version that has all there is to read"


async def test_the_wait_for_another_writer_is_bounded_and_names_the_file(configuration):
    await fill(configuration)
    file = RealmFile.open(str(configuration.path), "[]", synced=False)
    writer = file.begin_write(1000)
    hurried = like(configuration, schema_version=2, open_timeout=0.01)
    with pytest.raises(errors.LockTimeoutError, match=str(configuration.path)):
        await keys_of(hurried)
    assert await keys_of(configuration) == [0, 1, 2], "who changes nothing need not wait"
    opened = []
    patient = like(configuration, schema_version=2)

    async def open_it():
        opened.append(await keys_of(patient))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_it)
        await trio.testing.wait_all_tasks_blocked()
        writer.rollback()
    assert opened == [[0, 1, 2]]
    file.close()


READ_ONLY_FOLDER = """
import os
import sys
import trio
import skerry._core
from skerry import Configuration, Realm, RealmObject, errors, primary_key

class Note(RealmObject):
    _id: int = primary_key()
    text: str = ""
    next: "Note | None" = None

async def main(folder, name, read_only):
    configuration = Configuration([Note], directory=folder, name=name, read_only=read_only)
    try:
        async with Realm.open(configuration) as realm:
            print(sorted(note._id for note in realm.objects(Note)))
            if not read_only:
                async with realm.write() as txn:
                    txn.add(Note(_id=100))
    except errors.SkerryError as error:
        print(type(error).__name__, error)
    if not read_only:
        try:
            print(await Realm.delete_realm(configuration))
        except errors.SkerryError as error:
            print(type(error).__name__, error)

if os.geteuid() == 0:
    # To root nothing is forbidden.
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3] == "read")
"""


def as_nobody(folder, name, how):
    """Run as a user who may not write there."""
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY_FOLDER, str(folder), name, how],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def world_folder(tmp_path_factory):
    """A folder that other users can reach."""
    folder = tmp_path_factory.mktemp("world")
    for parent in (folder, *folder.parents):
        if parent.owner() == folder.owner() and not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    yield folder
    folder.chmod(0o755)


async def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(world_folder):
    configuration = Configuration([Note], directory=world_folder, name="a")
    await fill(configuration)
    configuration.path.chmod(0o644)
    before = configuration.path.read_bytes()
    world_folder.chmod(0o555)
    assert names(world_folder) == ["a.realm"]

    told = as_nobody(world_folder, "a", "write")
    opening, deletion = told.splitlines()
    assert opening.startswith("FileAccessError")
    assert str(configuration.path) in opening
    assert "open it for reading only" in opening or "may read and write there" in opening
    assert deletion.startswith("FileAccessError")
    assert str(configuration.path) in deletion

    absent = as_nobody(world_folder, "b", "write").splitlines()[0]
    assert absent.startswith("FileAccessError")
    assert "b.realm" in absent

    assert as_nobody(world_folder, "a", "read") == "[0, 1, 2]\n"
    assert (configuration.path.read_bytes(), names(world_folder)) == (before, ["a.realm"])


async def test_a_file_that_cannot_be_written_is_named_with_the_remedy(world_folder):
    configuration = Configuration([Note], directory=world_folder, name="a")
    await fill(configuration)
    configuration.path.chmod(0o444)
    world_folder.chmod(0o777)
    told = as_nobody(world_folder, "a", "write").splitlines()[0]
    assert told.startswith("FileAccessError")
    assert str(configuration.path) in told
    assert "open it for reading only" in told
    assert as_nobody(world_folder, "a", "read").startswith("[0, 1, 2]")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"schema_version": -1}, "schema_version is 0 to"),
        ({"schema_version": 2**63}, "schema_version is 0 to"),
        ({"max_number_of_active_versions": 0}, "1 or more, not 0"),
        ({"open_timeout": 0}, "open_timeout is more than 0"),
        ({"open_timeout": float("nan")}, "open_timeout is more than 0"),
        ({"initial_data_file_sha256": "0" * 64}, "without initial_data_file"),
        ({"initial_data_file": "x", "initial_data_file_sha256": "0"}, "64 hexadecimal digits"),
        ({"in_memory": True, "initial_data_file": "x"}, "in_memory and initial_data_file"),
        ({"read_only": True, "in_memory": True}, "read_only and in_memory"),
        (
            {"migration": lambda migration: None, "delete_realm_if_migration_needed": True},
            "migration and delete_realm_if_migration_needed",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options, text):
    with pytest.raises(errors.ConfigurationError, match=text):
        Configuration([Note], **options)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("schema_version", "schema_version is for local realms: the classes of a synced realm"),
        ("migration", "migration is for local realms"),
        ("initial_data_file", "would share the identity"),
        ("nonsense", "SyncConfiguration has no option nonsense"),
    ],
)
def test_a_synced_realm_refuses_what_is_for_local_ones_by_name(option, text):
    with pytest.raises(errors.ConfigurationError, match=text):
        SyncConfiguration(None, [Note], **{option: 1})


async def test_a_full_disk_leaves_no_half_copy(configuration, tmp_path):
    await fill(configuration)

    class Full:
        """The real core, but for a disk that is full."""

        def __init__(self):
            self._core = Environment().core

        def __getattr__(self, name):
            return getattr(self._core, name)

        def compact_file(self, path, *, encryption_key):
            raise errors.DiskFullError(f"the disk that holds {path} is full")

    environment = Environment(core=Full())
    with pytest.raises(errors.DiskFullError):
        await Realm.compact(configuration, environment=environment)
    compacting = like(configuration, compact_on_launch=lambda total, used: True)
    with pytest.raises(errors.DiskFullError):
        async with Realm.open(compacting, environment=environment):
            pytest.fail("it is not open")
    assert await keys_of(configuration) == [0, 1, 2]
