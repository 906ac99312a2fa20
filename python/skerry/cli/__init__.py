"""The command line: ``skerry serve`` and ``skerry inspect`` (the entry point is `main`)."""

from skerry.cli.entry import load

main = load()

__all__ = ["main"]
