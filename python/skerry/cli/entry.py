"""Where the ``skerry`` command begins: finds its parts, or says in one line how to install them.

A device's installation has the command too, but nothing of the extra that it needs.
"""

import sys
from collections.abc import Callable
from functools import partial

EXIT_NOT_INSTALLED = 2


def load() -> Callable[..., object]:
    """Return the command; without the server's extra, one that says how to install it.

    Raises:
        ModuleNotFoundError: A module of Skerry itself is absent.
    """
    try:
        from skerry.cli.main import main
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "skerry":
            raise
        return partial(_refuse, error.name)
    return main


def _refuse(module: str, *_args: object, **_options: object) -> None:
    sys.stderr.write(
        f"skerry: the command needs {module}, which is not installed: "
        'pip install "skerry[server]"\n'
    )
    raise SystemExit(EXIT_NOT_INSTALLED)
