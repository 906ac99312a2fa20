"""Benchmarks of the whole system: a server process, devices, and real sockets on loopback."""
