"""A query becomes a pack."""
