"""Packing: a query becomes a context pack."""
