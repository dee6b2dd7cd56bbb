"""Indexes on disk: their generations (published versions), the content of their files, and open indexes."""
