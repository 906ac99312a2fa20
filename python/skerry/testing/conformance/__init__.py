"""Recorded programs, run through the product: ``python -m skerry.testing.conformance``.

Nothing here stands in for a part of Skerry: the files are realm files, the client and the server
are those that applications get, only the sockets and the clock are left out. What the outcomes must
be was recorded from another engine, so that agreement is not agreement with ourselves.
"""
