"""The store of a server that has no other: one DuckDB file."""

from citywarden.store.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
