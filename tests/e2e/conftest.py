"""One running system per test; a failure shows what crossed the wire and the server's log."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.system import System, running_system

STORIES = pytest.StashKey[str]()


@pytest.fixture
async def system(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[System]:
    """A server and a proxy in front; options come from the marker-like attribute `SYSTEM`."""
    options = getattr(request.module, "SYSTEM", {})
    async with running_system(tmp_path, **options) as running:
        request.node.stash[STORIES] = running
        yield running


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    running = item.stash.get(STORIES, None)
    if report.failed and running is not None:
        report.sections.append(("the system", running.story()))
