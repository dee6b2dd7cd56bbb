"""Limits of a measurement: what was scored is reported, the rest is None."""

from dataclasses import replace

import pytest

from contextsvc.measuring.measurer import NO_CONTROL
from contextsvc.ports import Limits
from contextsvc.records.packs import ContextPack
from contextsvc.storage.library import LoadedIndex
from tests.world import BACKUP_ONLY, fake_measurer, fake_pack


@pytest.fixture
def pack(index: LoadedIndex) -> ContextPack:
    """`backup` and `restore`, 19 tokens each."""
    return fake_pack(index, "backup", "restore")


@pytest.fixture
def twins(index: LoadedIndex) -> ContextPack:
    """The chunk that holds the answer twice, and another: 19 tokens each."""
    return fake_pack(index, "backup", "restore", "copy")


def test_past_a_limit_verdicts_are_unmeasured(index: LoadedIndex, pack: ContextPack) -> None:
    whole = fake_measurer(num_subsets=0)
    found = replace(whole, limits=Limits(calls=3)).measure(index, pack, BACKUP_ONLY)
    assert (found.score, found.strict_score, found.interval) == (None, None, (0.0, 1.0))
    assert [(v.verdict, v.effect) for v in found.verdicts] == [("unmeasured", None)] * 2
    assert "a limit was reached" in found.note.lower()
    assert "of 10 masks" in found.note
    assert found.cost.reader_calls <= 3
    assert (found.controls.full, found.controls.no_context) == (-1.0, -3.0)
    assert (found.controls.live_only, found.controls.placebo_effects) == (None, ())


def test_a_limit_is_kept_and_the_score_is_whole_or_none(index: LoadedIndex, twins: ContextPack) -> None:
    sizes = []
    for calls in range(1, 30):
        found = fake_measurer(limits=Limits(calls=calls)).measure(index, twins, BACKUP_ONLY, sentences=True)
        assert found.cost.reader_calls <= calls
        assert found.score in (None, 19 / 57)
        unmeasured = {v.verdict == "unmeasured" for v in found.verdicts}
        assert unmeasured == {found.score is None}
        sizes.append((found.score is not None, len(found.sentences)))
    # First nothing, then the score alone, then the sentences, too; nothing is lost by a call more.
    assert sizes == sorted(sizes)
    assert set(sizes) == {(False, 0), (True, 0), (True, 4)}


def test_a_limit_of_no_time_scores_nothing(index: LoadedIndex, pack: ContextPack) -> None:
    found = fake_measurer(limits=Limits(seconds=0)).measure(index, pack, BACKUP_ONLY)
    assert (found.score, found.controls.full, found.cost.reader_calls) == (None, None, 0)


def test_an_answer_can_use_up_the_limit(index: LoadedIndex, pack: ContextPack) -> None:
    found = replace(fake_measurer(), limits=Limits(calls=1)).measure(index, pack, None, sentences=True)
    assert (found.controls.full, found.controls.depends_on_context, found.score) == (None, None, None)
    assert (found.sentences, found.cost.reader_calls) == ((), 1)


def test_a_limit_before_the_sufficiency_control_leaves_the_score(
    index: LoadedIndex, pack: ContextPack
) -> None:
    limited = fake_measurer(num_subsets=0, limits=Limits(calls=8))
    found = limited.measure(index, pack, BACKUP_ONLY)
    assert (found.score, found.note, found.partial) == (0.5, NO_CONTROL, True)
    assert (found.controls.live_only, found.controls.sufficient) == (None, None)
