"""``python -m skerry.testing.conformance``."""

import sys

from skerry.testing.conformance.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
