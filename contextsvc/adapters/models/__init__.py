"""Models that embed texts and rerank chunks."""
