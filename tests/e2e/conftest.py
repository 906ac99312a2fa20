"""One running system per test; a failure shows what crossed the wire and the server's log."""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.support.system import System, running_system
from tests.support.waiting import within

TEST_DEADLINE_S = 90.0
RUNNING = pytest.StashKey[System]()


@pytest.fixture
async def system(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[System]:
    """A server with a proxy in front; a module's `SYSTEM` holds options for `running_system`."""
    options = getattr(request.module, "SYSTEM", {})
    async with running_system(tmp_path, **options) as running:
        request.node.stash[RUNNING] = running
        yield running


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    running = item.stash.get(RUNNING, None)
    if report.failed and running is not None:
        report.sections.append(("the system", running.story()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound every asynchronous test of this folder as a whole: what waits for ever, fails."""
    for item in items:
        is_here = Path(__file__).parent in item.path.parents
        if is_here and isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _bounded(item.obj)


def _bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*arguments: object, **fixtures: object) -> None:
        with within("the whole test", TEST_DEADLINE_S):
            await test(*arguments, **fixtures)

    return run
