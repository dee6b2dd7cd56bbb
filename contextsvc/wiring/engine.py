"""Make the engine and its parts from the settings."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from contextsvc import assets
from contextsvc.errors import SettingError
from contextsvc.measuring.measurer import Measurer
from contextsvc.packing.assembler import Assembler
from contextsvc.ports import Embedder, Reranker, TokenCounter
from contextsvc.service.caching import CachedAssembler, CachedEmbedder, CachedMeasurer
from contextsvc.service.engine import Engine
from contextsvc.service.publishing import Publisher
from contextsvc.settings import Settings
from contextsvc.storage.library import Library
from contextsvc.wiring.assets import model_place
from contextsvc.wiring.indexes import (
    build_embedder,
    build_index_parts,
    check_factory,
    open_search,
    retrieval_settings,
)
from contextsvc.wiring.measuring import build_jobs, build_measurer

if TYPE_CHECKING:
    from contextsvc.adapters.storage.disk_cache import DiskcacheCache


def build_engine(
    settings: Settings, extra_tokenizer: str | None = None, closing: ExitStack | None = None
) -> Engine:
    """Make the engine that packs and measures.

    Args:
        settings: Settings that choose the parts.
        extra_tokenizer: Path of a `tokenizer.json` that requests may name as their tokenizer. Only callers
            that may read any file should pass it, such as the command line.
        closing: Stack that receives the close functions of the cache, of the job queue and of the reader's
            connections. The reader is the language model that measures.

    Raises:
        MissingAsset: a model or data file was never pulled.
        SettingError: a setting names a part that does not exist.
    """
    check_factory(settings)
    cache, jobs = build_cache(settings), build_jobs(settings)
    if closing is not None:
        for part in (cache, jobs):
            if part is not None:
                closing.callback(part.close)

    def measurer() -> Measurer:
        made = build_measurer(settings)
        close = getattr(made.reader, "close", None)  # only an endpoint has connections to close
        if closing is not None and close is not None:
            closing.callback(close)
        return made

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
        CachedMeasurer(measurer, cache),
        jobs,
        publisher=Publisher(
            library, lambda: build_index_parts(settings, embedder), settings.keep_generations
        ),
    )


def build_assembler(settings: Settings, embedder: Embedder, extra_tokenizer: str | None = None) -> Assembler:
    """Make the assembler of packs. Arguments and errors are those of `build_engine`."""
    return Assembler(
        embedder,
        build_counters(settings, extra_tokenizer),
        build_reranker(settings),
        retrieval_settings(settings),
    )


def build_reranker(settings: Settings) -> Reranker | None:
    """Load the cross-encoder, or return None if the settings name no model."""
    if not settings.cross_encoder:
        return None
    from contextsvc.adapters.models.reranker import CrossEncoderReranker

    return CrossEncoderReranker(model_place(settings, settings.cross_encoder))


def build_counters(settings: Settings, extra_tokenizer: str | None = None) -> Mapping[str, TokenCounter]:
    """Make the token counters, keyed by the names that requests use.

    Args:
        settings: Settings with the folder of the encodings and with further tokenizers.
        extra_tokenizer: Path of a `tokenizer.json`, which is also the counter's name; ignored if there is no
            such file.

    Raises:
        SettingError: the setting of further tokenizers is malformed.
    """
    from contextsvc.adapters.text.huggingface_counter import HuggingFaceTokenCounter
    from contextsvc.adapters.text.tiktoken_counter import ENCODINGS, TiktokenCounter

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


def build_cache(settings: Settings) -> "DiskcacheCache | None":
    """Open the cache, or return None if the cache is off."""
    if not settings.cache:
        return None
    from contextsvc.adapters.storage.disk_cache import DiskcacheCache

    return DiskcacheCache(settings.home / "cache", settings.cache_bytes)
