"""Encrypted realms, as an application sees them."""

import os
from pathlib import Path

import pytest

from skerry import Configuration, Realm, RealmObject, primary_key
from skerry.errors import ConfigurationError, CorruptedError, EncryptionKeyError

KEY = bytes(range(64))
OTHER = bytes(64)
SECRET = "Nobody may read this without the key."


class Note(RealmObject):
    _id: int = primary_key()
    text: str = ""


def configuration(folder: Path, **options) -> Configuration:
    return Configuration([Note], directory=folder, name="notes", **options)


async def fill(target: Configuration, count: int = 3) -> None:
    async with Realm.open(target) as realm, realm.write() as txn:
        txn.add_all(Note, [Note(_id=n, text=SECRET) for n in range(count)])


async def texts(target: Configuration) -> list[str]:
    async with Realm.open(target) as realm:
        return [note.text for note in await realm.objects(Note).load()]


async def test_only_the_key_opens_a_file_and_no_file_shows_what_is_in_it(tmp_path):
    await fill(configuration(tmp_path, encryption_key=KEY))
    assert SECRET.encode() not in (tmp_path / "notes.realm").read_bytes()
    with pytest.raises(EncryptionKeyError, match=r"notes\.realm.*another key"):
        await texts(configuration(tmp_path, encryption_key=OTHER))
    with pytest.raises(EncryptionKeyError, match="is encrypted; open it with its encryption key"):
        await texts(configuration(tmp_path))
    assert await texts(configuration(tmp_path, encryption_key=KEY)) == [SECRET] * 3
    read_only = configuration(tmp_path, encryption_key=KEY, read_only=True)
    assert await texts(read_only) == [SECRET] * 3


async def test_a_damaged_file_is_no_wrong_key(tmp_path):
    target = configuration(tmp_path, encryption_key=KEY)
    await fill(target)
    path = tmp_path / "notes.realm"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptedError, match=r"notes\.realm"):
        await texts(target)


async def test_a_plain_file_is_not_opened_with_a_key(tmp_path):
    await fill(configuration(tmp_path))
    with pytest.raises(EncryptionKeyError, match="is not encrypted; open it without"):
        await texts(configuration(tmp_path, encryption_key=KEY))
    assert await texts(configuration(tmp_path)) == [SECRET] * 3


async def test_a_copy_has_another_key_or_none(tmp_path):
    await fill(configuration(tmp_path, encryption_key=KEY))
    rekeyed = configuration(tmp_path / "rekeyed", encryption_key=OTHER)
    async with Realm.open(configuration(tmp_path, encryption_key=KEY)) as realm:
        await realm.write_copy_to(rekeyed)
        await realm.write_copy_to(tmp_path / "plain" / "notes.realm")
    assert await texts(rekeyed) == [SECRET] * 3
    assert await texts(configuration(tmp_path / "plain")) == [SECRET] * 3


async def test_a_bundled_file_has_the_key_of_the_configuration(tmp_path):
    await fill(configuration(tmp_path, encryption_key=KEY))
    bundle = tmp_path / "notes.realm"
    wrong = configuration(tmp_path / "app", encryption_key=OTHER, initial_data_file=bundle)
    with pytest.raises(EncryptionKeyError, match=r"of .*notes\.realm this is a copy"):
        await texts(wrong)
    assert list((tmp_path / "app").iterdir()) == []
    right = configuration(tmp_path / "app", encryption_key=KEY, initial_data_file=bundle)
    assert await texts(right) == [SECRET] * 3


async def test_encrypted_files_are_migrated_compacted_and_deleted(tmp_path):
    await fill(configuration(tmp_path, encryption_key=KEY), 500)
    decided = []

    def decide(total: int, used: int) -> bool:
        decided.append((total, used))
        return True

    seen = []
    migrated = configuration(
        tmp_path,
        encryption_key=KEY,
        schema_version=1,
        migration=lambda migration: seen.append(migration.old_version),
        compact_on_launch=decide,
    )
    assert len(await texts(migrated)) == 500
    assert seen == [0]
    assert len(decided) == 1
    assert await Realm.compact(migrated)
    with pytest.raises(EncryptionKeyError):
        await Realm.delete_realm(configuration(tmp_path))
    assert await Realm.delete_realm(migrated)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", [b"", bytes(63), bytes(65), "x" * 64, 64])
def test_a_key_has_64_bytes(tmp_path, key):
    with pytest.raises(ConfigurationError, match="encryption_key"):
        configuration(tmp_path, encryption_key=key)


def test_a_key_is_copied_not_shown_and_not_for_memory(tmp_path):
    key = bytearray(KEY)
    target = configuration(tmp_path, encryption_key=key)
    key[0] = 99
    assert target.encryption_key == KEY
    assert KEY.hex() not in repr(target)
    assert repr(KEY)[2:12] not in repr(target)
    with pytest.raises(ConfigurationError, match="exclude each other"):
        configuration(tmp_path, encryption_key=os.urandom(64), in_memory=True)
