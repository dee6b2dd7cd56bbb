"""Settings of the service, which are read from the environment once.

The variable `CONTEXTSVC_<NAME>` sets `<name>`. The declaration of each setting holds its explanation and its
rule. `documented()` returns the table of all settings for the documentation.

One error names all wrong settings together. A variable that begins with `CONTEXTSVC_` but is not a setting is
an error, too, because otherwise a misspelt setting would silently keep its default. Kubernetes injects
variables named after services, such as `CONTEXTSVC_PORT=tcp://10.0.0.1:80`; these variables are ignored.
"""

import json
import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from contextsvc.errors import SettingError

log = logging.getLogger("contextsvc.settings")

PREFIX = "CONTEXTSVC_"

DATA = PREFIX + "DATA"
"""Variable that names the folder of the data sets for tests and benchmarks. It is not a setting."""

ENCODINGS = ("o200k_base", "cl100k_base")
"""Names of the built-in token encodings. The first one is the default."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on the value of one setting.

    Attributes:
        expected: The condition in words, as errors and the documentation show it.
        holds: Function that returns whether a value meets the condition.
        reads_files: Whether the condition depends on the files of this machine. Such a rule is checked only
            when the environment is read, not each time that a `Settings` is made.
        hides_value: Whether errors leave out the value, because the value may hold a password.
    """

    expected: str
    holds: Callable[[Any], bool]
    reads_files: bool = False
    hides_value: bool = False


def at_least(low: int) -> Rule:
    """Return the rule that a number is at least `low`."""
    return Rule(f"at least {low}", lambda value: bool(value >= low))


def between(low: float, high: float) -> Rule:
    """Return the rule that a number lies between `low` and `high`, both included."""
    return Rule(f"between {low} and {high}", lambda value: bool(low <= value <= high))


def one_of(*choices: str) -> Rule:
    """Return the rule that a value is one of the given names."""
    return Rule(f"{', '.join(choices[:-1])} or {choices[-1]}", lambda value: value in choices)


POSITIVE = Rule("more than 0", lambda value: bool(value > 0))
FILLED = Rule("not empty", lambda value: bool(value.strip()))
_URL = re.compile(
    r"""\s* https?:// ([^\s/@?#:]+ | \[[\da-fA-F:.]+\])  # host name, IPv4 or IPv6 address
    (:\d{1,5})? (/[^\s@?#]*)? \s*""",
    re.VERBOSE,
)
HTTP_URL = Rule(
    "http://HOST:PORT/v1 or https://HOST/v1 without user, password, query and fragment",
    lambda url: not url or _URL.fullmatch(url) is not None,
    hides_value=True,
)
FACTORY = Rule(
    "a FAISS factory string that begins with IVF or HNSW", lambda value: bool(re.match("(IVF|HNSW)", value))
)
AUTO_OR_SHARE = Rule(
    "auto or a number between 0 and 1",
    lambda value: bool(re.fullmatch(r"auto|0(\.\d*)?|1(\.0*)?|\.\d+", value)),
)
FOLDER = Rule("a folder", lambda path: path.is_dir() or not path.exists(), reads_files=True)


def _is_model(name: str) -> bool:
    # A plain name can be an asset or a name on the hub. A name that can only be a path must be a folder.
    is_path = name.startswith((".", os.sep)) or Path(name).is_absolute()
    return not is_path or Path(name).is_dir()


MODEL = Rule("a folder that exists, an asset or a name on the hub", _is_model, reads_files=True)
TOKENIZER_FILES = Rule(
    "name=/path/tokenizer.json of files that exist, separated by commas",
    lambda value: all(name and path and Path(path).is_file() for name, path in _tokenizer_files(value)),
    reads_files=True,
)


def setting(default: Any, doc: str, rule: Rule | None = None, *, secret: bool = False) -> Any:
    """Return a dataclass field that declares one setting of `Settings`.

    Args:
        default: The default value, or a function that returns the default value.
        doc: Explanation of the setting: a noun phrase, with the unit.
        rule: Condition that a value must meet; None if every value of the type is allowed.
        secret: Whether `repr` leaves out the value.
    """
    metadata = {"doc": doc, "rule": rule}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


