"""Search by vectors (FAISS) and by terms (BM25)."""
