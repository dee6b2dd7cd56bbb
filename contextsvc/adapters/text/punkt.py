"""Implement `ports.SentenceSplitter` with Punkt of the library NLTK."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from nltk.tokenize.punkt import PunktSentenceTokenizer, load_punkt_params

from contextsvc.errors import MissingAsset, SettingError

_INNER_END = re.compile(r"[.?!](?=.)", re.DOTALL)


class PunktSentenceSplitter:
    """A `ports.SentenceSplitter` that downloads nothing and does not change NLTK's search path.

    Source: Kiss, Strunk, Computational Linguistics 32(4), 2006. https://doi.org/10.1162/coli.2006.32.4.485
    """

    def __init__(self, folder: Path, language: str = "english") -> None:
        """Load the data of a language from the folder of the asset `punkt_tab`.

        Args:
            folder: Folder of the asset.
            language: Name of the language, in English and lower case.

        Raises:
            MissingAsset: the folder holds no Punkt data, or the language's files cannot be read.
            SettingError: the folder does not hold that language.
        """
        data = folder / "tokenizers" / "punkt_tab"
        languages = sorted(path.name for path in data.glob("*") if path.is_dir())
        if not languages:
            raise MissingAsset(f"{data} holds no Punkt data; pull it: contextsvc assets pull punkt_tab")
        if language not in languages:
            raise SettingError(f"unknown language {language!r}; choose from {', '.join(languages)}")
        try:
            params = load_punkt_params(_Language(data / language))
        except OSError as error:
            raise MissingAsset(f"{error}; pull it again: contextsvc assets pull punkt_tab") from error
        self._tokenizer = PunktSentenceTokenizer(params)

    def split(self, text: str) -> list[tuple[int, int]]:
        """Return the (start, end) offsets of the sentences; see `ports.SentenceSplitter.split`.

        Only the starts that Punkt finds are used. A sentence ends where the next one starts, so no text is
        lost between two sentences.
        """
        # A sentence ends at a mark that Punkt knows, so that a text without one inside need not be analysed.
        found = self._tokenizer.span_tokenize(text) if _INNER_END.search(text) else ()
        starts = sorted({0, len(text), *(start for start, _ in found)})
        trimmed = (_trim(text, start, end) for start, end in pairwise(starts))
        return [span for span in trimmed if span[0] < span[1]]


@dataclass(frozen=True, slots=True)
class _Language:
    """Folder of a language, with the one method that NLTK calls on it.

    NLTK's own class finds folders only through NLTK's search path.
    """

    path: Path

    def join(self, file_name: str) -> Path:
        return self.path / file_name


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
