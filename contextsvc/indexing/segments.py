"""Documents -> a finished part: parse, split, embed each sentence not yet known, chunk, write.

A part is a small corpus in a folder of its own. A build makes one after the other and merges them at the
end: what was finished survives an interruption, and an update is a build whose first part is there already.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from contextsvc.indexing.chunking import Bounds, chunk_bounds, pooled_vectors
from contextsvc.indexing.memo import Memo
from contextsvc.indexing.sentences import cut_sentences
from contextsvc.ports import BlockParser, Embedder, NearDuplicateIndex, SentenceSplitter, TokenCounter
from contextsvc.records.arrays import Float32Array, Int64Array
from contextsvc.records.documents import Chunk, Document, Format, Sentence
from contextsvc.storage.corpus import NOWHERE, Corpus, CorpusWriter, KnownSentences, Vectors, sentence_key
from contextsvc.storage.corpus.smoothing import context_norms
from contextsvc.storage.library import OpenSearch


@dataclass(frozen=True, slots=True)
class PreviousGeneration:
    """What search structures may be made from instead of from nothing.

    Attributes:
        folder: A generation whose files were verified.
        chunks: For each chunk of the new corpus its number in that generation, -1 for a new one.
    """

    folder: Path
    chunks: Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParts:
    """What an index is built with.

    Attributes:
        write_search: Writes the search structures of a corpus into its folder and tells what the
            manifest is to say of them; what it makes of a former generation must answer as what it
            makes from nothing, an approximate index as well as that.
        open_search: Opens them.
        make_near_duplicate_index: Finds near-duplicates that are at least so much alike; None: none are looked for.
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
        """What shapes chunks: parts and generations made with other settings do not mix."""
        return {
            "chunk_min_tokens": self.min_tokens,
            "chunk_max_tokens": self.max_tokens,
            "tokenizer": self.counter.name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CutDocuments:
    """Documents cut into sentences.

    Attributes:
        numbers: For each document and sentence its place among the distinct ones.
        titles: For each document that of its title, -1 where it has none.
        keys: Of the distinct sentences, in order of first occurrence.
        texts: Of the distinct sentences.
    """

    documents: Sequence[Document]
    sentences: Sequence[Sequence[Sentence]]
    numbers: Sequence[Int64Array]
    titles: Sequence[int]
    keys: Sequence[bytes]
    texts: Sequence[str]

    @property
    def num_sentences(self) -> int:
        """Of all documents, each occurrence counted."""
        return sum(map(len, self.sentences))


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """What a document's text and its sentences' vectors give.

    Attributes:
        bounds: Of the chunks, in sentences.
        num_tokens: Of each chunk.
        vectors: (num_chunks, dim) pooled.
        norms: (num_sentences,) of the sentences in context.
    """

    bounds: Sequence[Bounds]
    num_tokens: Sequence[int]
    vectors: Float32Array
    norms: Float32Array


class BuildMemo:
    """What a build remembers of the documents before: what is equal is cut, counted and chunked once.

    Equal texts have equal sentences, and in one build these have equal vectors, so that their chunks are
    equal, too.
    """

    def __init__(self) -> None:
        # Apart, for they are filled in two threads.
        self.sentences = Memo[list[Sentence]]()
        self.fits, self.counts = Memo[bool](), Memo[int]()
        self.splits = Memo[list[tuple[int, int]]]()
        self.chunks = Memo[DocumentChunks]()


def cut(documents: Sequence[Document], parts: IndexParts, seen: BuildMemo) -> CutDocuments:
    """Parse and split."""
    distinct: dict[bytes, tuple[int, str]] = {}
    sentences, numbers, titles = [], [], []

    def number_of(text: str) -> int:
        return distinct.setdefault(sentence_key(text), (len(distinct), text))[0]

    for document in documents:
        found = seen.sentences.of(document, partial(_sentences_of, document, parts, seen))
        texts = [document.text[sentence.start : sentence.end] for sentence in found]
        sentences.append(found)
        numbers.append(np.array([number_of(text) for text in texts], dtype=np.int64))
        titles.append(number_of(document.title) if document.title.strip() else -1)
    texts = [text for _, text in distinct.values()]
    return CutDocuments(
        documents=documents,
        sentences=sentences,
        numbers=numbers,
        titles=titles,
        keys=list(distinct),
        texts=texts,
    )


def embed(cut: CutDocuments, known: KnownSentences, parts: IndexParts) -> tuple[Vectors, int]:
    """Vectors of the distinct sentences, as they are stored, and how many had to be embedded."""
    keys = np.array(cut.keys, dtype="S16")
    places = known.places(keys)
    missing = np.flatnonzero(places == NOWHERE)
    there = np.flatnonzero(places != NOWHERE)
    vectors = np.empty((len(keys), parts.embedder.dim), dtype="<f2")
    vectors[there] = known.vectors_at(places[there], parts.embedder.dim)
    vectors[missing] = parts.embedder.embed_passages([cut.texts[number] for number in missing.tolist()])
    return Vectors(keys, vectors), len(missing)


def write_segment(
    folder: Path, cut: CutDocuments, found: Vectors, parts: IndexParts, seen: BuildMemo
) -> None:
    """Chunk the documents and write them as a corpus."""
    with CorpusWriter(folder, parts.embedder.dim) as writer:
        writer.add_vectors(found.vectors, found.keys)
        of_each = zip(cut.documents, cut.sentences, cut.numbers, cut.titles, strict=True)
        for document, sentences, numbers, title in of_each:
            # As stored: what is made of vectors must follow from what the generation holds.
            vectors = found.vectors[numbers].astype(np.float32)
            title_vector = found.vectors[title].astype(np.float32) if title >= 0 else None
            make = partial(_chunked, document, sentences, vectors, title_vector, parts)
            chunked = seen.chunks.of(document, make, document.title)
            _add_document(document, sentences, numbers, title, chunked, writer)


def _sentences_of(document: Document, parts: IndexParts, seen: BuildMemo) -> list[Sentence]:
    def fit(texts: Sequence[str]) -> list[bool]:
        # A token is at least one byte: most texts need not be tokenised to know that they fit.
        sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts])
        verdicts = np.ones(len(texts), dtype=bool)
        counts = (
            (parts.counter.count, parts.max_tokens),
            (parts.embedder.count_tokens, parts.embedder.max_tokens),
        )
        for count, limit in counts:
            long = np.flatnonzero(verdicts & (sizes > limit))
            verdicts[long] = (
                np.array(count([texts[number] for number in long.tolist()]), dtype=np.int64) <= limit
            )
        return verdicts.tolist()

    def split(texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        return [parts.splitter.split(text) for text in texts]

    blocks = parts.parsers[document.format].parse(document.text)
    return cut_sentences(
        document.text, blocks, lambda text: seen.splits.each([text], split)[0],
        lambda texts: seen.fits.each(texts, fit), lambda texts: seen.counts.each(texts, parts.counter.count),
    )  # fmt: skip


def _chunked(
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
    found: DocumentChunks,
    writer: CorpusWriter,
) -> None:
    content_hash = document.content_hash
    chunks = []
    for (first, end), num_tokens in zip(found.bounds, found.num_tokens, strict=True):
        start, stop, section = sentences[first].start, sentences[end - 1].end, sentences[first].section
        chunks.append(Chunk.cut(document, start, stop, num_tokens, section, content_hash))
    writer.add_document(document, sentences, numbers, found.norms, chunks, found.bounds, found.vectors, title)
