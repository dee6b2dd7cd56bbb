"""The contract of every Reader: the fake, a tiny model in each scoring mode, the real one."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from contextsvc import assets
from contextsvc.adapters.language_models.local import TransformersReader
from contextsvc.errors import InvalidRequest, ShapeError
from contextsvc.ports import Limits, Prompt, Reader
from contextsvc.ports.reading import Outcome
from contextsvc.records.arrays import BoolArray
from contextsvc.settings import Settings
from tests.adapters.tiny_models import save_reader
from tests.fakes.reader import FakeReader

PROMPT = Prompt(
    (
        "Bananas are yellow, they grow in large bunches and they ripen after they were picked.\n\n",
        "etcd listens on port 2379 by default.\n\n",
    ),
    "On which port does etcd listen?",
)
"""The first unit is the longer one in any encoding."""

TARGET = "port 2379"
LONG_TARGET = "By default etcd listens on port 2379 of its machine."


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to make a reader, and how much its score of a mask may depend on the other masks."""

    name: str
    build: Callable[[Path], Reader]
    closeness: float


@dataclass(frozen=True, slots=True)
class Subject:
    """A reader under test; closeness as in `Kind`."""

    reader: Reader
    closeness: float


def build_fake(_folder: Path) -> Reader:
    return FakeReader()


def tiny(mode: str) -> Callable[[Path], Reader]:
    def build(folder: Path) -> Reader:
        return TransformersReader(save_reader(folder), "float32", answer_max_tokens=8, mode=mode)

    return build


def real(mode: str) -> Callable[[Path], Reader]:
    def build(_folder: Path) -> Reader:
        # One thread: test runs stand beside others, and two busy processes on two cores fall to a third.
        folder = assets.locate(Settings.from_env().home, "SmolLM2-135M-Instruct")
        return TransformersReader(folder, num_threads=1, answer_max_tokens=8, mode=mode)

    return build


FAKE = Kind("fake", build_fake, 0)
EXACT = Kind("exact", tiny("exact"), 0)
MASKED = Kind("masked", tiny("masked"), 1e-5)
BLOCKS = Kind("blocks", tiny("blocks"), 1e-5)
# The real one reads bfloat16 where the CPU does: a logit of 20 is known to a sixteenth there.
REAL_KINDS = [Kind(f"real-{mode}", real(mode), 0.25) for mode in ("masked", "blocks")]
REAL = [pytest.param(kind, marks=pytest.mark.model, id=kind.name) for kind in REAL_KINDS]
REAL_MASKED, REAL_BLOCKS = REAL
ALL = [*(pytest.param(kind, id=kind.name) for kind in (FAKE, EXACT, MASKED, BLOCKS)), *REAL]


def only(*kinds: object) -> pytest.MarkDecorator:
    """Run a test with some of the readers."""
    chosen = [pytest.param(kind, id=kind.name) if isinstance(kind, Kind) else kind for kind in kinds]
    return pytest.mark.parametrize("subject", chosen, indirect=True)


def masks(*rows: str) -> BoolArray:
    """One mask per word: `10` keeps the first unit and removes the second."""
    return np.array([[letter == "1" for letter in row] for row in rows], dtype=np.bool_)


@pytest.fixture(scope="module", params=ALL)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    kind: Kind = request.param
    return Subject(kind.build(tmp_path_factory.mktemp("reader")), kind.closeness)


@pytest.fixture
def reader(subject: Subject) -> Reader:
    return subject.reader


def test_one_negative_number_a_mask(reader: Reader) -> None:
    values = reader.score(PROMPT, masks("11", "01", "10", "00"), TARGET).values
    assert values.shape == (4,)
    assert values.dtype == np.float64
    assert (values < 0).all()


def test_the_outcome_has_a_name(reader: Reader) -> None:
    assert reader.outcome in get_args(Outcome)


def test_the_same_call_gives_the_same_numbers(reader: Reader) -> None:
    first, second = (reader.score(PROMPT, masks("11", "01", "11", "00"), TARGET).values for _ in range(2))
    assert first.tolist() == second.tolist()
    assert first[0] == first[2]


def test_other_masks_beside_it_do_not_move_a_number(subject: Subject) -> None:
    values = subject.reader.score(PROMPT, masks("11", "01", "00"), TARGET).values
    others = subject.reader.score(PROMPT, masks("00", "10", "01"), TARGET).values
    np.testing.assert_allclose(others[[2, 0]], values[1:], rtol=0, atol=subject.closeness)


# Not for `masked` readers: units after a removed one have read it. For `blocks` readers only if the longest
# block stays: the position of the question is the end of the longest block.
@only(FAKE, EXACT, BLOCKS, REAL_BLOCKS)
def test_a_removed_unit_is_as_if_it_had_never_been_there(subject: Subject) -> None:
    (without,) = subject.reader.score(PROMPT, masks("10"), TARGET).values
    (alone,) = subject.reader.score(Prompt(PROMPT.units[:1], PROMPT.query), masks("1"), TARGET).values
    assert without == pytest.approx(alone, abs=subject.closeness, rel=0)


@only(FAKE, EXACT)
def test_a_removed_first_unit_is_as_if_it_had_never_been_there(reader: Reader) -> None:
    (without,) = reader.score(PROMPT, masks("01"), TARGET).values
    (alone,) = reader.score(Prompt(PROMPT.units[1:], PROMPT.query), masks("1"), TARGET).values
    assert without == alone
    (nothing,) = reader.score(PROMPT, masks("00"), TARGET).values
    assert reader.score(Prompt((), PROMPT.query), masks("")[:, :0], TARGET).values.tolist() == [nothing]


