"""Implement `ports.TokenCounter` with the library tiktoken."""

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import tiktoken
from tiktoken_ext import openai_public

from contextsvc.assets import ASSETS
from contextsvc.assets.folder import verify
from contextsvc.errors import CorruptAsset, MissingAsset, SettingError
from contextsvc.records.fingerprints import Fingerprint

ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
    }
)
"""Name of the file that holds the token ranks of each encoding.

As in tiktoken's cache, the name is the SHA-1 of the address from which the file is downloaded.
"""

_COMMAND = "contextsvc assets pull tiktoken"
_LONGEST_RUN_CHARS = 250_000
_SPACES = re.compile(r"\s+")
_ENVIRONMENT = threading.Lock()


class TiktokenCounter:
    """A `ports.TokenCounter` for the encodings of `ENCODINGS`.

    The counter reads local files and never uses the network. A lone surrogate counts as U+FFFD, as in
    tiktoken.
    """

    def __init__(self, name: str, folder: Path) -> None:
        """Load an encoding from the folder of the asset `tiktoken`. This takes about a second.

        Args:
            name: Name of the encoding, a key of `ENCODINGS`.
            folder: Folder of the asset.

        Raises:
            SettingError: the encoding is unknown.
            MissingAsset: the encoding's file does not exist.
            CorruptAsset: the encoding's file differs from the pinned file.
        """
        if name not in ENCODINGS:
            raise SettingError(f"unknown encoding {name!r}; choose from {', '.join(sorted(ENCODINGS))}")
        _check(folder, ENCODINGS[name])
        with _cache_folder(folder):
            self._encoding = tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())

    @property
    def name(self) -> str:
        """Name of the encoding."""
        return self._encoding.name

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the encoding; see `fingerprint_of`."""
        return fingerprint_of(self.name)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text; see `ports.TokenCounter.count`.

        The texts are counted in one thread, because starting a thread pool costs more than counting the few
        texts of a request.
        """
        encode = self._encoding.encode_ordinary
        return [
            len(encode(text))
            if len(text) <= _LONGEST_RUN_CHARS
            else sum(len(encode(part)) for part in _parts(text))
            for text in texts
        ]


def fingerprint_of(name: str) -> Fingerprint:
    """Return the fingerprint of an encoding: its name and the hash in its file name. Nothing is loaded."""
    return Fingerprint(name=name, weights=ENCODINGS[name][:12])


def _parts(text: str) -> list[str]:
    """Split a text inside very long runs of spaces.

    In a run of about a million spaces tiktoken would abort.
    """
    cuts = [0]
    for run in _SPACES.finditer(text):
        cuts.extend(range(run.start() + _LONGEST_RUN_CHARS, run.end(), _LONGEST_RUN_CHARS))
    return [text[start:end] for start, end in pairwise([*cuts, len(text)])]


def _check(folder: Path, file: str) -> None:
    """Verify the file of an encoding before tiktoken opens it.

    tiktoken would delete a file that differs and download it again.
    """
    if not (folder / file).is_file():
        raise MissingAsset(f"{folder / file} does not exist; pull it: {_COMMAND}")
    try:
        verify(folder, {file: ASSETS["tiktoken"].files[file]})
    except CorruptAsset as error:
        raise CorruptAsset(f"{folder}: {error}; pull it again: {_COMMAND}") from error


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    """Set tiktoken's cache folder within the context.

    tiktoken reads this setting when it builds an encoding.
    """
    variable = "TIKTOKEN_CACHE_DIR"
    with _ENVIRONMENT:
        before = os.environ.get(variable)
        os.environ[variable] = str(folder)
        try:
            yield
        finally:
            if before is None:
                del os.environ[variable]
            else:
                os.environ[variable] = before
