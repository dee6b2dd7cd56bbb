"""What the sentence splitter contract does not say of PunktSentenceSplitter."""

import shutil
from pathlib import Path

import nltk
import pytest

from contextsvc.adapters.text.punkt import PunktSentenceSplitter
from contextsvc.assets import locate
from contextsvc.errors import MissingAsset, SettingError
from contextsvc.settings import Settings


@pytest.fixture(scope="module")
def folder() -> Path:
    return locate(Settings.from_env().home, "punkt_tab")


def sentences(splitter: PunktSentenceSplitter, text: str) -> list[str]:
    return [text[start:end] for start, end in splitter.split(text)]


def test_abbreviations_numbers_and_quotes(folder: Path) -> None:
    text = 'Dr. Smith paid $3.50 to J. Doe. "Really?" he asked. (Yes.) It ended on Jan. 5th.'
    assert sentences(PunktSentenceSplitter(folder), text) == [
        "Dr. Smith paid $3.50 to J. Doe.", '"Really?"', "he asked.", "(Yes.)", "It ended on Jan. 5th.",
    ]  # fmt: skip


def test_another_language_knows_its_own_abbreviations(folder: Path) -> None:
    text = "Das gilt z.B. Montags nicht. Ende."
    assert sentences(PunktSentenceSplitter(folder, "german"), text) == [
        "Das gilt z.B. Montags nicht.",
        "Ende.",
    ]


def test_an_unknown_language_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(
        SettingError, match=r"unknown language '\.\./x'; choose from czech, danish, .*turkish"
    ):
        PunktSentenceSplitter(folder, "../x")


def test_missing_data_names_the_command(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match="contextsvc assets pull punkt_tab"):
        PunktSentenceSplitter(tmp_path)
    shutil.copytree(folder / "tokenizers/punkt_tab/english", tmp_path / "tokenizers/punkt_tab/english")
    (tmp_path / "tokenizers/punkt_tab/english/collocations.tab").unlink()
    with pytest.raises(MissingAsset, match=r"collocations\.tab"):
        PunktSentenceSplitter(tmp_path)


def test_nltks_search_path_is_left_alone(folder: Path) -> None:
    before = list(nltk.data.path)
    PunktSentenceSplitter(folder)
    assert nltk.data.path == before
    assert str(folder) not in before
