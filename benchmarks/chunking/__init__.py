"""Chunks of real corpora against excerpts that answer questions: `python -m benchmarks.chunking`."""
