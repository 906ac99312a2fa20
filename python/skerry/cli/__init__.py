"""The command line: ``skerry serve`` (the entry point is `main`)."""

from skerry.cli.main import main

__all__ = ["main"]
