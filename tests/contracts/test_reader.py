"""What every Reader keeps: the fake, a tiny model, the real one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contextsvc import assets
from contextsvc.adapters.transformers import TransformersReader
from contextsvc.errors import InvalidRequest, ShapeError
from contextsvc.ports import Prompt, Reader
from contextsvc.records import BoolArray
from contextsvc.settings import Settings
from tests.adapters.tiny_models import save_reader
from tests.fakes.reader import FakeReader

PROMPT = Prompt(
    ("Bananas are yellow and grow in bunches.", "etcd listens on port 2379 by default."),
    "On which port does etcd listen?",
)
TARGET = "port 2379"


def build_fake(_folder: Path) -> Reader:
    return FakeReader()


def build_tiny(folder: Path) -> Reader:
    return TransformersReader(save_reader(folder), "float32", answer_max_tokens=8)


def build_real(_folder: Path) -> Reader:
    # One thread: test runs stand beside others, and two busy processes on two cores fall to a third.
    folder = assets.locate(Settings.from_env().home, "SmolLM2-135M-Instruct")
    return TransformersReader(folder, num_threads=1)


REAL = pytest.param(build_real, marks=pytest.mark.model)


def masks(*rows: str) -> BoolArray:
    """One mask a word: `10` keeps the first unit and removes the second."""
    return np.array([[letter == "1" for letter in row] for row in rows], dtype=np.bool_)


@pytest.fixture(scope="module", params=[build_fake, build_tiny, REAL])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    build: Callable[[Path], Reader] = request.param
    return build(tmp_path_factory.mktemp("reader"))


def test_one_negative_number_a_mask(reader: Reader) -> None:
    values = reader.score(PROMPT, masks("11", "01", "10", "00"), TARGET).values
    assert values.shape == (4,)
    assert values.dtype == np.float64
    assert (values < 0).all()


def test_a_mask_has_the_same_number_whatever_stands_beside_it(reader: Reader) -> None:
    values = reader.score(PROMPT, masks("11", "01", "11", "00"), TARGET).values
    assert values[0] == values[2]
    assert reader.score(PROMPT, masks("00", "01"), TARGET).values.tolist() == [values[3], values[1]]


def test_a_removed_unit_is_as_if_it_had_never_been_there(reader: Reader) -> None:
    (without,) = reader.score(PROMPT, masks("01"), TARGET).values
    (alone,) = reader.score(Prompt(PROMPT.units[1:], PROMPT.query), masks("1"), TARGET).values
    assert without == alone


def test_no_masks_and_no_units(reader: Reader) -> None:
    none = reader.score(PROMPT, masks("11")[:0], TARGET)
    assert none.values.shape == (0,)
    assert none.cost.reader_calls == none.cost.reader_tokens == 0
    bare = reader.score(Prompt((), PROMPT.query), np.zeros((1, 0), dtype=np.bool_), TARGET)
    assert bare.values.tolist() == reader.score(PROMPT, masks("00"), TARGET).values.tolist()


def test_cost_adds_up_over_distinct_masks(reader: Reader) -> None:
    full, empty = (reader.score(PROMPT, masks(row), TARGET).cost for row in ("11", "00"))
    both = reader.score(PROMPT, masks("11", "00", "11"), TARGET).cost
    assert full.reader_calls == empty.reader_calls == 1
    assert both.reader_calls == 2
    assert both.reader_tokens == full.reader_tokens + empty.reader_tokens
    assert full.reader_tokens > empty.reader_tokens
    assert both.seconds >= 0


@pytest.mark.parametrize("target", ["", "  \n"])
def test_an_empty_target_is_refused(reader: Reader, target: str) -> None:
    with pytest.raises(InvalidRequest, match="target is empty"):
        reader.score(PROMPT, masks("11"), target)


def test_masks_of_another_width_are_refused(reader: Reader) -> None:
    with pytest.raises(ShapeError, match=r"\(1, 3\).*\(num_masks, 2\)"):
        reader.score(PROMPT, masks("111"), TARGET)


def test_a_prompt_beyond_the_window_is_refused_with_both_numbers(reader: Reader) -> None:
    huge = Prompt(("word " * 9000,), "which word?")
    with pytest.raises(InvalidRequest, match=r"have \d+ tokens; the window of \S+ holds \d+"):
        reader.score(huge, masks("1"), TARGET)
    with pytest.raises(InvalidRequest, match=r"have \d+ tokens"):
        reader.answer(huge)
    assert reader.score(huge, masks("0"), TARGET).values.shape == (1,)


def test_an_answer_is_never_empty_always_the_same_and_counted(reader: Reader) -> None:
    first = reader.answer(PROMPT)
    assert first.text.strip() == first.text
    assert first.text
    assert reader.answer(PROMPT).text == first.text
    assert first.cost.reader_calls >= 1
    assert first.cost.reader_tokens > first.cost.reader_calls


def test_the_reader_says_who_it_is(reader: Reader) -> None:
    assert reader.name
    assert reader.fingerprint.startswith(reader.name)


@pytest.mark.parametrize("build", [build_fake, REAL])
def test_removing_the_unit_that_holds_the_answer_costs_more_than_removing_another(
    build: Callable[[Path], Reader], tmp_path: Path
) -> None:
    full, without_other, without_answer = (
        build(tmp_path).score(PROMPT, masks("11", "01", "10"), TARGET).values
    )
    assert full - without_answer > 0.5
    assert full - without_answer > full - without_other + 0.5
