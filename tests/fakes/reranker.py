"""Shared words instead of a cross-encoder."""

import re
from collections.abc import Sequence

import numpy as np

from contextsvc.records import Float32Array


class FakeReranker:
    """The share of the query's distinct lower-case words that occur in the text; 0 for a query without words."""

    @property
    def fingerprint(self) -> str:
        """Fixed."""
        return "fake-reranker:1"

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        """The formula above."""
        wanted = _words(query)
        return np.array([len(wanted & _words(t)) / max(1, len(wanted)) for t in texts], dtype=np.float32)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
