"""Strategies for generated documents."""
