"""Sources of assets and their conversion."""
