"""Run the benchmarks one after the other, each on a server and folder of its own."""

import sys
import tempfile
from pathlib import Path

import trio

from benches.python import fanout, latency, million, million_file, queries

BENCHES = {
    "latency": latency.run,
    "fanout": fanout.run,
    "queries": queries.run,
    "million": million.run,
    "million-file": million_file.run,
}


def main() -> None:
    """Run those named on the command line, or all."""
    for name in sys.argv[1:] or BENCHES:
        with tempfile.TemporaryDirectory(prefix="skerry-bench-") as folder:
            trio.run(BENCHES[name], Path(folder))


main()
