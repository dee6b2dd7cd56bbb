"""A sentence splitter without data."""

import re

_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|(?=\s*\Z))", re.DOTALL)


class FakeSentenceSplitter:
    """A `ports.SentenceSplitter`: a sentence ends at `.`, `!` or `?` before space, or where the text ends."""

    def split(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in _SENTENCE.finditer(text)]
