"""Tables of ``skerry inspect`` for people to read; programs take ``--json``.

Everything goes to the console as `Text`, never as markup: names and values are the file's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skerry.cli.inspect_values import age, cut, size, time, to_text
from skerry.cli.inspection import (
    Answer,
    ClassFacts,
    EntryDetail,
    FileFacts,
    Finding,
    HistoryPage,
    Lines,
    LogFacts,
    LogIndex,
    PropertyFacts,
    RealmFacts,
    Report,
    TableFacts,
)

_ACCESS = {
    "at_rest": "at rest, nobody writes to it",
    "shared": "with its log, beside others that may have it open",
    "recovering": "with a log that had no usable index",
}
# Columns of numbers, by their titles.
_NUMBERS = frozenset({"objects", "dangling", "entries", "bytes", "size", "unused", "pages"})


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints what was found.

    Args:
        console: Where to.
        limit: Rows of a table at most.
        width: Characters of a value at most.
        now_ms: Unix time, for how long ago something was.
    """

    console: Console
    limit: int
    width: int
    now_ms: int

    def report(self, report: Report) -> None:
        """Print everything about a file."""
        self.facts(report)
        self.classes(report["classes"])
        self.schema(report["classes"])
        if report["realm"] is not None:
            self._history(report["realm"])
            self._subscriptions(report["realm"])
        if report["tables"] is not None:
            self._tables(report["tables"])

    def facts(self, report: Report) -> None:
        """Print what is not a list."""
        rows = [*self._file(report["file"], report["kind"]), *self._log(report["log"])]
        agent = report["sync_agent"]
        pids = f", process {_listed(agent['pids'])}" if agent["pids"] else ""
        rows.append(("sync agent", f"{agent['state']}{pids}"))
        if report["realm"] is not None:
            rows += _realm(report["realm"])
        if report["server"] is not None:
            server = report["server"]
            rows += [
                ("version", str(server["version"])),
                ("clients", str(server["clients"])),
                (
                    "history",
                    f"{server['history_entries']} entries on "
                    f"{server['touched_objects']} objects, {size(server['instruction_bytes'])}",
                ),
            ]
        grid = Table.grid(padding=(0, 2))
        for name, value in rows:
            grid.add_row(Text(name, style="bold"), self._text(value, len(value)))
        self.console.print(grid)
        self.console.print()

    def classes(self, classes: Sequence[ClassFacts]) -> None:
        """Print the classes with how many objects they have."""
        is_full = any(one["dangling_links"] is not None for one in classes)
        rows = (
            (
                one["name"],
                "embedded" if one["objects"] is None else str(one["objects"]),
                *((_number(one["dangling_links"]),) if is_full else ()),
                one["primary_key"] or "",
            )
            for one in classes
        )
        titles = ("class", "objects", *(("dangling",) if is_full else ()), "primary key")
        self._table(titles, list(rows))

    def schema(self, classes: Iterable[ClassFacts]) -> None:
        """Print the properties of classes."""
        rows = [
            (one["name"], prop["name"], property_type(prop), _marks(prop))
            for one in classes
            for prop in one["properties"]
        ]
        self._table(("class", "property", "type", ""), rows)

    def answer(self, answer: Answer) -> None:
        """Print the rows of a query."""
        rows = [tuple(to_text(value, self.width) for value in row) for row in answer.rows]
        self._table(answer.properties, rows, total=answer.total)
        noun = "object" if answer.total == 1 else "objects"
        self._say(f"{answer.total} {noun}")

    def history(self, page: HistoryPage) -> None:
        """Print entries of the history."""
        rows = [
            (
                str(entry["version"]),
                str(entry["origin"]),
                time(entry["stamp_ms"]),
                str(entry["server_version"]),
                size(entry["bytes"]),
                "" if entry["reciprocal_bytes"] is None else size(entry["reciprocal_bytes"]),
                str(entry["instructions"]),
                ", ".join(f"{name} ({count})" for name, count in entry["classes"].items()),
            )
            for entry in page["entries"]
        ]
        titles = (
            "version",
            "origin",
            "made",
            "server version",
            "size",
            "merged",
            "instructions",
            "classes",
        )
        self._table(titles, rows, total=page["total"])
        self._say(f"{page['total']} entries")

    def entry(self, detail: EntryDetail) -> None:
        """Print an entry of the history with its instructions."""
        self.history({"total": 1, "entries": [detail["entry"]]})
        self._lines("instructions", detail["instructions"])
        if detail["reciprocal"] is not None:
            self._lines("what merging has made of them", detail["reciprocal"])

    def findings(self, findings: Sequence[Finding]) -> None:
        """Print what is wrong."""
        if not findings:
            self._say("sound: nothing wrong was found")
            return
        self._table(
            ("place", "finding"),
            [(one["place"], one["what"]) for one in findings],
            width=max(len(one["what"]) for one in findings),
        )

    def _file(self, file: FileFacts, kind: str) -> list[tuple[str, str]]:
        free = file["free_pages"] * file["page_size_bytes"]
        modified = file["modified_ms"]
        ago = "" if modified is None else f", written {age(modified, self.now_ms)}"
        kinds = {"realm": "realm file", "server": "server's store"}
        return [
            ("file", file["path"]),
            ("kind", f"{kinds.get(kind, kind)}, format {file['format']}"),
            (
                "size",
                f"{size(file['size_bytes'])} in {file['pages']} pages of "
                f"{size(file['page_size_bytes'])}, {size(free)} free{ago}",
            ),
            ("read", _ACCESS.get(file["access"], file["access"])),
        ]

    def _log(self, log: LogFacts) -> list[tuple[str, str]]:
        if log["size_bytes"] is None:
            return [("log", "none")]
        modified = log["modified_ms"]
        ago = "" if modified is None else f", written {age(modified, self.now_ms)}"
        rows = [("log", f"{size(log['size_bytes'])}{ago}")]
        index = log["index"]
        if index is not None:
            rows += _index(index)
        return rows

    def _history(self, realm: RealmFacts) -> None:
        rows = [
            (
                str(one["origin"]),
                str(one["entries"]),
                size(one["bytes"]),
                size(one["reciprocal_bytes"]),
            )
            for one in realm["history"]["origins"]
        ]
        if rows:
            self._table(("history of", "entries", "size", "merged"), rows)

    def _subscriptions(self, realm: RealmFacts) -> None:
        rows = []
        for one in realm["subscription_sets"]:
            is_active = one["version"] == realm["active_subscriptions"] != 0
            active = " (in force)" if is_active else ""
            state = f"{one['state']}{active}"
            if one["error_message"] is not None:
                state += f": {one['error_message']}"
            head = (str(one["version"]), state)
            for item in one["items"]:
                rows.append((*head, item["name"] or "", item["class_name"], item["query"]))
                head = ("", "")
            if not one["items"]:
                rows.append((*head, "", "", "no subscriptions"))
        if rows:
            titles = ("subscriptions", "state", "name", "class", "query")
            self._table(titles, rows, width=max(self.width, 100))

    def _tables(self, tables: Sequence[TableFacts]) -> None:
        rows = [
            (
                one["name"],
                one["class_name"] or "",
                str(one["pages"]),
                size(one["bytes"]),
                size(one["unused_bytes"]),
            )
            for one in tables
        ]
        self._table(("table or index", "class", "pages", "size", "unused"), rows)

    def _lines(self, title: str, lines: Lines) -> None:
        self._say(f"{title}:")
        for line in lines["lines"]:
            self._say(f"  {line}")
        self._more(len(lines["lines"]), lines["total"])

    def _table(
        self,
        titles: Sequence[str],
        rows: Sequence[tuple[str, ...]],
        *,
        total: int | None = None,
        width: int | None = None,
    ) -> None:
        width = self.width if width is None else width
        table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
        for title in titles:
            side = "right" if title in _NUMBERS else "left"
            table.add_column(
                self._text(title, width), justify="right" if side == "right" else "left"
            )
        for row in rows[: self.limit]:
            table.add_row(*(self._text(value, width) for value in row))
        self.console.print(table)
        self._more(min(len(rows), self.limit), len(rows) if total is None else total)
        self.console.print()

    def _more(self, shown: int, total: int) -> None:
        if shown < total:
            self._say(f"… and {total - shown} more; --limit shows more")

    def _say(self, line: str) -> None:
        self.console.print(self._text(line, len(line)))

    def _text(self, text: str, width: int) -> Text:
        return Text(cut(text, width))


