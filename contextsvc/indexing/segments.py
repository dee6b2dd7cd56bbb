"""Segments of a build: documents are parsed, split, embedded, chunked and written as small corpora.

A segment is a corpus in a folder of its own. A build makes one after the other and merges them at the end:
finished segments survive an interruption, and an update is a build whose first segment is the current
generation.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from contextsvc.indexing.chunking import Bounds, chunk_bounds, pooled_vectors
from contextsvc.indexing.sentences import cut_sentences
from contextsvc.ports import BlockParser, Embedder, NearDuplicateIndex, SentenceSplitter, TokenCounter
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.documents import Chunk, Document, Format, Sentence
from contextsvc.records.fingerprints import digest
from contextsvc.records.spans import Span
from contextsvc.storage.corpus import NOWHERE, Corpus, CorpusWriter, KnownSentences, Vectors, sentence_key
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.library import OpenSearch

MAX_CHARS = 4_000_000
"""Characters of the texts whose results a `Memo` keeps: several versions of a manual."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class PreviousGeneration:
    """The generation that an update starts from; its search structures are updated instead of built anew.

    Attributes:
        folder: Its folder; all its files were verified.
        chunks: (num_chunks,) number in this generation of each chunk of the new corpus, -1 for a new one.
    """

    folder: Path
    chunks: Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParts:
    """Parts and limits that an index is built with.

    Attributes:
        parsers: Parser of each document format.
        write_search: Writes the search structures of a corpus into its folder and returns settings for the
            manifest. With a previous generation the structures must answer as well as without.
        open_search: Opens these search structures.
        min_tokens: Smallest chunk, where avoidable.
        max_tokens: Largest chunk, always.
        make_near_duplicate_index: Makes an empty index of near-duplicates for a least similarity; None as its
            result: near-duplicates are not searched for.
    """

    parsers: Mapping[Format, BlockParser]
    splitter: SentenceSplitter
    counter: TokenCounter
    embedder: Embedder
    write_search: Callable[[Path, Corpus, PreviousGeneration | None], Mapping[str, object]]
    open_search: OpenSearch
    min_tokens: int
    max_tokens: int
    make_near_duplicate_index: Callable[[float], NearDuplicateIndex | None] = lambda _: None

    @property
    def settings(self) -> dict[str, object]:
        """Settings that shape chunks; an index holds only chunks of equal settings."""
        return {
            "chunk_min_tokens": self.min_tokens,
            "chunk_max_tokens": self.max_tokens,
            "tokenizer": self.counter.name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CutDocuments:
    """Documents cut into sentences.

    Attributes:
        documents: The documents.
        sentences: Sentences of each document, in order.
        numbers: For each document the numbers of its sentences among the distinct ones.
        titles: Number of each document's title among the distinct sentences, -1 for no title.
        keys: Key of each distinct sentence, in order of first occurrence.
        texts: Text of each distinct sentence.
    """

    documents: Sequence[Document]
    sentences: Sequence[Sequence[Sentence]]
    numbers: Sequence[Int64Array]
    titles: Sequence[int]
    keys: Sequence[bytes]
    texts: Sequence[str]

    @property
    def num_sentences(self) -> int:
        """Sentences of all documents, each occurrence counted."""
        return sum(map(len, self.sentences))


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """Chunks of a document.

    Attributes:
        bounds: First sentence of each chunk, and one past its last.
        num_tokens: Tokens of each chunk.
        vectors: (num_chunks, dim) mean vectors of the chunks' sentences, unit rows.
        norms: (num_sentences,) norms of the sentences' vectors in context.
    """

    bounds: Sequence[Bounds]
    num_tokens: Sequence[int]
    vectors: Float32Array
    norms: Float32Array


class Memo(Generic[Made]):
    """Results by text, for work that depends on the text only: versions of a manual share most sentences.

    The results used longest ago are removed first, so memory is bounded. Not safe for several threads.

    Args:
        max_chars: Characters of the texts whose results are kept; 0 keeps nothing.
    """

    def __init__(self, max_chars: int = MAX_CHARS) -> None:
        self._max_chars, self._num_chars = max_chars, 0
        self._results: OrderedDict[str, tuple[Made, int]] = OrderedDict()

    def for_document(self, document: Document, make: Callable[[], Made], *also: str) -> Made:
        """The result for an equal text of the same format, else the result of `make`; do not change it.

        `also` names everything else that `make` depends on.
        """
        key = digest(document.format, document.text, *also)
        kept = self._results.get(key)
        if kept is not None:
            self._results.move_to_end(key)
            return kept[0]
        made = make()
        self._keep(key, made, len(document.text))
        return made

    def for_texts(self, texts: Sequence[str], make: Callable[[list[str]], Sequence[Made]]) -> list[Made]:
        """The result for each text; `make` is called once with the distinct texts that have no result yet."""
        results = {text: self._results[text][0] for text in texts if text in self._results}
        missing = list(dict.fromkeys(text for text in texts if text not in results))
        for text in results:
            self._results.move_to_end(text)
        for text, made in zip(missing, make(missing) if missing else [], strict=True):
            results[text] = made
            self._keep(text, made, len(text))
        return [results[text] for text in texts]

    def _keep(self, key: str, made: Made, num_chars: int) -> None:
        self._results[key] = (made, num_chars)
        self._num_chars += num_chars
        while self._num_chars > self._max_chars:
            _, (_, removed_chars) = self._results.popitem(last=False)
            self._num_chars -= removed_chars


class BuildMemo:
    """Results of a build: equal texts are cut, counted and chunked once.

    Equal texts have equal sentences. In one build these have equal vectors, so their chunks are equal, too.
    """

    def __init__(self) -> None:
        # `cut_documents` fills these in one thread ...
        self.sentences = Memo[list[Sentence]]()
        self.fits, self.counts = Memo[bool](), Memo[int]()
        self.splits = Memo[list[Span]]()
        # ... and `write_segment` this one in another.
        self.chunks = Memo[DocumentChunks]()


def cut_documents(documents: Sequence[Document], parts: IndexParts, memo: BuildMemo) -> CutDocuments:
    """Parse documents and split them into sentences."""
    distinct: dict[bytes, tuple[int, str]] = {}
    sentences, numbers, titles = [], [], []

    def number_of(text: str) -> int:
        return distinct.setdefault(sentence_key(text), (len(distinct), text))[0]

    for document in documents:
        found = memo.sentences.for_document(document, partial(_cut, document, parts, memo))
        texts = [document.text[sentence.start : sentence.end] for sentence in found]
        sentences.append(found)
        numbers.append(np.array([number_of(text) for text in texts], dtype=np.int64))
        titles.append(number_of(document.title) if document.title.strip() else -1)
    return CutDocuments(
        documents=documents,
        sentences=sentences,
        numbers=numbers,
        titles=titles,
        keys=list(distinct),
        texts=[text for _, text in distinct.values()],
    )


def embed_sentences(cut: CutDocuments, known: KnownSentences, parts: IndexParts) -> tuple[Vectors, int]:
    """Vectors of the distinct sentences, as the index stores them, and the number of newly embedded ones."""
    keys = np.array(cut.keys, dtype="S16")
    places = known.places(keys)
    missing = np.flatnonzero(places == NOWHERE)
    there = np.flatnonzero(places != NOWHERE)
    vectors = np.empty((len(keys), parts.embedder.dim), dtype="<f2")
    vectors[there] = known.vectors_at(places[there], parts.embedder.dim)
    vectors[missing] = parts.embedder.embed_passages([cut.texts[number] for number in missing.tolist()])
    return Vectors(keys, vectors), len(missing)


def write_segment(
    folder: Path, cut: CutDocuments, embedded: Vectors, parts: IndexParts, memo: BuildMemo
) -> None:
    """Chunk the documents and write them as a corpus."""
    with CorpusWriter(folder, parts.embedder.dim) as writer:
        writer.add_vectors(embedded.vectors, embedded.keys)
        of_each = zip(cut.documents, cut.sentences, cut.numbers, cut.titles, strict=True)
        for document, sentences, numbers, title in of_each:
            # In the stored precision: chunks must follow from the vectors that the generation holds.
            vectors = embedded.vectors[numbers].astype(np.float32)
            title_vector = embedded.vectors[title].astype(np.float32) if title >= 0 else None
            make = partial(_chunk, document, sentences, vectors, title_vector, parts)
            chunked = memo.chunks.for_document(document, make, document.title)
            _add_document(document, sentences, numbers, title, chunked, writer)


def _cut(document: Document, parts: IndexParts, memo: BuildMemo) -> list[Sentence]:
    def split(text: str) -> list[Span]:
        return memo.splits.for_texts([text], lambda texts: list(map(parts.splitter.split, texts)))[0]

    def fit(texts: Sequence[str]) -> list[bool]:
        return memo.fits.for_texts(texts, partial(_fit, parts))

    def count(texts: Sequence[str]) -> list[int]:
        return memo.counts.for_texts(texts, parts.counter.count)

    blocks = parts.parsers[document.format].parse(document.text)
    return cut_sentences(document.text, blocks, split, fit, count)


def _fit(parts: IndexParts, texts: Sequence[str]) -> list[bool]:
    """Whether each text fits a chunk and the embedder."""
    # A token is at least one byte: most texts need not be tokenised to know that they fit.
    sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts])
    fits = np.ones(len(texts), dtype=bool)
    limits = (
        (parts.counter.count, parts.max_tokens),
        (parts.embedder.count_tokens, parts.embedder.max_tokens),
    )
    for count, limit in limits:
        long = np.flatnonzero(fits & (sizes > limit))
        counts = count([texts[number] for number in long.tolist()])
        fits[long] = np.array(counts, dtype=np.int64) <= limit
    return fits.tolist()


