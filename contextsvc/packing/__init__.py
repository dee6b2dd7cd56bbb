"""Packing: make a context pack for a query."""
