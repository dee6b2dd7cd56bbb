"""An index on disk, what its files mean, and which indexes are open."""