def _chunk(
    document: Document,
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    title: Float32Array | None,
    parts: IndexParts,
) -> DocumentChunks:
    counted: dict[Bounds, int] = {}

    def count(first: int, end: int) -> int:
        text = document.text[sentences[first].start : sentences[end - 1].end]
        counted[first, end] = parts.counter.count([text])[0]
        return counted[first, end]

    bounds = chunk_bounds(sentences, vectors, parts.min_tokens, parts.max_tokens, count)
    num_tokens = [counted.get(of) or count(*of) for of in bounds]
    return DocumentChunks(bounds, num_tokens, pooled_vectors(vectors, bounds), context_norms(vectors, title))


def _add_document(
    document: Document,
    sentences: Sequence[Sentence],
    numbers: Int64Array,
    title: int,
    chunked: DocumentChunks,
    writer: CorpusWriter,
) -> None:
    content_hash = document.content_hash
    chunks = []
    for (first, end), num_tokens in zip(chunked.bounds, chunked.num_tokens, strict=True):
        start, stop, section = sentences[first].start, sentences[end - 1].end, sentences[first].section
        chunks.append(Chunk.cut(document, start, stop, num_tokens, section, content_hash))
    writer.add_document(
        document, sentences, numbers, chunked.norms, chunks, chunked.bounds, chunked.vectors, title
    )
