"""The server: configuration, accounts, the HTTP API and the sync listener.

Everything here is sockets, tasks, tokens and files of configuration. The protocol, the merging and
the store are the engine's (``skerry._core``), which this package only feeds and drains.
"""
