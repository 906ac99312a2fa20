"""What tests of applications and of Skerry itself use instead of a network."""

from skerry.testing.memory_link import MemoryLink, memory_link_pair

__all__ = ["MemoryLink", "memory_link_pair"]
