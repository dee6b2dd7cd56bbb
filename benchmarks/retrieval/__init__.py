"""Documents ranked by each side, on collections with judgments: `python -m benchmarks.retrieval`."""