@only(MASKED, BLOCKS, REAL_MASKED, REAL_BLOCKS)
def test_the_text_of_a_removed_last_unit_does_not_matter(subject: Subject) -> None:
    other = Prompt((PROMPT.units[0], "etcd listens on port 8080 by default.\n\n"), PROMPT.query)
    values = [subject.reader.score(prompt, masks("10"), TARGET).values[0] for prompt in (PROMPT, other)]
    assert values[0] == values[1]


def test_no_masks_and_no_units(reader: Reader) -> None:
    none = reader.score(PROMPT, masks("11")[:0], TARGET)
    assert none.values.shape == (0,)
    assert none.cost.reader_calls == none.cost.reader_tokens == 0
    bare = reader.score(Prompt((), PROMPT.query), np.zeros((1, 0), dtype=np.bool_), TARGET)
    assert np.isfinite(bare.values).tolist() == [True]


def test_equal_masks_are_read_once(reader: Reader) -> None:
    reader.score(PROMPT, masks("11"), TARGET)  # states of units that are kept are kept now
    started = time.perf_counter()
    once, twice = (
        reader.score(PROMPT, masks(*rows), TARGET).cost for rows in (("11", "00"), ("11", "00", "11"))
    )
    passed = time.perf_counter() - started
    assert (once.reader_calls, once.reader_tokens) == (twice.reader_calls, twice.reader_tokens)
    assert once.reader_calls >= 1
    assert once.reader_tokens > once.reader_calls
    assert once.seconds + twice.seconds <= passed


@only(FAKE, EXACT)
def test_cost_adds_up_over_distinct_masks(reader: Reader) -> None:
    full, empty = (reader.score(PROMPT, masks(row), TARGET).cost for row in ("11", "00"))
    both = reader.score(PROMPT, masks("11", "00", "11"), TARGET).cost
    assert full.reader_calls == empty.reader_calls == 1
    assert both.reader_calls == 2
    assert both.reader_tokens == full.reader_tokens + empty.reader_tokens
    assert full.reader_tokens > empty.reader_tokens


@pytest.mark.parametrize(
    "limits", [Limits(calls=0), Limits(tokens=0), Limits(seconds=0), Limits(stop=lambda: True)]
)
def test_no_call_begins_past_a_limit(reader: Reader, limits: Limits) -> None:
    scores = reader.score(PROMPT, masks("11", "00"), TARGET, limits)
    assert np.isnan(scores.values).tolist() == [True, True]
    assert (scores.cost.reader_calls, scores.cost.reader_tokens) == (0, 0)


@pytest.mark.parametrize("calls", [1, 2])
def test_past_a_limit_the_rest_is_unscored_and_nothing_is_invented(reader: Reader, calls: int) -> None:
    prompt = Prompt(("One. ", "Two. ", "Three. ", "Four. ", "Five. "), PROMPT.query)
    all_masks = np.array(list(itertools.product([True, False], repeat=5)))
    whole = reader.score(prompt, all_masks, LONG_TARGET)
    scores = reader.score(prompt, all_masks, LONG_TARGET, Limits(calls=calls))
    assert scores.cost.reader_calls == min(calls, whole.cost.reader_calls)
    num_scored = int(np.isfinite(scores.values).sum())
    assert num_scored < 32
    assert scores.values[:num_scored].tolist() == whole.values[:num_scored].tolist()
    assert np.isnan(scores.values[num_scored:]).all()


def test_a_limit_of_tokens_ends_after_the_call_that_reached_it(reader: Reader) -> None:
    reader.score(PROMPT, masks("11"), TARGET)
    scores = reader.score(PROMPT, masks("11", "00"), TARGET, Limits(tokens=1))
    assert scores.cost.reader_calls == 1
    assert scores.cost.reader_tokens > 1


@only(FAKE, EXACT)
def test_a_repeated_mask_past_a_limit_has_its_score(reader: Reader) -> None:
    values = reader.score(PROMPT, masks("11", "00", "11"), TARGET, Limits(calls=1)).values
    assert values[0] == values[2]
    assert np.isnan(values).tolist() == [False, True, False]


def test_units_without_blocks_are_blocks_of_their_own(reader: Reader) -> None:
    rows = masks("11", "01", "10", "00")
    named = Prompt(PROMPT.units, PROMPT.query, blocks=(0, 1))
    expected = reader.score(PROMPT, rows, TARGET).values
    assert reader.score(named, rows, TARGET).values.tolist() == expected.tolist()


def test_pieces_of_a_block_are_removed_one_by_one(subject: Subject) -> None:
    pieces = Prompt(("etcd listens on port 2379. ", "It is a store.\n\n"), PROMPT.query, blocks=(0, 0))
    whole = Prompt(("".join(pieces.units),), PROMPT.query)
    values = subject.reader.score(pieces, masks("11", "10", "01", "00"), TARGET).values
    assert np.isfinite(values).all()
    # Real tokenizers merge letters across the seam of two pieces; this seam is none of theirs.
    (together,) = subject.reader.score(whole, masks("1"), TARGET).values
    assert values[0] == pytest.approx(together, abs=max(0.3, subject.closeness))


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


@only(FAKE, EXACT)
def test_units_that_no_mask_keeps_need_no_room(reader: Reader) -> None:
    huge = Prompt(("word " * 9000,), "which word?")
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
    assert reader.fingerprint.name == reader.name


@only(FAKE, REAL_MASKED, REAL_BLOCKS)
def test_removing_the_unit_that_holds_the_answer_costs_more_than_removing_another(reader: Reader) -> None:
    full, without_other, without_answer = reader.score(PROMPT, masks("11", "01", "10"), TARGET).values
    assert full - without_answer > 0.5
    assert full - without_answer > full - without_other + 0.5
