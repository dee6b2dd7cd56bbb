"""Chunks of real corpora compared with excerpts that answer questions: `python -m benchmarks.chunking`."""
