"""The tutorial is right: its blocks run in the order of the page and print what the page says.

A ```python block is run as it is printed; a ```text block right behind it is what it prints, to the
letter, and a block without one prints nothing. Only the address of the server is another, since
tests choose free ports.
"""

import contextlib
import io
import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from tests.support.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(r'^SERVER = "(.*)"$', re.MULTILINE)
MODULE = "tutorial_page"


@dataclass(frozen=True)
class Block:
    """A program of the page, where it stands, and what it is said to print."""

    line: int
    source: str
    output: str


def blocks_of(text: str) -> list[Block]:
    """Return the programs of a page, each with the output that follows it."""
    blocks: list[Block] = []
    for found in FENCE.finditer(text):
        language, body = found[1], found[2]
        line = text.count("\n", 0, found.start()) + 2
        if language == "python":
            blocks.append(Block(line, body, ""))
        elif language == "text":
            assert blocks, f"line {line}: an output stands before the first program"
            last = blocks[-1]
            assert last.output == "", f"line {line}: a second output of the program at {last.line}"
            blocks[-1] = Block(last.line, last.source, body)
        else:
            assert language == "console", f"line {line}: nothing is known of ```{language} blocks"
    return blocks


def run_block(block: Block, names: dict[str, object]) -> str:
    """Run a block and return what it printed; its lines are those of the page in a traceback."""
    code = compile("\n" * (block.line - 1) + block.source, str(PAGE), "exec")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return printed.getvalue()


@pytest.fixture
def page_names(monkeypatch, tmp_path):
    """The names of a fresh module, in a folder of its own: models look their annotations up."""
    module = types.ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return module.__dict__


@pytest.fixture
def server(tmp_path):
    """Serve the configuration that the page names."""
    served = re.search(r"skerry serve --config (\S+)$", PAGE.read_text(), re.MULTILINE)
    assert served is not None, "the page does not say how to start a server"
    (tmp_path / "server").mkdir()
    process = ServerProcess(ROOT / served[1], tmp_path / "server")
    try:
        trio.run(process.start)
        yield process
        trio.run(process.stop)
    finally:
        process.kill_if_running()


def test_the_blocks_run_and_print_what_the_page_says(page_names, server):
    text = PAGE.read_text(encoding="utf-8")
    assert len(ADDRESS.findall(text)) == 1, "the page sets SERVER once"
    for block in blocks_of(text):
        here = Block(block.line, ADDRESS.sub(f'SERVER = "{server.http_url}"', block.source), "")
        assert (block.line, run_block(here, page_names)) == (block.line, block.output)


def test_no_block_ends_early_at_a_prompt():
    """A blank line ends a function at Python's prompt, so none has one inside."""
    for block in blocks_of(PAGE.read_text(encoding="utf-8")):
        early = re.search(r"\n\n+[ \t].*", block.source)
        assert early is None, f"the block at line {block.line}: {early[0].strip()}"


def test_the_default_address_is_that_of_a_server_without_options():
    (address,) = ADDRESS.findall(PAGE.read_text(encoding="utf-8"))
    settings = (ROOT / "docs" / "server-configuration.md").read_text(encoding="utf-8")
    host, port = re.search(r'^host = "(.*)"\nhttp_port = (\d+)', settings, re.MULTILINE).groups()
    assert address == f"http://{host}:{port}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nprint(1)\n```\n```text\n1\n```\n", [Block(2, "print(1)\n", "1\n")]),
        ("words\n\n```python\nx = 1\n```\n", [Block(4, "x = 1\n", "")]),
        ("```console\n$ make\n```\n", []),
    ],
)
def test_blocks_are_found_with_their_outputs(text, expected):
    assert blocks_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "```text\n1\n```\n",
        "```python\nx\n```\n```text\n1\n```\n```text\n2\n```\n",
        "```py\nx\n```\n",
    ],
)
def test_a_page_that_could_go_untested_is_refused(text):
    with pytest.raises(AssertionError, match="line"):
        blocks_of(text)


def test_what_a_block_prints_is_seen():
    assert run_block(Block(1, "print(1 + 1)\n", "3\n"), {}) == "2\n"
