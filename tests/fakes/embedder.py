"""An embedder by hashed words, without a model."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from contextsvc.records.arrays import Float32Array
from contextsvc.records.fingerprints import Fingerprint


class FakeEmbedder:
    """Texts that share words have similar vectors, which a person can work out.

    Each distinct lower-case word w owns one axis, `sha256(w) mod dim`. The vector has a 1 on the axis
    of each word of the text and is divided by its length; a text without words is the first axis.
    So two texts of a and b distinct words with c in common have a cosine of c / sqrt(a b), unless words
    happen to share an axis. Queries and passages are embedded in the same way. Tokens are words between
    spaces.

    Attributes:
        calls: Number of texts of each call, in order, for tests of caching.
    """

    def __init__(self, dim: int = 256, max_tokens: int = 64, fingerprint: str = "fake-embedder:1") -> None:
        self._dim = dim
        self._max_tokens = max_tokens
        self._fingerprint = Fingerprint(name=fingerprint, usage=(str(dim),))
        self.calls: list[int] = []

    @property
    def fingerprint(self) -> Fingerprint:
        """As given, with the dimension."""
        return self._fingerprint

    @property
    def dim(self) -> int:
        """As given."""
        return self._dim

    @property
    def max_tokens(self) -> int:
        """As given; nothing is ever cut."""
        return self._max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words between spaces."""
        return [len(text.split()) for text in texts]

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """The formula above."""
        return self._embed(texts)

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """The formula above."""
        return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> Float32Array:
        self.calls.append(len(texts))
        vectors = np.zeros((len(texts), self._dim), dtype=np.float32)
        for row, text in enumerate(texts):
            axes = [self._axis(word) for word in set(re.findall(r"\w+", text.lower()))]
            vectors[row, axes or [0]] = 1.0
        units: Float32Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units

    def _axis(self, word: str) -> int:
        return int(hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest(), 16) % self._dim
