"""The contract of every TokenCounter."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextsvc.adapters.text.huggingface_counter import HuggingFaceTokenCounter
from contextsvc.adapters.text.tiktoken_counter import TiktokenCounter
from contextsvc.assets import locate
from contextsvc.ports import TokenCounter
from contextsvc.settings import Settings
from tests.fakes.token_counter import FakeTokenCounter


def _tiktoken(name: str) -> TokenCounter:
    return TiktokenCounter(name, locate(Settings.from_env().home, "tiktoken"))


def _tokenizers(asset: str) -> TokenCounter:
    return HuggingFaceTokenCounter(asset, locate(Settings.from_env().home, asset) / "tokenizer.json")


COUNTERS: dict[str, Callable[[], TokenCounter]] = {
    "fake": FakeTokenCounter,
    "o200k_base": lambda: _tiktoken("o200k_base"),
    "cl100k_base": lambda: _tiktoken("cl100k_base"),
    "all-MiniLM-L6-v2": lambda: _tokenizers("all-MiniLM-L6-v2"),
    "SmolLM2-135M-Instruct": lambda: _tokenizers("SmolLM2-135M-Instruct"),
}


@pytest.fixture(scope="module", params=list(COUNTERS))
def counter(request: pytest.FixtureRequest) -> TokenCounter:
    return COUNTERS[request.param]()


def test_the_counter_has_its_name(counter: TokenCounter, request: pytest.FixtureRequest) -> None:
    assert f"[{counter.name}]" in request.node.name


def test_counts_keep_the_order(counter: TokenCounter) -> None:
    assert counter.count(["Hello world", "", "Hello", "one two three"]) == [2, 0, 1, 3]


def test_no_texts_give_no_counts(counter: TokenCounter) -> None:
    assert counter.count([]) == []


def test_nothing_is_cut_and_nothing_padded(counter: TokenCounter) -> None:
    assert counter.count([" word" * 5000, " word"]) == [5000, 1]


@pytest.mark.parametrize("special", ["<|endoftext|>", "<|im_end|>", "[CLS]"])
def test_text_that_looks_like_a_special_token_is_text(counter: TokenCounter, special: str) -> None:
    assert counter.count([special])[0] >= 3


def test_half_a_surrogate_pair_counts_as_a_replacement_character(counter: TokenCounter) -> None:
    assert counter.count(["a \ud83d b"]) == counter.count(["a \ufffd b"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(st.text(), max_size=4))
def test_a_count_does_not_depend_on_its_neighbours(counter: TokenCounter, texts: list[str]) -> None:
    assert counter.count(texts) == [counter.count([text])[0] for text in texts]
