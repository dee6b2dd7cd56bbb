"""A pack becomes a measurement."""
