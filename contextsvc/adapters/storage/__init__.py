"""Cache and job queue on disk."""
