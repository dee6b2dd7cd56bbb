"""Vectors that peers share: what one of them has encoded, the next one reads from a file.

While an index is built, and never while a side is asked: a query always goes through the model. Whoever
times a build passes no folder, and nothing here runs. Most peers put the same passages through the same
weights, and that is nearly all that their indexes cost.

A vector is kept by the numbers that the model reads, cut at its window: texts that differ in spaces alone, or
past the window, are one to it. Files are apart by weights, by versions and by library, for txtai reads twice
as far as sentence-transformers does. A call that asks for something else than plain vectors goes through.
"""

import hashlib
import inspect
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_READ_TOGETHER = 256
"""Texts tokenized at once; sentence-transformers pads them to the longest."""

_ASKED_TOGETHER = 500
"""Keys of a query; SQLite takes 999 at least."""

_KEPT_TOGETHER = 512
"""Texts encoded between commits: what an interrupted run loses. Within them the library sorts by length."""


class Store:
    """Vectors by key, in a file of SQLite's; several processes may share it.

    Args:
        path: Made if it is not there, its folder too.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Pipelines may ask from threads of theirs; the library is built to be asked so.
        self._file = sqlite3.connect(path, timeout=60, check_same_thread=False)
        # In this mode a commit does not wait for the disk: a query is one.
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        with self._file:
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )

    def completed(self, keys: Sequence[bytes], encode: Callable[[list[int]], Any]) -> Vectors:
        """The vector of each key, encoding those that are not there and keeping them.

        Args:
            keys: One or more; equal ones are encoded once.
            encode: Places among `keys` -> their vectors, float32.

        Returns:
            One row a key.

        Raises:
            TypeError: `encode` gives other numbers than float32.
        """
        found = dict(self._kept(list(dict.fromkeys(keys))))
        missing = {key: place for place, key in enumerate(keys) if key not in found}
        for some in _parts(list(missing), _KEPT_TOGETHER):
            made = np.asarray(encode([missing[key] for key in some]))
            if made.dtype != np.float32:
                raise TypeError(f"vectors of {made.dtype}; only float32 can be shared: pass no folder")
            found.update(zip(some, made, strict=True))
            with self._file:
                self._file.executemany(
                    "INSERT OR IGNORE INTO vectors VALUES (?, ?)",
                    ((key, vector.tobytes()) for key, vector in zip(some, made, strict=True)),
                )
        return np.stack([found[key] for key in keys])

    def _kept(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Vectors]]:
        for some in _parts(keys, _ASKED_TOGETHER):
            marks = ",".join("?" * len(some))
            rows = self._file.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)
            yield from ((key, np.frombuffer(vector, np.float32)) for key, vector in rows)


@contextmanager
def shared(packages: Sequence[str], folder: Path | None, model: Path) -> Iterator[None]:
    """Let a side's library keep its vectors in a folder, within a `with` block.

    Args:
        packages: A side's; where neither library is among them, nothing changes.
        folder: Of the files; None: nothing changes.
        model: Folder of the weights.
    """
    found = _library_of(packages)
    if folder is None or found is None:
        yield
        return
    library, kind, sharing = found
    encode = kind.encode
    kind.encode = sharing(encode, Store(folder / named(library, model)))
    try:
        yield
    finally:
        kind.encode = encode


def _library_of(packages: Sequence[str]) -> tuple[str, Any, Callable[..., Any]] | None:
    if "txtai" in packages:
        from txtai.models.pooling.base import Pooling

        return "txtai", Pooling, _pooled
    if "sentence-transformers" in packages:
        from sentence_transformers import SentenceTransformer

        return "sentence-transformers", SentenceTransformer, _encoding
    return None


def named(library: str, model: Path) -> str:
    """The file of a library and a model: its name says all versions and every byte that vectors depend on."""
    said = hashlib.sha256()
    for package in (library, "transformers", "tokenizers", "torch"):
        said.update(f"{package} {version(package)}\n".encode())
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        said.update(f"{path.relative_to(model)} {digest}\n".encode())
    return f"{library}-{said.hexdigest()[:16]}.sqlite"


def _encoding(encode: Callable[..., Any], store: Store) -> Callable[..., Any]:
    """`SentenceTransformer.encode`, from a store where plain vectors are asked for."""
    signature = inspect.signature(encode)

    def encoded(self: Any, *given: Any, **options: Any) -> Any:
        asked = signature.bind(self, *given, **options)
        asked.apply_defaults()
        inputs = asked.arguments["inputs"]
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not _texts(texts) or not _plain(self, asked.arguments, signature):
            return encode(self, *given, **options)
        unit = asked.arguments["normalize_embeddings"] or type(self[-1]).__name__ == "Normalize"
        about = f"{type(self).__name__} {self.dtype} {unit}"

        def missing(places: list[int]) -> Any:
            asked.arguments["inputs"] = [texts[place] for place in places]
            return encode(*asked.args, **asked.kwargs)

        vectors = store.completed([_key(about, numbers) for numbers in _numbers(self, texts)], missing)
        return vectors[0] if isinstance(inputs, str) else vectors

    return encoded


_FREE = ("self", "inputs", "prompt", "prompt_name", "batch_size", "show_progress_bar", "normalize_embeddings")
"""What leaves a vector as it is, or is looked at by itself; all else has to be as it is by default."""


def _plain(model: Any, asked: Mapping[str, Any], signature: inspect.Signature) -> bool:
    defaults = {name: one.default for name, one in signature.parameters.items()} | {"kwargs": {}}
    prompt = asked["prompt"]
    if prompt is None:
        name = asked["prompt_name"] or model.default_prompt_name
        prompt = model.prompts.get(name, name)  # a name that is unknown is the library's to refuse
    usual = all(name in _FREE or value == defaults[name] for name, value in asked.items())
    return usual and not prompt and model.truncate_dim is None


def _numbers(model: Any, texts: Sequence[str]) -> Iterator[Sequence[int]]:
    for some in _parts(texts, _READ_TOGETHER):
        read = model.preprocess(list(some))
        for numbers, mask in zip(read["input_ids"], read["attention_mask"], strict=True):
            yield numbers[mask.bool()].tolist()


def _pooled(encode: Callable[..., Any], store: Store) -> Callable[..., Any]:
    """txtai's `Pooling.encode`, from a store where texts are encoded."""

    def encoded(self: Any, documents: Any, batch: int = 32, category: str | None = None) -> Any:
        if not _texts(documents):
            return encode(self, documents, batch, category)
        about = f"{type(self).__name__} {next(self.parameters()).dtype}"
        read = self.tokenizer(
            self.preencode(documents, category), truncation="longest_first", max_length=self.maxlength
        )

        def missing(places: list[int]) -> Any:
            return encode(self, [documents[place] for place in places], batch, category)

        return store.completed([_key(about, numbers) for numbers in read["input_ids"]], missing)

    return encoded


def _texts(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(text, str) for text in given)


def _key(about: str, numbers: Sequence[int]) -> bytes:
    return hashlib.sha256(about.encode() + np.array(numbers, np.int64).tobytes()).digest()


def _parts(all_of: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (all_of[first : first + size] for first in range(0, len(all_of), size))
