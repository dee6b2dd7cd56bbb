"""A reranker whose scores can be worked out by eye."""

import re
from collections.abc import Sequence

import numpy as np

from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint

_WORD = re.compile(r"\w+")


class FakeReranker:
    """A `ports.Reranker`: the share of the query's distinct words that a text holds."""

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(name="fake-reranker", weights="1")

    def score(self, query: str, texts: Sequence[str]) -> Float32Array:
        words = set(_WORD.findall(query.lower()))
        shares = [len(words & set(_WORD.findall(text.lower()))) / max(1, len(words)) for text in texts]
        return np.array(shares, dtype=np.float32)
