"""Evidence inside packs of a number of tokens: `python -m benchmarks.packs`."""
