"""What ``skerry inspect`` asks of a file: typed answers, and questions as people write them.

The members are those of ``docs/inspect.md``, and what ``--json`` prints: there may come more, and
none changes its meaning.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from skerry.errors import QueryError
from skerry.types import Content

MATCH_ALL = "TRUEPREDICATE"


class FileFacts(TypedDict):
    """The file itself; ``access`` is at_rest, shared or recovering."""

    path: str
    format: int
    size_bytes: int
    modified_ms: int | None
    page_size_bytes: int
    pages: int
    free_pages: int
    access: str


class ReaderFacts(TypedDict):
    """Readers that need the log up to one frame, and the oldest version that they may read."""

    frames: int
    version: int | None
    pids: list[int]


class LogIndex(TypedDict):
    """What the index of the write-ahead log says; None is what the system does not tell."""

    frame_size_bytes: int
    frames: int
    moved_frames: int
    pinned_frames: int | None
    readers: list[ReaderFacts] | None
    writer_pids: list[int] | None


class LogFacts(TypedDict):
    """The write-ahead log; all None when there is none."""

    size_bytes: int | None
    modified_ms: int | None
    index: LogIndex | None


class AgentFacts(TypedDict):
    """Whether a process syncs the file: running, none or unknown."""

    state: str
    pids: list[int]


class OriginFacts(TypedDict):
    """Entries of the history by origin: own, server, or the ident of a client file."""

    origin: str | int
    entries: int
    bytes: int
    reciprocal_bytes: int


class HistoryFacts(TypedDict):
    """The history of a synced file."""

    origins: list[OriginFacts]
    first_version: int | None
    last_version: int | None
    pending_uploads: int
    pending_upload_bytes: int


class Cursor(TypedDict):
    """How far the synchronisation has come in one direction."""

    server_version: int
    client_version: int


class SubscriptionFacts(TypedDict):
    """A subscription."""

    id: str
    name: str | None
    class_name: str
    query: str
    created_ms: int
    updated_ms: int


class SubscriptionSetFacts(TypedDict):
    """A stored subscription set."""

    version: int
    state: str
    snapshot_version: int
    error_message: str | None
    items: list[SubscriptionFacts]


class BootstrapFacts(TypedDict):
    """A staged bootstrap."""

    query_version: int
    complete: bool
    entries: int
    bytes: int


class RealmFacts(TypedDict):
    """What a device's file holds beside objects."""

    synced: bool
    version: int
    last_stamp_ms: int | None
    file_ident: int
    download_cursor: Cursor
    upload_cursor: Cursor
    latest_server_version: int
    history: HistoryFacts
    active_subscriptions: int
    subscription_sets: list[SubscriptionSetFacts]
    bootstrap: BootstrapFacts | None


class ServerFacts(TypedDict):
    """What a server's store holds beside objects."""

    version: int
    history_entries: int
    touched_objects: int
    instruction_bytes: int
    clients: int


class PropertyFacts(TypedDict):
    """A property."""

    name: str
    type: str
    nullable: bool
    collection: str
    target: str | None
    indexed: str | None
    primary_key: bool


class ClassFacts(TypedDict):
    """A class; objects and dangling links are None for embedded ones."""

    name: str
    embedded: bool
    primary_key: str | None
    objects: int | None
    dangling_links: int | None
    properties: list[PropertyFacts]


class TableFacts(TypedDict):
    """What room a table or index takes."""

    name: str
    class_name: str | None
    pages: int
    bytes: int
    unused_bytes: int


class Report(TypedDict):
    """Everything about a file but its objects; ``kind`` is realm or server."""

    kind: str
    file: FileFacts
    log: LogFacts
    sync_agent: AgentFacts
    realm: RealmFacts | None
    server: ServerFacts | None
    classes: list[ClassFacts]
    tables: list[TableFacts] | None


class EntryFacts(TypedDict):
    """An entry of the history."""

    version: int
    origin: str | int
    stamp_ms: int | None
    server_version: int
    bytes: int
    reciprocal_bytes: int | None
    instructions: int
    classes: dict[str, int]


class HistoryPage(TypedDict):
    """The newest entries of the history."""

    total: int
    entries: list[EntryFacts]


class Lines(TypedDict):
    """The first instructions of a changeset."""

    total: int
    lines: list[str]


class EntryDetail(TypedDict):
    """An entry with its instructions; ``reciprocal`` is what merging has made of them, if any."""

    entry: EntryFacts
    instructions: Lines
    reciprocal: Lines | None


class Finding(TypedDict):
    """Something that is wrong with a file."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The first rows of a query.

    Attributes:
        class_name: The class.
        rql: The query.
        total: How many objects it gives.
        properties: Their properties.
        rows: What the first of them hold, in that order.
    """

    class_name: str
    rql: str
    total: int
    properties: list[str]
    rows: list[tuple[Content, ...]]


class Inspection:
    """A file that is looked into; nothing of it is held open between calls. Every call blocks.

    Args:
        path: The file.
        encryption_key: The 64 bytes it is encrypted with; None for a plain file.

    Raises:
        StoreError: The file cannot be read; its kinds say why. So does every call.
    """

    def __init__(self, path: Path, encryption_key: bytes | None = None) -> None:
        from skerry._core import Inspector

        self._inspector = Inspector.open(path, encryption_key=encryption_key)

    def report(self, *, full: bool = False) -> Report:
        """Return what the file is and holds; `full` reads the whole file."""
        return cast("Report", json.loads(self._inspector.report(full=full)))

    def query(self, question: str, limit: int) -> Answer:
        """Return the first `limit` objects of a question, ``CLASS`` or ``CLASS: RQL``.

        Raises:
            QueryError: It names no class of the file, or its query is wrong.
        """
        classes = {one["name"] for one in self.report()["classes"] if not one["embedded"]}
        class_name, rql = split_question(question, classes)
        properties, rows, total = self._inspector.query(class_name, rql, limit)
        return Answer(class_name, rql, total, properties, rows)

    def history(self, limit: int) -> HistoryPage:
        """Return the newest `limit` entries of the history.

        Raises:
            IllegalStateError: The file is a server's store.
        """
        return cast("HistoryPage", json.loads(self._inspector.history(limit)))

    def entry(self, version: int, limit: int) -> EntryDetail | None:
        """Return an entry with its first `limit` instructions, or None when there is none.

        Raises:
            IllegalStateError: The file is a server's store.
        """
        found = self._inspector.instructions(version, limit)
        return None if found is None else cast("EntryDetail", json.loads(found))

    def check(self, limit: int) -> list[Finding]:
        """Return what is wrong with the file, at most `limit` findings; reads the whole file."""
        return [{"place": place, "what": what} for place, what in self._inspector.check(limit)]


def split_question(question: str, classes: Collection[str]) -> tuple[str, str]:
    """Return the class of a question and its query.

    A class may have a colon in its name, so the longest that fits is taken.

    Raises:
        QueryError: It begins with no class.
    """
    question = question.strip()
    for name in sorted(classes, key=len, reverse=True):
        rest = question.removeprefix(name).lstrip()
        if question.startswith(name) and rest[:1] in ("", ":"):
            return name, rest[1:].strip() or MATCH_ALL
    known = ", ".join(sorted(classes)) or "none"
    raise QueryError(f"no class of the file in {question!r}: write CLASS: RQL; classes are {known}")
