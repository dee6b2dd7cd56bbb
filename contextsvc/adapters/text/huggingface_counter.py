"""Implement `ports.TokenCounter` with the library `tokenizers` and a model's `tokenizer.json`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from contextsvc.errors import SettingError
from contextsvc.records.fingerprints import Fingerprint


class HuggingFaceTokenCounter:
    """A `ports.TokenCounter` that reads a Hugging Face `tokenizer.json`.

    Truncation, padding and special tokens are switched off. A lone surrogate counts as U+FFFD.
    """

    def __init__(self, name: str, path: Path) -> None:
        """Load the tokenizer.

        Args:
            name: Name that requests use for this counter.
            path: Path of a `tokenizer.json`.

        Raises:
            SettingError: the file does not exist or is not a tokenizer.
        """
        self._name = name
        if not path.is_file():
            raise SettingError(f"tokenizer {name!r}: {path} does not exist; expected a tokenizer.json")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception for a file that it cannot read
            raise SettingError(f"tokenizer {name!r}: {path} is not a tokenizer.json: {error}") from error
        weights = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self._fingerprint = Fingerprint(name=name, weights=weights)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = (
            True  # special tokens in a text are encoded as plain text; the setting adds no tokens
        )

    @property
    def name(self) -> str:
        """Name that requests use for this counter."""
        return self._name

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the counter: its name and the hash of the `tokenizer.json`."""
        return self._fingerprint

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text; see `ports.TokenCounter.count`."""
        whole = [_without_lone_surrogates(text) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(whole, add_special_tokens=False)
        # A normaliser may add a prefix even to an empty text, but an empty text must count 0.
        return [len(encoding) if text else 0 for text, encoding in zip(whole, encodings, strict=True)]


def _without_lone_surrogates(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
