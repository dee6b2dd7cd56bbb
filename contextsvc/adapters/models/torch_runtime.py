"""What the adapters of torch models share: precision, threads, quiet loading, weights hashes."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from transformers.utils import logging as transformers_logging

from contextsvc.errors import SettingError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""What a precision setting may name, besides `auto`."""

_FAST_BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
_CPU_FLAGS = Path("/proc/cpuinfo")
_MODEL_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]


def resolve_precision(precision: str) -> str:
    """`float32` or `bfloat16`; `auto` is bfloat16 where the CPU multiplies it natively.

    Elsewhere torch emulates bfloat16, which is slower than float32. The flags are read from the
    kernel: torch's own queries name AMX tiles but not whether they take bfloat16.

    Raises:
        SettingError: an unknown name.
    """
    if precision in PRECISIONS:
        return precision
    if precision != "auto":
        raise SettingError(f"precision is {precision!r}; expected auto, {', '.join(PRECISIONS)}")
    text = _CPU_FLAGS.read_text() if _CPU_FLAGS.exists() else ""
    return "float32" if _FAST_BFLOAT16_FLAGS.isdisjoint(text.split()) else "bfloat16"


def set_num_threads(num_threads: int) -> None:
    """Threads of all torch work in this process; 0 leaves torch's default, one a core."""
    if num_threads > 0:
        torch.set_num_threads(num_threads)


def model_folder(model: str | Path) -> Path:
    """The folder of a model given as a folder or as a hub name.

    A hub name is looked for in the hub's local cache first, so a second start needs no network.
    Only safetensors are taken: other weight files are pickles, which run code.

    Raises:
        SettingError: neither a folder nor a name that the hub serves now.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder.resolve()
    try:
        return _snapshot(str(model), offline=True)
    except SettingError:
        return _snapshot(str(model), offline=False)


def _snapshot(name: str, offline: bool) -> Path:
    expected = "expected a folder, an asset (contextsvc assets list) or a name on a model hub that answers"
    try:
        with quiet_loading():
            folder = Path(snapshot_download(name, allow_patterns=_MODEL_FILES, local_files_only=offline))
    except Exception as error:  # which HTTP client raises is the library's secret, and it has changed
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingError(f"no model {name!r}; {expected} ({reason})") from error
    if not any(folder.rglob("*.safetensors")):
        raise SettingError(f"model {name!r} holds no *.safetensors; {expected}")
    return folder


def model_name(model: str | Path) -> str:
    """Short name for people: the folder's own name, or the hub name without its owner."""
    return Path(model).name or str(model)


def weights_hash(folder: Path) -> str:
    """First 12 hex of the SHA-256 of the weights.

    A single file gives its own hash, so that it can be compared with a published one; several give
    the hash of their paths and hashes. Only safetensors are read anywhere in this package.

    Raises:
        SettingError: the folder holds no weights.
    """
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise SettingError(f"{folder} holds no weights; expected *.safetensors")
    hashes = {path.relative_to(folder).as_posix(): _sha256(path) for path in files}
    whole = next(iter(hashes.values())) if len(hashes) == 1 else short_digest(hashes, 64)
    return whole[:12]


def short_digest(facts: object, length: int = 12) -> str:
    """Hex digest of plain facts, independent of the order of keys."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


@contextmanager
def quiet_loading() -> Iterator[None]:
    """No progress bars and no advice on stderr while a model loads; errors still raise."""
    bars, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
