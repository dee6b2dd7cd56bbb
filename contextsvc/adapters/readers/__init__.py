"""Readers: models that measure."""
