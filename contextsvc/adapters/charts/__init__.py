"""Charts of a comparison of configurations."""
