"""A token counter whose counts can be worked out by eye."""

import re
from collections.abc import Sequence

from contextsvc.records.fingerprints import Fingerprint

_TOKEN = re.compile(r"\w+|[^\w\s]")


class FakeTokenCounter:
    """A `ports.TokenCounter`: a run of letters and digits is a token, any other mark one, space none."""

    @property
    def name(self) -> str:
        return "fake"

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(name="fake", weights="1")

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(_TOKEN.findall(text)) for text in texts]
