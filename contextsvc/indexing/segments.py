"""Write segments: parse, split, embed and chunk documents, and write the result as a small corpus.

A segment is a corpus in a folder of its own. A build writes one segment after the other and merges them at
the end. So finished segments survive an interruption. An update is a build whose first segment is the current
generation (the published version of the index).
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
from contextsvc.records.documents import Chunk, Document, Format, Sentence, passage
from contextsvc.records.fingerprints import digest
from contextsvc.records.packs import AnswerCalibration
from contextsvc.records.spans import NO_SPAN, Frame, Span
from contextsvc.storage.corpus import NOWHERE, Corpus, CorpusWriter, KnownSentences, Vectors, sentence_key
from contextsvc.storage.corpus.files import encode_text
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.library import OpenSearch, SearchableCorpus

MAX_CHARS = 4_000_000
"""Number of characters in the texts whose results a `Memo` keeps: enough for several versions of a manual."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class PreviousGeneration:
    """The generation that an update starts from.

    Its search structures are updated for the new generation, instead of being built anew.

    Attributes:
        folder: Folder of the previous generation. All its files were verified.
        chunks: For each chunk of the new corpus its number in the previous generation, or -1 for a new chunk:
            (num_chunks,).
    """

    folder: Path
    chunks: Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParts:
    """Parts and limits that an index is built with.

    Attributes:
        parsers: Parser of each document format.
        splitter: Splits a paragraph into sentences.
        counter: Counts tokens for the limits of a chunk.
        embedder: Computes the vectors of sentences.
        write_search: Writes the search structures of a corpus into a folder and returns settings for the
            manifest. If there is a previous generation, the structures must answer as well as structures that
            are built anew.
        open_search: Opens these search structures.
        calibrate: Chooses the threshold of the finished index for answer scores.
        min_tokens: Smallest number of tokens in a chunk. Smaller chunks are made only if they cannot be
            avoided.
        max_tokens: Largest number of tokens in a chunk, without exceptions.
        make_near_duplicate_index: Makes an empty index of near-duplicates for a given least similarity. If it
            returns None, near-duplicates are not searched for.
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
    calibrate: Callable[[SearchableCorpus], AnswerCalibration] = lambda _: AnswerCalibration()

    @property
    def settings(self) -> dict[str, object]:
        """Settings that determine the chunks. All chunks of an index were made with equal settings."""
        return {
            "chunk_min_tokens": self.min_tokens,
            "chunk_max_tokens": self.max_tokens,
            "tokenizer": self.counter.name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CutDocuments:
    """Documents cut into sentences. Equal sentences are stored once, as a distinct sentence with a number.

    Attributes:
        documents: The documents.
        sentences: Sentences of each document, in order.
        numbers: For each document, the numbers of its sentences among the distinct sentences.
        titles: For each document, the number of its title among the distinct sentences, or -1 for no title.
        keys: Key of each distinct sentence, in order of first occurrence.
        texts: Text of each distinct sentence, in the order of `keys`.
    """

    documents: Sequence[Document]
    sentences: Sequence[Sequence[Sentence]]
    numbers: Sequence[Int64Array]
    titles: Sequence[int]
    keys: Sequence[bytes]
    texts: Sequence[str]

    @property
    def num_sentences(self) -> int:
        """Number of sentences in all documents, each occurrence counted."""
        return sum(map(len, self.sentences))


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """Chunks of a document.

    Attributes:
        bounds: For each chunk, the number of its first sentence and the number one past its last sentence.
        num_tokens: Number of tokens in each chunk.
        vectors: Mean vector of the sentences of each chunk: (num_chunks, dim), unit rows.
        norms: Norm of each sentence's vector in its context (`context_norms`): (num_sentences,).
    """

    bounds: Sequence[Bounds]
    num_tokens: Sequence[int]
    vectors: Float32Array
    norms: Float32Array


class Memo(Generic[Made]):
    """Cache of results by text, for work that depends only on the text.

    Versions of a manual share most sentences, so many results are reused. The results that were used longest
    ago are removed first, so memory is bounded. A memo is not safe for several threads.

    Args:
        max_chars: Number of characters in the texts whose results are kept; 0 keeps nothing.
    """

    def __init__(self, max_chars: int = MAX_CHARS) -> None:
        self._max_chars, self._num_chars = max_chars, 0
        self._results: OrderedDict[str, tuple[Made, int]] = OrderedDict()

    def for_document(self, document: Document, make: Callable[[], Made], *also: str) -> Made:
        """Return the kept result for an equal text of the same format.

        If there is none, call `make` and keep its result. The caller must not change the result, because
        later calls may return it again.

        Args:
            document: The document whose text and format the result depends on.
            make: Makes the result.
            also: All other texts that the result depends on.
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
        """Return the result for each text.

        `make` is called at most once, with the distinct texts that have no kept result.
        """
        results = {text: self._results[text][0] for text in texts if text in self._results}
        missing = [text for text in dict.fromkeys(texts) if text not in results]
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
    """Kept results of a build: equal texts are cut, counted and chunked once.

    Equal texts have equal sentences. In one build equal sentences have equal vectors, so the chunks are
    equal, too.
    """

    def __init__(self) -> None:
        # `cut_documents` fills these four memos in one thread.
        self.sentences = Memo[list[Sentence]]()
        self.counts, self.passages = Memo[int](), Memo[int]()
        self.splits = Memo[list[Span]]()
        # `write_segment` fills this memo in another thread.
        self.chunks = Memo[DocumentChunks]()


