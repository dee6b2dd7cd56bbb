"""Context assembly for language models: a token-budgeted pack and how much of it was used."""

__version__ = "0.1.0"
