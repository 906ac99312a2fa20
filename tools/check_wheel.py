"""Uses an installed Skerry the way its first user would: import it, write to a realm, read it back.

Run by tools/check_wheel.sh with the Python of an empty environment, outside this checkout. The one
argument is a folder for the realm file. It proves that the wheel is whole and that its metadata
names every dependency of a device; it does not test behaviour.
"""

from __future__ import annotations

import importlib.resources
import sys
from pathlib import Path

import trio

import skerry
from skerry import Configuration, Realm, RealmObject, primary_key


class Note(RealmObject):
    """The smallest model that has a key and a value."""

    id: int = primary_key()
    text: str = ""


def check_contents() -> None:
    """Check that the public names resolve and that the typing files came along.

    Raises:
        SystemExit: something is missing; the message names it.
    """
    files = importlib.resources.files("skerry")
    missing = [name for name in skerry.__all__ if not hasattr(skerry, name)]
    missing += [name for name in ("py.typed", "_core.pyi") if not files.joinpath(name).is_file()]
    if missing:
        sys.exit(f"the wheel lacks {', '.join(missing)}")


async def check_realm(folder: Path) -> None:
    """Write one object, close, open again and find it.

    Raises:
        SystemExit: the object did not survive.
    """
    configuration = Configuration([Note], directory=folder, name="check")
    async with Realm.open(configuration) as realm, realm.write() as txn:
        txn.add(Note(id=1, text="kept"))
    async with Realm.open(configuration) as realm:
        found = [note.id for note in realm.query(Note, "text == $0", "kept")]
    if found != [1]:
        sys.exit(f"wrote one object with the key 1, found the keys {found}")


def main() -> None:
    """Run both checks; silent if they hold."""
    check_contents()
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    trio.run(check_realm, folder)


if __name__ == "__main__":
    main()
