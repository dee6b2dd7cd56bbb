"""What was made of a text is made once: versions of a manual share pages, and most sentences."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from contextsvc.records.documents import Document
from contextsvc.records.fingerprints import digest

MAX_CHARS = 4_000_000
"""Of the texts whose results are kept: several versions of a manual."""

Made = TypeVar("Made")


class Memo(Generic[Made]):
    """Results by text, for work that looks at nothing else.

    Those used longest ago go first, so that memory is bounded whatever is read. One thread at a time.

    Args:
        max_chars: Of the texts whose results are kept; 0 keeps nothing.
    """

    def __init__(self, max_chars: int = MAX_CHARS) -> None:
        self._max_chars, self._num_chars = max_chars, 0
        self._made: OrderedDict[str, tuple[Made, int]] = OrderedDict()

    def of(self, document: Document, make: Callable[[], Made], *also: str) -> Made:
        """What was made of an equal text in the same format; else what `make` gives. Not to be changed.

        `also` names what else `make` looks at.
        """
        key = digest(document.format, document.text, *also)
        known = self._made.get(key)
        if known is not None:
            self._made.move_to_end(key)
            return known[0]
        made = make()
        self._keep(key, made, len(document.text))
        return made

    def each(self, texts: Sequence[str], make: Callable[[list[str]], Sequence[Made]]) -> list[Made]:
        """For each text what was made of it before, else what `make` gives for those not known, each once."""
        known = {text: self._made[text][0] for text in texts if text in self._made}
        missing = list(dict.fromkeys(text for text in texts if text not in known))
        for text in known:
            self._made.move_to_end(text)
        for text, made in zip(missing, make(missing) if missing else [], strict=True):
            known[text] = made
            self._keep(text, made, len(text))
        return [known[text] for text in texts]

    def _keep(self, key: str, made: Made, num_chars: int) -> None:
        self._made[key] = (made, num_chars)
        self._num_chars += num_chars
        while self._num_chars > self._max_chars:
            _, (_, gone) = self._made.popitem(last=False)
            self._num_chars -= gone
