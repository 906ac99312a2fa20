"""Progress: what a stream shows, and that it waits when it has nothing new to show."""

import pytest
import trio

from skerry.client.streams import ProgressMode, ProgressStream


async def waits(stream):
    """Tell whether the next element must be waited for."""
    with trio.move_on_after(0) as scope:
        await anext(stream)
    return scope.cancelled_caught


@pytest.mark.parametrize("known", [0.0, 0.4])
async def test_an_estimate_is_shown_once(known):
    stream = ProgressStream(ProgressMode.CURRENT_CHANGES, known)
    assert (await anext(stream)).estimate == known
    assert await waits(stream)


async def test_current_changes_never_fall_and_end_with_one():
    stream = ProgressStream(ProgressMode.CURRENT_CHANGES, None)
    shown = []
    for estimate in (0.0, 0.5, 0.25, 1.0, 0.75):
        stream.put(estimate)
        with trio.move_on_after(0):
            shown.append((await anext(stream)).estimate)
    stream.finish()
    shown += [progress.estimate async for progress in stream]
    assert shown == [0.0, 0.5, 0.75, 1.0]


async def test_indefinite_progress_may_fall_and_is_shown_once():
    stream = ProgressStream(ProgressMode.INDEFINITELY, 1.0)
    assert (await anext(stream)).estimate == 1.0
    assert await waits(stream)
    stream.put(0.5)
    assert (await anext(stream)).estimate == 0.5
    assert await waits(stream)
