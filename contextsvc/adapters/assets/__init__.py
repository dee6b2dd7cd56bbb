"""Where assets are fetched from and how they are converted."""
