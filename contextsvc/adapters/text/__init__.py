"""Blocks, sentences, tokens and likeness of texts."""
