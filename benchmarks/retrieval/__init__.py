"""Whole documents ranked by every side, on collections with judgments: `python -m benchmarks.retrieval`."""
