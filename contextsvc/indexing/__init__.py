"""Indexing: documents become an index."""