def _cache_folder() -> Path:
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("contextsvc"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the service. To change some settings, make a copy with `dataclasses.replace`.

    Raises:
        SettingError: values break a rule. The message names all wrong settings.
    """

    home: Path = setting(_cache_folder, "folder of the pulled models, the data files and the cache", FOLDER)
    root: Path = setting(lambda: Path("indexes"), "folder of the indexes", FOLDER)

    embedder: str = setting("all-MiniLM-L6-v2", "embedding model: asset, folder or hub name", MODEL)
    reader: str = setting("SmolLM2-135M-Instruct", "measuring model: asset, folder, hub or endpoint name")
    reader_mode: str = setting(
        "blocks", "scoring method of a local reader", one_of("blocks", "masked", "exact")
    )
    reader_state_bytes: int = setting(
        512_000_000, "bytes of chunk states that mode blocks keeps", at_least(0)
    )
    reader_url: str = setting("", "OpenAI-compatible endpoint that measures; empty: a local reader", HTTP_URL)
    reader_api_key: str = setting("", "API key, sent to the reader URL only", secret=True)
    reader_outcome: str = setting(
        "auto", "quantity that an endpoint measures", one_of("auto", "log-probability", "likeness")
    )
    reader_timeout_seconds: float = setting(60.0, "longest wait for a reply of an endpoint", POSITIVE)
    cross_encoder: str = setting("", "reranking model: folder or hub name; empty: best sentence", MODEL)
    tokenizer: str = setting(
        ENCODINGS[0], f"encoding of budgets: {', '.join(ENCODINGS)} or one of tokenizers"
    )
    tokenizers: str = setting(
        "", "more encodings: name=/path/tokenizer.json, comma-separated", TOKENIZER_FILES
    )
    precision: str = setting(
        "auto",
        "number format of the models; auto: bfloat16 if the processor has it",
        one_of("auto", "float32", "bfloat16"),
    )
    num_threads: int = setting(0, "threads of the models; 0: one per core", between(0, 1024))

    chunk_min_tokens: int = setting(48, "smallest chunk where avoidable, in o200k_base tokens", at_least(1))
    chunk_max_tokens: int = setting(160, "largest chunk, in o200k_base tokens", at_least(16))
    duplicate_likeness: float = setting(
        0.95, "least likeness of near-duplicate documents; 1: only equal documents", between(0.5, 1)
    )
    max_file_bytes: int = setting(50_000_000, "longest file or JSONL line; longer are skipped", at_least(1))

    exact_up_to: int = setting(50_000, "largest number of chunks that is searched exactly", at_least(0))
    approximate_index: str = setting(
        "IVF{lists},SQ8", "FAISS factory string of larger indexes; {lists}: 2 sqrt(chunks)", FACTORY
    )
    approximate_recall: float = setting(0.99, "recall@10 that larger indexes are tuned to", between(0, 1))

    keep_generations: int = setting(2, "generations that a publish keeps, the new one included", at_least(1))
    damaged_index: str = setting(
        "fallback",
        "behaviour if the current generation is damaged: serve the previous one or refuse",
        one_of("fallback", "refuse"),
    )

    num_candidates: int = setting(100, "candidates taken from each of dense and lexical search", at_least(1))
    rerank_depth: int = setting(50, "number of candidates that are reranked", at_least(1))
    lexical_weight: float = setting(0.35, "weight of BM25 in the score", at_least(0))
    semantic_weight: float = setting(0.65, "weight of the best sentence or the cross-encoder", at_least(0))
    window_weight: float = setting(0.4, "weight of the query's terms that stand near each other", at_least(0))
    link_weight: float = setting(0.3, "weight of documents that name each other's titles", at_least(0))
    score_floor: float = setting(
        0.35, "share of the best score that a chunk must have and must add to the pack", between(0, 1)
    )
    near_duplicate_similarity: float = setting(0.95, "least similarity of duplicate chunks", between(0, 1))
    diversity_weight: float = setting(
        0.1, "weight by which similarity to packed chunks lowers the gain", between(0, 1)
    )
    max_chunks: int = setting(64, "most passages in a pack, unless the request sets it", between(1, 64))
    trim: bool = setting(True, "packs of the best sentences, instead of whole chunks")
    answerable: str = setting(
        "auto", "least answer_score of an answerable pack; auto: that of the index; 0: off", AUTO_OR_SHARE
    )
    ordering: str = setting("relevance", "order of the chunks", one_of("relevance", "document", "edges"))

    cache: bool = setting(True, "storage of query vectors, packs and measurements on disk")
    drop_packs: bool = setting(False, "deletion of packs whose generation is removed")
    cache_bytes: int = setting(1_000_000_000, "size above which the cache evicts", at_least(1))

    answer_max_tokens: int = setting(
        48, "longest answer that the reader writes if none is given", at_least(1)
    )
    num_placebos: int = setting(2, "unrelated chunks in each measured pack, as a control", at_least(0))
    num_subsets: int = setting(0, "random subsets of each measured pack, for a LASSO", at_least(0))
    measure_max_calls: int = setting(
        1_000, "reader calls after which a measurement stops as partial", at_least(1)
    )
    measure_max_tokens: int = setting(
        1_000_000, "reader tokens after which a measurement stops as partial", at_least(1)
    )
    measure_max_seconds: float = setting(
        120.0, "seconds after which a measurement stops as partial", POSITIVE
    )
    background_jobs: int = setting(0, "measurements that may wait for an idle moment; 0: off", at_least(0))
    measure_share: float = setting(0.0, "share of packs measured in the background unasked", between(0, 1))
    seed: int = setting(0, "seed of placebo draws and bootstraps", at_least(0))

    max_body_bytes: int = setting(20_000_000, "longest request body; longer: refused with 413", at_least(1))
    host: str = setting("127.0.0.1", "address the service listens on", FILLED)
    port: int = setting(8000, "port the service listens on; 0: any free port", between(0, 65_535))
    max_concurrent: int = setting(2, "packs assembled at the same time", at_least(1))
    max_waiting: int = setting(32, "requests that may wait; more: refused with 429", at_least(0))
    wait_seconds: float = setting(5.0, "longest wait for a slot; then refused with 503", at_least(0))

    def __post_init__(self) -> None:
        _refuse(_problems({f.name: getattr(self, f.name) for f in fields(self)}, at_start=False))

    @property
    def answer_threshold(self) -> float | None:
        """Least answer score of an answerable pack, or None if each index has its own."""
        return None if self.answerable == "auto" else float(self.answerable)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read all settings from the environment, check them and return them.

        Args:
            env: Variables and their values. None stands for the environment of this process.

        Raises:
            SettingError: a value has the wrong type or breaks a rule, or a variable that begins with
                `CONTEXTSVC_` is not a setting. The message names every such variable.
        """
        env = os.environ if env is None else env
        mine = {name: env[name] for name in sorted(env) if name.startswith(PREFIX) and name != DATA}
        links = [name for name, value in mine.items() if _is_service_link(name, value)]
        if links:
            log.info(json.dumps({"event": "kubernetes_service_links_ignored", "variables": links}))
        chosen = {name: value for name, value in mine.items() if name not in links}
        known = {PREFIX + f.name.upper(): f.name for f in fields(cls)}
        problems = [_unknown(name, known) for name in chosen if name not in known]
        hints, values = get_type_hints(cls), dict[str, Any]()
        for variable, name in known.items():
            try:
                if variable in chosen:
                    values[name] = _parsed(variable, chosen[variable], hints[name])
            except SettingError as error:
                problems.append(str(error))
        problems += _problems({**_defaults(), **values}, at_start=True)
        _refuse(problems)
        return cls(**values)


def documented() -> list[tuple[str, str, str]]:
    """Return a row of the documentation for each setting, in the order of their declaration.

    A row is (environment variable, default, explanation with the rule).
    """
    return [(PREFIX + f.name.upper(), _shown(f), _explained(f)) for f in fields(Settings)]


def _explained(f: "Field[Any]") -> str:
    doc, rule = f.metadata["doc"], f.metadata["rule"]
    unsaid = rule is None or rule.reads_files or rule in (FACTORY, FILLED, HTTP_URL)
    return doc if unsaid else f"{doc} ({rule.expected})"


def _shown(f: "Field[Any]") -> str:
    return "the platform's cache folder" if f.name == "home" else str(_default(f))


def _default(f: "Field[Any]") -> Any:
    return f.default_factory() if callable(f.default_factory) else f.default


def _defaults() -> dict[str, Any]:
    return {f.name: _default(f) for f in fields(Settings)}


def _problems(values: Mapping[str, Any], at_start: bool) -> list[str]:
    """Return one message for each broken rule.

    Rules about a single setting come first, then rules that compare several settings.
    """
    rules = [(f.name, f.metadata["rule"]) for f in fields(Settings) if f.metadata["rule"]]
    rules += [(name, make(values)) for name, make in _TOGETHER]
    return [
        _problem(PREFIX + name.upper(), None if rule.hides_value else values[name], rule.expected)
        for name, rule in rules
        if (at_start or not rule.reads_files) and not rule.holds(values[name])
    ]


def _smallest_chunk(values: Mapping[str, Any]) -> Rule:
    largest = values["chunk_max_tokens"]
    return Rule(f"at most CONTEXTSVC_CHUNK_MAX_TOKENS ({largest})", lambda value: value <= largest)


def _some_weight(values: Mapping[str, Any]) -> Rule:
    other = values["semantic_weight"]
    expected = "more than 0, because CONTEXTSVC_SEMANTIC_WEIGHT is 0"
    return Rule(expected, lambda value: value != 0 or other != 0)


def _room_to_measure(values: Mapping[str, Any]) -> Rule:
    jobs = values["background_jobs"]
    return Rule("0, or CONTEXTSVC_BACKGROUND_JOBS above 0", lambda value: not value or jobs > 0)


def _known_tokenizer(values: Mapping[str, Any]) -> Rule:
    names = (*ENCODINGS, *(name for name, _ in _tokenizer_files(values["tokenizers"])))
    return Rule(f"one of {', '.join(names)}", lambda value: value in names, reads_files=True)


def _reader_model(values: Mapping[str, Any]) -> Rule:
    by_url = bool(values["reader_url"])
    return Rule(MODEL.expected, lambda value: by_url or _is_model(value), reads_files=True)


_TOGETHER: tuple[tuple[str, Callable[[Mapping[str, Any]], Rule]], ...] = (
    ("chunk_min_tokens", _smallest_chunk),
    ("lexical_weight", _some_weight),
    ("measure_share", _room_to_measure),
    ("tokenizer", _known_tokenizer),
    ("reader", _reader_model),
)
"""Rules that depend on several settings: the checked setting, and the function that makes its rule."""


def _tokenizer_files(value: str) -> list[tuple[str, str]]:
    """Return (name, path) of each additional encoding. The path is empty if the text has no `=`."""
    parts = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    return [(name, path) for name, _, path in parts]


def _problem(variable: str, found: object, expected: str) -> str:
    found = str(found) if isinstance(found, Path) else found
    return f"{variable} {'cannot be used' if found is None else f'is {found!r}'}; expected {expected}"


def _unknown(variable: str, known: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(variable, known, n=2, cutoff=0)
    return f"unknown setting {variable}; the nearest are {' and '.join(nearest)}"


def _refuse(problems: list[str]) -> None:
    if len(problems) == 1:
        raise SettingError(problems[0])
    if problems:
        raise SettingError(f"{len(problems)} settings are wrong:" + "".join(f"\n  {p}" for p in problems))


def _parsed(variable: str, value: str, kind: Any) -> Any:
    try:
        if kind is bool:
            return {"1": True, "true": True, "0": False, "false": False}[value.strip().lower()]
        parsed = kind(value)
        if kind is float and not math.isfinite(parsed):
            raise ValueError
    except (KeyError, ValueError):
        expected = {bool: "1, true, 0 or false", int: "a whole number"}.get(kind, "a number")
        raise SettingError(_problem(variable, value, expected)) from None
    return parsed


_SERVICE_LINK = re.compile(
    r"""CONTEXTSVC_ ([A-Z0-9_]+_)?  # the Service's name: contextsvc, or contextsvc-something
    ( (SERVICE_HOST | PORT_\d+_(TCP|UDP|SCTP)_ADDR) = [\da-fA-F.:]+
    | (SERVICE_PORT(_[A-Z0-9_]+)? | PORT_\d+_(TCP|UDP|SCTP)_PORT) = \d+
    | PORT_\d+_(TCP|UDP|SCTP)_PROTO = (tcp|udp|sctp)
    | PORT(_\d+_(TCP|UDP|SCTP))? = (tcp|udp|sctp)://([\d.]+|\[[\da-fA-F:.]+\]):\d+ )""",
    re.VERBOSE,
)


def _is_service_link(variable: str, value: str) -> bool:
    """Return whether Kubernetes injected a variable.

    Both the name and the value must have the form that Kubernetes uses.
    """
    return _SERVICE_LINK.fullmatch(f"{variable}={value}") is not None
