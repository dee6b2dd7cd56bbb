"""Shared parts of the torch adapters: precision, threads, quiet loading and hashes of weights."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from transformers.utils import logging as transformers_logging

from contextsvc.errors import SettingError
from contextsvc.records.fingerprints import Fingerprint

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Number type of torch for each value of a precision setting. The setting may also be `auto`."""

_FAST_BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
_CPU_FLAGS = Path("/proc/cpuinfo")
_MODEL_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]


def resolve_precision(precision: str) -> str:
    """Resolve a precision setting to `float32` or `bfloat16`.

    `auto` becomes bfloat16 if the CPU multiplies bfloat16 natively, otherwise float32. Without native support
    torch emulates bfloat16, which is slower than float32. The CPU flags are read from the kernel, because
    torch reports AMX tiles but not whether they support bfloat16.

    Raises:
        SettingError: the value is unknown.
    """
    if precision in PRECISIONS:
        return precision
    if precision != "auto":
        raise SettingError(f"precision is {precision!r}; expected auto, {', '.join(PRECISIONS)}")
    text = _CPU_FLAGS.read_text() if _CPU_FLAGS.exists() else ""
    return "float32" if _FAST_BFLOAT16_FLAGS.isdisjoint(text.split()) else "bfloat16"


def set_num_threads(num_threads: int) -> None:
    """Set the number of torch threads of this process. 0 keeps torch's default, one per core."""
    if num_threads > 0:
        torch.set_num_threads(num_threads)


def model_folder(model: str | Path) -> Path:
    """Return the folder of a model that is given as a folder or as a hub name.

    A hub name is first looked up in the hub's local cache, so a second start needs no network. Only
    safetensors are downloaded as weights, because other weight files are pickles, which can run code.

    Raises:
        SettingError: `model` is neither a folder nor a name that the hub serves.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder.resolve()
    try:
        return _snapshot(str(model), offline=True)
    except SettingError:
        return _snapshot(str(model), offline=False)


def _snapshot(name: str, offline: bool) -> Path:
    expected = (
        "expected a folder, an asset (contextsvc assets list) or a name on a model hub that can be reached"
    )
    try:
        with quiet_loading():
            folder = Path(snapshot_download(name, allow_patterns=_MODEL_FILES, local_files_only=offline))
    except Exception as error:  # the library's HTTP errors are undocumented and changed between versions
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingError(f"no model {name!r}; {expected} ({reason})") from error
    if not any(folder.rglob("*.safetensors")):
        raise SettingError(f"model {name!r} holds no *.safetensors; expected a model that does")
    return folder


def model_name(model: str | Path) -> str:
    """Return the display name of a model: the folder's name, or the hub name without its owner."""
    return Path(model).name or str(model)


def weights_hash(folder: Path) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of the weights.

    If the weights are one file, the hash is that of the file, so it can be compared with a published hash. If
    they are several files, it is the hash of the files' paths and hashes. This package reads weights only
    from safetensors.

    Raises:
        SettingError: the folder holds no weights.
    """
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise SettingError(f"{folder} holds no weights; expected at least one *.safetensors")
    hashes = {path.relative_to(folder).as_posix(): _sha256(path) for path in files}
    whole = next(iter(hashes.values())) if len(hashes) == 1 else short_digest(hashes, 64)
    return whole[:12]


def short_digest(facts: object, length: int = 12) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 of JSON values.

    The order of keys in an object does not matter.
    """
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Show no progress bars and no warnings on stderr within the context. Errors still raise."""
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


def model_fingerprint(model: str | Path, folder: Path, precision: str, facts: object) -> Fingerprint:
    """Return the fingerprint of a model that is used in one way.

    Args:
        model: Folder or hub name of the model.
        folder: Folder of its weights.
        precision: Number format of the arithmetic.
        facts: Everything else that changes the output, as a value that JSON can hold.
    """
    return Fingerprint(
        name=model_name(model),
        weights=weights_hash(folder),
        precision=precision,
        usage=(short_digest(facts, 8),),
    )
