"""How much of what answers a question a pack holds, token for token: `python -m benchmarks.packs`."""
