"""What writes cost: the time to make them durable, the time to upload them, and the bytes sent."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from skerry import Direction, ProgressMode
from story.device import Device
from story.model import Item

BAR_WIDTH = 40
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, bytes and frames; a frame is one message on the websocket."""

    write_s: float
    upload_s: float
    frames: int
    bytes: int

    def __str__(self) -> str:
        return (
            f"{self.write_s:.2f} s until all were durable, {self.upload_s:.2f} s more until all "
            f"were uploaded; {self.bytes:,} bytes in {self.frames} message{'s'[: self.frames != 1]}"
        )


class Bar:
    """A progress bar: redrawn in place on a terminal, printed once at its end elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._is_terminal = sys.stdout.isatty()

    def show(self, estimate: float) -> None:
        """Draw an estimate of 0.0 to 1.0; the last one is 1.0."""
        is_last = estimate >= 1.0
        if self._is_terminal or is_last:
            filled = int(estimate * BAR_WIDTH)
            drawn = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {int(estimate * 100):3}%"
            start = "\r" if self._is_terminal else ""
            print(f"{start}    {self._label:6} {drawn}", end="\n" if is_last else "", flush=True)


async def cost_of(device: Device, transactions: Sequence[Sequence[Item]]) -> Cost:
    """Write transactions one after the other on a device that is online, and measure them.

    Raises:
        trio.TooSlowError: It took longer than `TIMEOUT_S`.
    """
    frames, sent = device.traffic.frames_sent, device.traffic.bytes_sent
    begun = trio.current_time()
    with trio.fail_after(TIMEOUT_S):
        bar = Bar("write")
        for number, items in enumerate(transactions, start=1):
            await device.write(*items)
            bar.show(number / len(transactions))
        written = trio.current_time()
        bar = Bar("upload")
        upload = device.session.progress(Direction.UPLOAD, ProgressMode.CURRENT_CHANGES)
        async for progress in upload:
            bar.show(progress.estimate)
    return Cost(
        write_s=written - begun,
        upload_s=trio.current_time() - written,
        frames=device.traffic.frames_sent - frames,
        bytes=device.traffic.bytes_sent - sent,
    )
