"""Long documents of real text by the thousand, without encoding every sentence of them.

An index of 100,000 chunks has some 300,000 distinct sentences, and what an update costs grows with them, so
that sentences that recur would make it look cheap. Each sentence here is half of one of SciFact's and half of
another's, as in `synthetic`, and its vector is the direction of the sum of theirs: distinct, near those of
real sentences, and known once the abstracts are encoded.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from benchmarks.search import Abstracts
from benchmarks.synthetic import STEP, spliced
from contextsvc.ports import Embedder
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import Fingerprint

CHARS_A_DOCUMENT = 4_200
"""Least length of a document's texts: about ten chunks with what the last abstract adds."""

Halves = MutableMapping[str, tuple[int, int]]
"""Rows of the two sentences that a sentence is made of."""


@dataclass(frozen=True)
class KnownSplices:
    """An embedder that knows sentences by their halves; whatever else it is asked for goes to the model.

    Attributes:
        vectors: (n, dim) unit rows, of the sentences that others are made of.
        halves: Grows while documents are made.
    """

    embedder: Embedder
    vectors: Float32Array
    halves: Halves

    @property
    def fingerprint(self) -> Fingerprint:
        """The model's: what it embeds later lies beside these."""
        return self.embedder.fingerprint

    @property
    def dim(self) -> int:
        """The model's."""
        return self.embedder.dim

    @property
    def max_tokens(self) -> int:
        """The model's."""
        return self.embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The model's."""
        return self.embedder.count_tokens(texts)

    def embed_queries(self, texts: Sequence[str]) -> Float32Array:
        """The model's."""
        return self.embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """As `Embedder`."""
        found = np.empty((len(texts), self.dim), dtype=np.float32)
        known = [number for number, text in enumerate(texts) if text in self.halves]
        pairs = np.array([self.halves[texts[number]] for number in known], dtype=np.int64).reshape(-1, 2)
        sums = self.vectors[pairs].sum(axis=1)
        found[known] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        others = [number for number, text in enumerate(texts) if text not in self.halves]
        found[others] = self.embedder.embed_passages([texts[number] for number in others])
        return found


def documents(abstracts: Abstracts, num_documents: int, halves: Halves) -> Iterator[Document]:
    """So many, the same every time: as many texts in a row as make up a document's length.

    Args:
        abstracts: What they are made of.
        num_documents: How many.
        halves: Is told of each sentence before the document with it is given.
    """
    made = _texts(abstracts, halves)
    for number in range(num_documents):
        parts: list[str] = []
        while sum(map(len, parts)) < CHARS_A_DOCUMENT:
            parts.append(next(made))
        yield Document(
            f"doc-{number}", "\n\n".join(parts), title=f"Document {number}", source=f"spliced:{number}"
        )


def _texts(abstracts: Abstracts, halves: Halves) -> Iterator[str]:
    """The abstracts, then each again with second halves of another one's sentences, without end."""
    pairs = zip(abstracts.texts, abstracts.spans, strict=True)
    sentences = [[text[start:end] for start, end in spans] for text, spans in pairs]
    firsts = np.cumsum([0, *map(len, sentences)]).tolist()
    full = [number for number, found in enumerate(sentences) if found]
    for turn in count():
        for place, own in enumerate(full):
            other = full[(place + STEP * turn) % len(full)]
            made = spliced(sentences[own], sentences[other])
            for row, text in enumerate(made):
                halves[text] = firsts[own] + row, firsts[other] + row % len(sentences[other])
            yield " ".join(made)
