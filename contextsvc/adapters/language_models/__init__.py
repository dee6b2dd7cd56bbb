"""Readers: language models that answer from a pack and score a target answer."""
