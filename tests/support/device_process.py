"""A device in a process of its own, to be killed: opens a realm and waits for its data.

Run as ``python -m tests.support.device_process BASE_URL FOLDER EMAIL``. When its subscriptions are
complete it prints the number of its objects and ends.
"""

import sys
from pathlib import Path

import trio

from tests.support.devices import log_in, open_app, open_device, settle

SETTLE_S = 60.0


async def run(base_url: str, folder: str, email: str) -> None:
    """Be the device."""
    async with open_app(base_url, Path(folder)) as app:
        user = await log_in(app, email)
        async with open_device(app, user) as device:
            await settle(device, seconds=SETTLE_S)
            sys.stdout.write(f"{len(device.objects)}\n")


if __name__ == "__main__":
    trio.run(run, *sys.argv[1:])
