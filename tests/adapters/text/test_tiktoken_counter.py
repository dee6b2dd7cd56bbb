"""What the token counter contract does not say of TiktokenCounter."""

import os
import shutil
from pathlib import Path

import pytest

from contextsvc.adapters.text.tiktoken_counter import ENCODINGS, TiktokenCounter
from contextsvc.assets import locate
from contextsvc.errors import CorruptAsset, MissingAsset, SettingError
from contextsvc.settings import Settings


@pytest.fixture(scope="module")
def folder() -> Path:
    return locate(Settings.from_env().home, "tiktoken")


def test_the_two_encodings_count_as_published(folder: Path) -> None:
    # "antidisestablishmentarianism" is 6 tokens in both; "2 + 2 = 4" is 7 (OpenAI cookbook).
    for name in ("o200k_base", "cl100k_base"):
        assert TiktokenCounter(name, folder).count(["antidisestablishmentarianism", "2 + 2 = 4"]) == [6, 7]
    assert TiktokenCounter("o200k_base", folder).count(["お誕生日おめでとう"]) == [8]
    assert TiktokenCounter("cl100k_base", folder).count(["お誕生日おめでとう"]) == [9]


def test_an_unknown_encoding_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(SettingError, match="unknown encoding 'gpt2'; choose from cl100k_base, o200k_base"):
        TiktokenCounter("gpt2", folder)


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match="contextsvc assets pull tiktoken"):
        TiktokenCounter("o200k_base", tmp_path)


def test_a_changed_file_is_refused_and_kept(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / ENCODINGS["o200k_base"]
    shutil.copy(folder / ENCODINGS["o200k_base"], copy)
    with copy.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(CorruptAsset, match="has SHA-256"):
        TiktokenCounter("o200k_base", tmp_path)
    assert copy.exists()


def test_the_environment_is_left_as_it_was(folder: Path) -> None:
    before = dict(os.environ)
    TiktokenCounter("cl100k_base", folder)
    assert dict(os.environ) == before


def test_a_million_spaces_are_counted_where_tiktoken_aborts(folder: Path) -> None:
    counter = TiktokenCounter("o200k_base", folder)
    part = counter.count([" " * 250_000])[0]
    assert counter.count([" " * 1_000_000]) == [4 * part]


def test_a_long_text_with_short_spaces_is_counted_whole(folder: Path) -> None:
    assert TiktokenCounter("o200k_base", folder).count([" word" * 60_000]) == [60_000]
