"""Documents become an index."""