def cut_documents(documents: Sequence[Document], parts: IndexParts, memo: BuildMemo) -> CutDocuments:
    """Parse documents and split them into sentences."""
    distinct: dict[bytes, tuple[int, str]] = {}
    sentences, numbers, titles = [], [], []

    def number_of(text: str) -> int:
        return distinct.setdefault(sentence_key(text), (len(distinct), text))[0]

    for document in documents:
        found = memo.sentences.for_document(document, partial(_cut, document, parts, memo))
        text = document.text
        texts = [
            text[one.start : one.end]
            if one.opening == NO_SPAN  # fast path, because this holds nearly always
            else passage(text, (one.start, one.end), one.kind, one.opening)
            for one in found
        ]
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
    """Embed the distinct sentences that are not known, and collect the vectors of the known ones.

    Returns:
        The vector of each distinct sentence in the precision of the index, and the number of newly embedded
        sentences.
    """
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
    """Chunk the documents and write them as a corpus into a folder."""
    with CorpusWriter(folder, parts.embedder.dim) as writer:
        writer.add_vectors(embedded.vectors, embedded.keys)
        of_each = zip(cut.documents, cut.sentences, cut.numbers, cut.titles, strict=True)
        for document, sentences, numbers, title in of_each:
            # The stored precision is used, because chunks must follow from the vectors in the generation.
            vectors = embedded.vectors[numbers].astype(np.float32)
            title_vector = embedded.vectors[title].astype(np.float32) if title >= 0 else None
            make = partial(_chunk, document, sentences, vectors, title_vector, parts)
            chunked = memo.chunks.for_document(document, make, document.title)
            _add_document(document, sentences, numbers, title, chunked, writer)


def _cut(document: Document, parts: IndexParts, memo: BuildMemo) -> list[Sentence]:
    def split(text: str) -> list[Span]:
        return memo.splits.for_texts([text], lambda texts: list(map(parts.splitter.split, texts)))[0]

    def reads(texts: Sequence[str]) -> list[bool]:
        # A token has at least one byte. So a text with few bytes fits, and need not be tokenised.
        limit = parts.embedder.max_tokens
        long = [text for text in texts if len(text) > limit or len(encode_text(text)) > limit]
        sizes = memo.passages.for_texts(long, parts.embedder.count_tokens)
        too_long = {text for text, size in zip(long, sizes, strict=True) if size > limit}
        return [text not in too_long for text in texts]

    def count(texts: Sequence[str]) -> list[int]:
        return memo.counts.for_texts(texts, parts.counter.count)

    blocks = parts.parsers[document.format].parse(document.text)
    return cut_sentences(document.text, blocks, split, reads, count, parts.max_tokens)


def _chunk(
    document: Document,
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    title: Float32Array | None,
    parts: IndexParts,
) -> DocumentChunks:
    counted: dict[Bounds, int] = {}

    def count(first: int, end: int) -> int:
        frame = _frame(document, sentences, first, end)
        text = document.text[sentences[first].start : sentences[end - 1].end]
        counted[first, end] = parts.counter.count([frame.opening + text + frame.closing])[0]
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
        frame = _frame(document, sentences, first, end)
        chunks.append(Chunk.cut(document, start, stop, num_tokens, section, content_hash, frame))
    writer.add_document(
        document, sentences, numbers, chunked.norms, chunks, chunked.bounds, chunked.vectors, title
    )


def _frame(document: Document, sentences: Sequence[Sentence], first: int, end: int) -> Frame:
    return Frame.cut(document.text, sentences[first].opening, sentences[end - 1].closing)
