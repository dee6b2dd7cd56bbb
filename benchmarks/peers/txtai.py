"""txtai as its documentation sets it up: an `Embeddings` database that keeps content, whole texts in it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from txtai import Embeddings

from benchmarks.peers.protocol import Passage, Text


class Dense:
    """Vectors in FAISS: flat up to 5,000 texts, inverted lists above that, which is its default.

    Texts are not split, as in all examples of its pages. `maxlength` is left alone: the model reads as far
    as its tokenizer goes, 512 tokens of MiniLM, where sentence-transformers stops after 256.

    Source: https://neuml.github.io/txtai/pipeline/llm/rag/ and
    https://neuml.github.io/txtai/embeddings/configuration/vectors/
    """

    packages = ("txtai", "transformers", "torch", "faiss-cpu")
    _hybrid = False

    def __init__(self, model: Path) -> None:
        self._embeddings: Any = Embeddings(path=str(model), content=True, hybrid=self._hybrid)
        self._embeddings.transform("warm")
        self._texts: list[str] = []

    def build(self, documents: Iterable[Text]) -> int:
        """As `Side`; `index` writes over what was there."""
        self._texts = []
        self._embeddings.index(self._rows(documents))
        return len(self._texts)

    def _rows(self, documents: Iterable[Text]) -> Iterator[tuple[str, str, None]]:
        for text in documents:
            self._texts.append(text.text)
            yield text.doc_id, text.text, None

    def embedded(self) -> Iterable[str]:
        """The texts; `worker` counts all past 256 tokens as cut, but here the next 256 were read, too."""
        return iter(self._texts)

    def ask(self, query: str, k: int) -> list[Passage]:
        """By cosine, or by what `hybrid` makes of it; results at or below nought are left out by txtai."""
        found = self._embeddings.search(query, k)
        return [Passage(row["id"], row["text"], row["score"], 0, len(row["text"])) for row in found]


class Hybrid(Dense):
    """With a BM25 index beside the vectors: half of each score, BM25's brought to the scale of a cosine.

    Source: https://neuml.github.io/txtai/embeddings/configuration/general/#hybrid
    """

    _hybrid = True
