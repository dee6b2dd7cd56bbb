"""Indexes on disk: their generations, the meaning of their files, and the indexes that are open."""
