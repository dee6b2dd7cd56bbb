"""Settings -> what an index is built from, with and opened by."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from contextsvc import assets
from contextsvc.adapters.text.plain_text import PlainBlockParser
from contextsvc.indexing.build import IndexParts, PreviousGeneration
from contextsvc.indexing.overlap import worker_thread
from contextsvc.indexing.recall_queries import held_out_sentences
from contextsvc.ports import Embedder, LexicalIndex, NearDuplicateIndex, VectorIndex
from contextsvc.records.documents import Document
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.wiring.assets import model_place

INDEX_TOKENIZER = "o200k_base"
"""Chunk sizes are always counted in this one, so that an index does not depend on who asks it."""


def read_sources(
    settings: Settings, sources: Sequence[str], skipped: Callable[[str, str, int], None]
) -> Iterator[Document]:
    """Documents of files, folders and `python-reference`.

    `skipped` is told (source, reason, number of ignored files) of whatever gave no document.

    Raises:
        SourceError: a source does not exist.
    """
    from contextsvc.adapters.sources.files import Skipped, read_documents
    from contextsvc.adapters.sources.html import read_html

    # Not a generator itself: a source that does not exist is told before any model is loaded.
    items = read_documents(sources, settings.max_file_bytes, read_html)

    def documents() -> Iterator[Document]:
        for item in items:
            if isinstance(item, Skipped):
                skipped(item.source, item.reason, item.num_ignored)
            else:
                yield item

    return documents()


def source_bytes(sources: Sequence[str]) -> int | None:
    """Bytes of the files that `read_sources` would read; None where that cannot be told."""
    from contextsvc.adapters.sources.files import source_bytes as count

    return count(sources)


def build_index_parts(settings: Settings, embedder: Embedder | None = None) -> IndexParts:
    """What an index is built with; an embedder that is loaded already is used."""
    from contextsvc.adapters.text.markdown import MarkdownItBlockParser
    from contextsvc.adapters.text.punkt import PunktSentenceSplitter
    from contextsvc.adapters.text.tiktoken_counter import TiktokenCounter

    return IndexParts(
        parsers={"markdown": MarkdownItBlockParser(), "plain": PlainBlockParser()},
        splitter=PunktSentenceSplitter(assets.locate(settings.home, "punkt_tab")),
        counter=TiktokenCounter(INDEX_TOKENIZER, assets.locate(settings.home, "tiktoken")),
        embedder=embedder or build_embedder(settings),
        write_search=partial(write_search, settings=settings),
        open_search=open_search,
        min_tokens=settings.chunk_min_tokens,
        max_tokens=settings.chunk_max_tokens,
        make_near_duplicate_index=make_near_duplicate_index,
    )


def build_embedder(settings: Settings) -> Embedder:
    """The embedding model."""
    from contextsvc.adapters.models.embedder import SentenceTransformersEmbedder

    model = model_place(settings, settings.embedder)
    return SentenceTransformersEmbedder(model, settings.precision, settings.num_threads)


def make_near_duplicate_index(least: float) -> NearDuplicateIndex | None:
    """Finds texts that are at least so much alike; None where equal ones alone are looked for."""
    if least >= 1:
        return None
    from contextsvc.adapters.text.minhash import MinHashIndex

    return MinHashIndex(least)


def write_search(
    folder: Path, corpus: Corpus, former: PreviousGeneration | None = None, settings: Settings | None = None
) -> Mapping[str, object]:
    """Write the search structures of a corpus into its folder; what the manifest is to say of them."""
    from contextsvc.adapters.search.bm25 import Bm25sLexicalIndex
    from contextsvc.adapters.search.faiss.build import PreviousVectors, VectorPlan, write_vector_index

    s = settings or Settings()
    plan = VectorPlan(s.exact_up_to, s.approximate_index, s.approximate_recall)
    before = PreviousVectors(former.folder, former.chunks) if former else None

    def text(number: int) -> str:
        chunk = corpus.chunk(number)
        return "\n".join((chunk.title, *chunk.section, chunk.text))

    def write_lexical() -> None:
        if former:
            Bm25sLexicalIndex.rebuild(former.folder, former.chunks, text).save(folder)
        else:
            Bm25sLexicalIndex.build(map(text, range(corpus.num_chunks))).save(folder)

    with worker_thread() as submit:
        submit(write_lexical)
        return write_vector_index(folder, corpus.chunk_vectors, held_out_sentences(corpus), plan, before)


def open_search(name: str, folder: Path, corpus: Corpus) -> tuple[VectorIndex, LexicalIndex]:
    """Open what `write_search` wrote."""
    from contextsvc.adapters.search.bm25 import Bm25sLexicalIndex
    from contextsvc.adapters.search.faiss.build import open_vector_index

    return open_vector_index(folder, corpus.chunk_vectors, name), Bm25sLexicalIndex.load(folder, name)
