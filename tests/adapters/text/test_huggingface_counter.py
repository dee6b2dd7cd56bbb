"""HuggingFaceTokenCounter on tokenizers made here."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from contextsvc.adapters.text.huggingface_counter import HuggingFaceTokenCounter
from contextsvc.errors import SettingError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Words, with everything on that a counter must not do: truncation, padding, special tokens, a prefix."""
    words = {"[UNK]": 0, "[CLS]": 1, "[PAD]": 2, "a": 3, ">": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Prepend(">")
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A", None, [("[CLS]", 1)])
    tokenizer.add_special_tokens(["[CLS]", "[PAD]"])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_truncation_padding_and_special_tokens_are_off(path: Path) -> None:
    counter = HuggingFaceTokenCounter("words", path)
    assert counter.name == "words"
    # The prefix ">" is one token of its own; "[CLS]" as text is "[", "CLS" and "]".
    assert counter.count(["", " a a a a", " [CLS]"]) == [0, 5, 4]


def test_a_file_that_is_not_there_is_a_setting_error(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"tokenizer 'mine': .*gone\.json does not exist"):
        HuggingFaceTokenCounter("mine", tmp_path / "gone.json")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version":"1.0"}', "\x00\xff"])
def test_a_file_that_is_no_tokenizer_is_a_setting_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(SettingError, match=r"is not a tokenizer\.json"):
        HuggingFaceTokenCounter("mine", path)
