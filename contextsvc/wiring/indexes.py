"""Make the sources of an index, and the parts that build and open an index, from the settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from contextsvc import assets
from contextsvc.adapters.text.plain_text import PlainBlockParser
from contextsvc.indexing.build import IndexParts, PreviousGeneration
from contextsvc.indexing.overlap import worker_thread
from contextsvc.indexing.recall_queries import held_out_sentences
from contextsvc.packing.answer_calibration import calibrate_answers
from contextsvc.packing.assembler import RetrievalSettings
from contextsvc.ports import Embedder, LexicalIndex, NearDuplicateIndex, VectorIndex
from contextsvc.records.documents import Document
from contextsvc.settings import Settings
from contextsvc.storage.corpus import Corpus
from contextsvc.wiring.assets import model_place

INDEX_TOKENIZER = "o200k_base"
"""Name of the encoding that counts the tokens of chunks in an index. It is fixed, not a setting, so that one
index serves requests in every encoding."""


_TRIED_DIM, _TRIED_VECTORS = 15_360, 50_000
"""Vector length and number of vectors of the index that checks a factory string. Usual numbers of
sub-quantizers divide this length."""


def read_sources(
    settings: Settings, sources: Sequence[str], skipped: Callable[[str, str, int], None]
) -> Iterator[Document]:
    """Read the documents of files, folders and `python-reference`, one at a time.

    `python-reference` is the Python language reference inside the interpreter.

    Args:
        settings: Settings with the largest size of a file.
        sources: Paths, or `python-reference`.
        skipped: Called with (source, reason, number of ignored files) for every source without a document.

    Raises:
        SourceError: a source does not exist.
    """
    from contextsvc.adapters.sources.files import Skipped, read_documents
    from contextsvc.adapters.sources.html import read_html

    # This function is not a generator itself, so a missing source is refused before any model is loaded.
    items = read_documents(sources, settings.max_file_bytes, read_html)

    def documents() -> Iterator[Document]:
        for item in items:
            if isinstance(item, Skipped):
                skipped(item.source, item.reason, item.num_ignored)
            else:
                yield item

    return documents()


def source_bytes(sources: Sequence[str]) -> int | None:
    """Return the total bytes of the files that `read_sources` would read; None if they cannot be known."""
    from contextsvc.adapters.sources.files import source_bytes as count

    return count(sources)


def build_index_parts(settings: Settings, embedder: Embedder | None = None) -> IndexParts:
    """Make the parts that build an index. If `embedder` is None, the embedding model is loaded."""
    from contextsvc.adapters.text.markdown import MarkdownItBlockParser
    from contextsvc.adapters.text.punkt import PunktSentenceSplitter
    from contextsvc.adapters.text.tiktoken_counter import TiktokenCounter

    check_factory(settings)
    embedder = embedder or build_embedder(settings)
    return IndexParts(
        parsers={"markdown": MarkdownItBlockParser(), "plain": PlainBlockParser()},
        splitter=PunktSentenceSplitter(assets.locate(settings.home, "punkt_tab")),
        counter=TiktokenCounter(INDEX_TOKENIZER, assets.locate(settings.home, "tiktoken")),
        embedder=embedder,
        write_search=partial(write_search, settings=settings),
        open_search=open_search,
        calibrate=partial(calibrate_answers, embedder=embedder, settings=retrieval_settings(settings)),
        min_tokens=settings.chunk_min_tokens,
        max_tokens=settings.chunk_max_tokens,
        make_near_duplicate_index=make_near_duplicate_index,
    )


def retrieval_settings(settings: Settings) -> RetrievalSettings:
    """Return the settings of search and scoring."""
    return RetrievalSettings(
        num_candidates=settings.num_candidates,
        rerank_depth=settings.rerank_depth,
        lexical_weight=settings.lexical_weight,
        semantic_weight=settings.semantic_weight,
        window_weight=settings.window_weight,
        link_weight=settings.link_weight,
        score_floor=settings.score_floor,
        near_duplicate_similarity=settings.near_duplicate_similarity,
        diversity_weight=settings.diversity_weight,
        answerable=settings.answer_threshold,
    )


def check_factory(settings: Settings) -> None:
    """Refuse a FAISS factory string that makes no approximate index.

    Without this check, the build of a large index would fail only at its end.

    Raises:
        SettingError: FAISS does not know the string, or the string makes an index of another kind.
    """
    from contextsvc.adapters.search.faiss.lists import empty, factory_for

    empty(factory_for(settings.approximate_index, _TRIED_VECTORS), _TRIED_DIM)


def build_embedder(settings: Settings) -> Embedder:
    """Load the embedding model."""
    from contextsvc.adapters.models.embedder import SentenceTransformersEmbedder

    model = model_place(settings, settings.embedder)
    return SentenceTransformersEmbedder(model, settings.precision, settings.num_threads)


def make_near_duplicate_index(least: float) -> NearDuplicateIndex | None:
    """Make a search for documents that are at least this similar, from 0 to 1.

    Returns:
        None if `least` is 1, because only equal texts are so similar and they are found without a search.
    """
    if least >= 1:
        return None
    from contextsvc.adapters.text.minhash import MinHashIndex

    return MinHashIndex(least)


def write_search(
    folder: Path, corpus: Corpus, former: PreviousGeneration | None = None, settings: Settings | None = None
) -> Mapping[str, object]:
    """Write the vector index and the BM25 index of a corpus into a folder.

    Args:
        folder: Folder of the generation (one published version of an index) that is being built.
        corpus: The chunks and their vectors.
        former: The previous generation, whose parts are reused; None: everything is built anew.
        settings: Settings of the vector index; None: the defaults.

    Returns:
        A description of the vector index for the manifest.
    """
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
    """Open the vector index and the BM25 index that `write_search` wrote into a folder."""
    from contextsvc.adapters.search.bm25 import Bm25sLexicalIndex
    from contextsvc.adapters.search.faiss.build import open_vector_index

    return open_vector_index(folder, corpus.chunk_vectors, name), Bm25sLexicalIndex.load(folder, name)