def _realm(realm: RealmFacts) -> list[tuple[str, str]]:
    rows = [
        ("version", f"{realm['version']}, {'synced' if realm['synced'] else 'local'}"),
    ]
    if not realm["synced"]:
        return rows
    history, down, up = realm["history"], realm["download_cursor"], realm["upload_cursor"]
    ident = realm["file_ident"]
    pending = history["pending_uploads"]
    rows += [
        ("file ident", str(ident) if ident else "none yet"),
        ("last stamp", time(realm["last_stamp_ms"])),
        (
            "downloaded",
            f"server version {down['server_version']} of "
            f"{realm['latest_server_version']}, which has own version {down['client_version']}",
        ),
        (
            "uploaded",
            f"own version {up['client_version']}, based on server version {up['server_version']}",
        ),
        ("to upload", f"{pending} changesets, {size(history['pending_upload_bytes'])}"),
    ]
    staged = realm["bootstrap"]
    if staged is not None:
        state = "complete" if staged["complete"] else "incomplete"
        rows.append(
            (
                "staged bootstrap",
                f"{state}, for subscriptions {staged['query_version']}: "
                f"{staged['entries']} entries, {size(staged['bytes'])}",
            )
        )
    return rows


def _index(index: LogIndex) -> list[tuple[str, str]]:
    waiting = index["frames"] - index["moved_frames"]
    rows = [
        (
            "in the log",
            f"{index['frames']} pages, {waiting} not yet in the file"
            f" ({size(waiting * index['frame_size_bytes'])})",
        ),
    ]
    pinned, readers = index["pinned_frames"], index["readers"]
    if pinned is None or readers is None:
        rows.append(("pinned", "not known: the system does not tell who reads"))
    elif not readers:
        rows.append(("pinned", "nothing: nobody reads"))
    else:
        rows.append(("pinned", f"{pinned} pages ({size(pinned * index['frame_size_bytes'])})"))
        for reader in readers:
            behind = index["frames"] - reader["frames"]
            version = "a version" if reader["version"] is None else f"version {reader['version']}"
            ago = f", {behind} pages of the log ago" if behind else ", the newest"
            rows.append(("", f"process {_listed(reader['pids'])} reads {version}{ago}"))
    if index["writer_pids"]:
        rows.append(("writing", f"process {_listed(index['writer_pids'])}"))
    return rows


def property_type(prop: PropertyFacts) -> str:
    """Return the type of a property, such as ``list<string?>`` or ``Item?``."""
    kind = prop["target"] if prop["target"] is not None else prop["type"]
    kind += "?" if prop["nullable"] else ""
    return kind if prop["collection"] == "single" else f"{prop['collection']}<{kind}>"


def _marks(prop: PropertyFacts) -> str:
    marks = ["primary key"] if prop["primary_key"] else []
    if prop["indexed"] is not None:
        marks.append({"general": "indexed", "fulltext": "full-text index"}[prop["indexed"]])
    return ", ".join(marks)


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _listed(pids: Iterable[int]) -> str:
    """Return processes as text; where the system hides one, its number is 0 or less."""
    return ", ".join(str(pid) if pid > 0 else "unknown" for pid in pids)
