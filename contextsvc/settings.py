"""Settings: frozen, read from the environment once, each documented where it is declared.

`CONTEXTSVC_<NAME>` sets `<name>`; the README's table is checked against this file.
"""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs

from contextsvc.errors import SettingError

PREFIX = "CONTEXTSVC_"


def setting(default: Any, doc: str, secret: bool = False) -> Any:
    """A field with its explanation; a callable default is a factory; a secret is not in the repr."""
    metadata = {"doc": doc}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


def _cache_folder() -> Path:
    return Path(platformdirs.user_cache_dir("contextsvc"))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen. A changed copy (`dataclasses.replace`) is an experiment."""

    home: Path = setting(_cache_folder, "folder of pulled models, data files and the cache")
    root: Path = setting(lambda: Path("indexes"), "folder of the indexes")

    embedder: str = setting("all-MiniLM-L6-v2", "embedding model: asset, folder or hub name")
    reader: str = setting("SmolLM2-135M-Instruct", "model that measures: asset, folder or hub name")
    reader_mode: str = setting("blocks", "how it scores: blocks, masked or exact; see Measuring")
    reader_state_bytes: int = setting(512_000_000, "memory for chunk states that blocks keeps")
    reader_url: str = setting("", "OpenAI-compatible endpoint that measures with the model named reader")
    reader_api_key: str = setting("", "its key; sent to that endpoint alone", secret=True)
    reader_outcome: str = setting("auto", "what an endpoint gives: auto, log-probability or likeness")
    reader_timeout_seconds: float = setting(60.0, "longest wait for one answer of an endpoint")
    cross_encoder: str = setting("", "reranking model: folder or hub name; empty: best sentence")
    tokenizer: str = setting("o200k_base", "encoding that budgets are counted in")
    tokenizers: str = setting("", "further encodings: name=/path/tokenizer.json, comma-separated")
    precision: str = setting("auto", "auto, float32 or bfloat16; auto: bfloat16 where the CPU has it")
    num_threads: int = setting(0, "threads of the models; 0: one a core")

    chunk_min_tokens: int = setting(48, "smallest chunk, in o200k_base tokens, where avoidable")
    chunk_max_tokens: int = setting(160, "largest chunk, in o200k_base tokens, always")
    duplicate_likeness: float = setting(
        0.95, "documents at least this alike are near-duplicates; 1: equal ones"
    )
    max_file_bytes: int = setting(50_000_000, "larger files, and longer JSONL lines, are skipped")

    exact_up_to: int = setting(50_000, "chunks up to which an index is searched exactly")
    approximate_index: str = setting("IVF{lists},SQ8", "FAISS factory string of larger ones; lists or graph")
    approximate_recall: float = setting(0.99, "recall@10 for which a larger one tries as hard as it must")

    keep_generations: int = setting(2, "generations that a publish leaves, the new one included")
    damaged_index: str = setting("fallback", "when the current generation is damaged: fallback or refuse")

    num_candidates: int = setting(100, "candidates taken from each of dense and lexical search")
    rerank_depth: int = setting(50, "candidates that the second stage scores")
    lexical_weight: float = setting(0.35, "weight of BM25 in the score")
    semantic_weight: float = setting(0.65, "weight of the best sentence, or the cross-encoder, in the score")
    link_weight: float = setting(0.3, "weight of documents that name each other's title in the score")
    score_floor: float = setting(
        0.5, "share of the best score that a chunk must have, and must add to the pack"
    )
    near_duplicate_similarity: float = setting(0.95, "chunks at least this alike are duplicates")
    diversity_weight: float = setting(0.1, "how much likeness to what is packed lowers the gain")
    max_chunks: int = setting(3, "most chunks in a pack, unless the request says otherwise")
    trim: bool = setting(True, "trim chunks that do not fit whole to the sentences that bear on the query")
    answerable: float = setting(0.48, "packs whose answer_score is below are flagged not answerable; 0: off")
    ordering: str = setting("relevance", "relevance, document or edges")

    cache: bool = setting(True, "keep query vectors, packs and measurements on disk")
    drop_packs: bool = setting(False, "forget a pack once the generation it was made from is removed")
    cache_bytes: int = setting(1_000_000_000, "size at which the cache evicts")

    answer_max_tokens: int = setting(48, "longest answer the reader writes when none is given")
    num_placebos: int = setting(2, "unrelated chunks put into each measured pack as a control")
    num_subsets: int = setting(0, "random subsets of each measured pack, for a LASSO over them")
    measure_max_calls: int = setting(1_000, "most reader calls of one measurement; past it: partial")
    measure_max_tokens: int = setting(1_000_000, "most reader tokens of one measurement; past it: partial")
    measure_max_seconds: float = setting(120.0, "longest measurement; past it: partial")
    background_jobs: int = setting(0, "measurements that may wait for an idle moment; 0: off")
    measure_share: float = setting(0.0, "share of packs measured in the background unasked")
    seed: int = setting(0, "seed of placebo draws and bootstraps")

    max_body_bytes: int = setting(20_000_000, "longest request body; more is refused with 413")
    host: str = setting("127.0.0.1", "address the service listens on")
    port: int = setting(8000, "port the service listens on")
    max_concurrent: int = setting(2, "packs assembled at one time")
    max_waiting: int = setting(32, "requests that may wait; more are refused with 429")
    wait_seconds: float = setting(5.0, "longest wait for a slot; then 503")

    def __post_init__(self) -> None:
        _require(1 <= self.chunk_min_tokens <= self.chunk_max_tokens, "chunk_min_tokens", self,
                 "at least 1 and at most chunk_max_tokens")  # fmt: skip
        _require(0.5 <= self.duplicate_likeness <= 1, "duplicate_likeness", self, "between 0.5 and 1")
        _require(self.chunk_max_tokens >= 16, "chunk_max_tokens", self, "at least 16")
        weights = (self.lexical_weight, self.semantic_weight)
        _require(min(weights) >= 0 and sum(weights) > 0, "lexical_weight", self,
                 "weights not negative, at least one positive")  # fmt: skip
        for name in ("score_floor", "near_duplicate_similarity", "diversity_weight", "measure_share",
                     "approximate_recall", "answerable"):  # fmt: skip
            _require(0 <= getattr(self, name) <= 1, name, self, "between 0 and 1")
        for name in ("num_candidates", "rerank_depth", "max_chunks", "max_concurrent",
                     "answer_max_tokens", "max_file_bytes", "keep_generations", "max_body_bytes",
                     "cache_bytes", "measure_max_calls", "measure_max_tokens"):  # fmt: skip
            _require(getattr(self, name) >= 1, name, self, "at least 1")
        for name in ("num_threads", "num_placebos", "max_waiting", "wait_seconds", "num_subsets",
                     "reader_state_bytes", "background_jobs", "exact_up_to", "link_weight"):  # fmt: skip
            _require(getattr(self, name) >= 0, name, self, "not negative")
        for name in ("measure_max_seconds", "reader_timeout_seconds"):
            _require(getattr(self, name) > 0, name, self, "more than 0")
        _require(not self.measure_share or self.background_jobs > 0, "measure_share", self,
                 "0, or CONTEXTSVC_BACKGROUND_JOBS above 0")  # fmt: skip
        _require(self.damaged_index in ("fallback", "refuse"), "damaged_index", self, "fallback or refuse")
        _require(self.precision in ("auto", "float32", "bfloat16"), "precision", self,
                 "auto, float32 or bfloat16")  # fmt: skip

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """The only reader of the environment.

        Raises:
            SettingError: a value does not parse, is out of range, or the name is unknown.
        """
        env = os.environ if env is None else env
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        unknown = sorted(k for k in env if k.startswith(PREFIX) and k not in known and k != DATA)
        if unknown:
            raise SettingError(f"unknown setting {unknown[0]}; known: {', '.join(sorted(known))}")
        hints = get_type_hints(cls)
        values = {f.name: _parse(k, env[k], hints[f.name]) for k, f in known.items() if k in env}
        return cls(**values)


DATA = PREFIX + "DATA"
"""Where tests and benchmarks find their data; no setting of the service."""


def documented() -> list[tuple[str, str, str]]:
    """(environment variable, default, explanation) of every setting, in order of declaration."""
    return [(PREFIX + f.name.upper(), _shown(f), f.metadata["doc"]) for f in fields(Settings)]


def _shown(f: "Field[Any]") -> str:
    if f.name == "home":
        return "the platform's cache folder"
    value = f.default_factory() if callable(f.default_factory) else f.default
    return str(value)


def _require(holds: bool, name: str, settings: Settings, expected: str) -> None:
    if not holds:
        found = getattr(settings, name)
        raise SettingError(f"{PREFIX}{name.upper()} is {found!r}; expected {expected}")


def _parse(variable: str, value: str, kind: Any) -> Any:
    try:
        if kind is bool:
            return {"1": True, "true": True, "0": False, "false": False}[value.strip().lower()]
        return kind(value)
    except (KeyError, ValueError):
        raise SettingError(f"{variable} is {value!r}; expected {_expected(kind)}") from None


def _expected(kind: Any) -> str:
    if kind is bool:
        return "1, true, 0 or false"
    return {int: "a whole number", float: "a number"}.get(kind, str(kind))
