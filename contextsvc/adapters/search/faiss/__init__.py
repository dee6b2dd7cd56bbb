"""Vector search with FAISS, exact and approximate."""
