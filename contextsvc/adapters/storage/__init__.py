"""The cache and the job queue on disk."""
