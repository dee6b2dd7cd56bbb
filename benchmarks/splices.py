"""Thousands of long documents of real text whose sentences need not be encoded.

The cost of an update grows with the number of distinct sentences, about 300,000 for 100,000 chunks; repeated
sentences would make updates look cheap. Each sentence here joins halves of two SciFact sentences, as in
`synthetic`. Its vector is the normalised sum of their vectors: distinct, and near those of real sentences.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from benchmarks.search import Abstracts, Wrapped
from benchmarks.synthetic import STEP, spliced
from contextsvc.records.arrays import Float32Array
from contextsvc.records.documents import Document

CHARS_A_DOCUMENT = 4_200
"""Least length of a document: about ten chunks."""

Halves = MutableMapping[str, tuple[int, int]]
"""Rows of the two sentences that a spliced sentence is made of."""


@dataclass(frozen=True)
class KnownSplices(Wrapped):
    """An embedder that computes vectors of spliced sentences from their halves.

    Attributes:
        vectors: (n, dim) unit rows, of the sentences that others are made of.
        halves: Grows while documents are made.
    """

    vectors: Float32Array
    halves: Halves

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
    """Documents, the same every time; `halves` gets each sentence before the document that holds it."""
    made = _texts(abstracts, halves)
    for number in range(num_documents):
        parts: list[str] = []
        while sum(map(len, parts)) < CHARS_A_DOCUMENT:
            parts.append(next(made))
        yield Document(
            f"doc-{number}", "\n\n".join(parts), title=f"Document {number}", source=f"spliced:{number}"
        )


def _texts(abstracts: Abstracts, halves: Halves) -> Iterator[str]:
    """The abstracts, then each with second halves of another one's sentences; endless."""
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
