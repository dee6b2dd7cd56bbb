"""The smallest pack that holds the quality, with a reader whose numbers can be worked out."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.errors import InvalidRequest
from contextsvc.measuring.minimal_pack import minimal_pack
from contextsvc.measuring.records import MinimalPack, Target
from contextsvc.ports import Limits
from contextsvc.records.packs import ContextPack
from contextsvc.storage.library import LoadedIndex
from tests.fakes.reader import FakeReader
from tests.fakes.token_counter import FakeTokenCounter
from tests.world import BACKUP_ONLY, NOWHERE, PAGES, fake_measurer, fake_pack, open_pages

count = FakeTokenCounter().count
TITLES = [name.title() for name in PAGES]


@pytest.fixture(scope="module")
def pages_index(tmp_path_factory: pytest.TempPathFactory) -> LoadedIndex:
    return open_pages(tmp_path_factory.mktemp("pages"))


def minimal(
    index: LoadedIndex, pack: ContextPack, target: Target = BACKUP_ONLY, reader: FakeReader | None = None
) -> tuple[MinimalPack, ContextPack]:
    reader = reader or FakeReader()
    return minimal_pack(reader, pack, fake_measurer(reader).measure(index, pack, target), count)


def holds(found: MinimalPack) -> bool:
    return found.full - found.quality <= found.margin


def names(pack: ContextPack) -> list[str]:
    return [packed.candidate.chunk.doc_id for packed in pack.chunks]


@pytest.fixture
def pack(index: LoadedIndex) -> ContextPack:
    """19, 19 and 17 tokens."""
    return fake_pack(index, "restore", "backup", "stars")


def test_dead_chunks_are_removed_and_live_ones_kept(index: LoadedIndex, pack: ContextPack) -> None:
    found, smaller = minimal(index, pack)
    assert names(smaller) == ["backup"]
    assert smaller.text.startswith("[1] Backup\nTake a snapshot")
    assert (found.num_tokens, found.num_tokens_saved) == (19, 36)
    assert (found.quality, found.full, found.margin, holds(found)) == (-1.0, -1.0, 0.1, True)
    assert found.chunk_ids == (pack.chunks[1].candidate.chunk.chunk_id,)
    assert (found.pack_id, found.text) == (smaller.pack_id, smaller.text)
    assert smaller.pack_id != pack.pack_id


def test_tokens_are_counted_again_on_the_new_text(index: LoadedIndex) -> None:
    pack = fake_pack(index, "stars", "backup", "rivers", "restore")
    found, smaller = minimal(index, pack, reader=FakeReader({"Restore the": 0.5}))
    assert names(smaller) == ["backup", "restore"]
    assert [found.num_tokens] == count([smaller.text]) == [sum(c.num_tokens for c in smaller.chunks)]
    assert "[2] Restore\n" in smaller.text  # numbered anew
    assert found.num_tokens_saved == pack.num_tokens - found.num_tokens


def test_tokens_of_units_need_not_add_up(index: LoadedIndex, pack: ContextPack) -> None:
    def sevens(texts: Sequence[str]) -> list[int]:
        """Started runs of 7 characters: two texts of 8 have 4, together 3."""
        return [-(-len(text) // 7) for text in texts]

    measured = fake_measurer().measure(index, pack, BACKUP_ONLY)
    found, smaller = minimal_pack(FakeReader(), pack, measured, sevens)
    assert len(found.text) == len("[1] Backup\n") + 70  # 81 characters
    assert (found.num_tokens, [c.num_tokens for c in smaller.chunks]) == (12, [12])


def test_a_removed_chunk_becomes_a_drop(index: LoadedIndex, pack: ContextPack) -> None:
    _, smaller = minimal(index, pack)
    assert [(d.doc_id, d.reason, d.detail) for d in smaller.drops] == [
        ("restore", "no_gain", "measured: not needed"),
        ("stars", "no_gain", "measured: not needed"),
    ]


def test_one_of_two_copies_is_kept(index: LoadedIndex) -> None:
    found, smaller = minimal(index, fake_pack(index, "stars", "copy", "backup"))
    assert (names(smaller), holds(found)) == (["copy"], True)


def test_removing_a_harmful_chunk_raises_the_quality(index: LoadedIndex, pack: ContextPack) -> None:
    found, smaller = minimal(index, pack, reader=FakeReader({"new token": -0.5}))
    assert names(smaller) == ["backup"]
    assert (found.full, found.quality) == (-1.5, -1.0)


def test_a_target_that_does_not_depend_on_its_context_needs_no_pack(
    index: LoadedIndex, pack: ContextPack
) -> None:
    found, smaller = minimal(index, pack, NOWHERE)
    assert (smaller.chunks, smaller.text, found.num_tokens, found.num_tokens_saved) == ((), "", 0, 55)
    assert (found.chunk_ids, found.quality, holds(found)) == ((), -3.0, True)
    assert len(smaller.drops) == 3


def test_chunks_that_cancel_each_other_are_all_removed(index: LoadedIndex, pack: ContextPack) -> None:
    # "backup" adds 2 and is live, "restore" takes 2: the pack is worth as much as nothing.
    found, smaller = minimal(index, pack, reader=FakeReader({"new token": -2.0}))
    assert (smaller.chunks, found.full, found.quality, holds(found)) == ((), -3.0, -3.0, True)


def test_fewer_chunks_are_removed_if_more_would_exceed_the_margin(
    index: LoadedIndex, pack: ContextPack
) -> None:
    # Dead one by one, for 0.06 and 0.08 stay below the margin of 0.1; both together lose 0.14. So the
    # lesser of the two goes alone.
    found, smaller = minimal(index, pack, reader=FakeReader({"Restore the": 0.08, "Stars": 0.06}))
    assert names(smaller) == ["restore", "backup"]
    assert found.full == pytest.approx(-0.86)
    assert found.quality == pytest.approx(-0.92)
    assert holds(found)


def test_a_redundant_copy_is_removed_before_a_needed_chunk(index: LoadedIndex) -> None:
    # As above with a second copy of the answer: its group's effect is 2, but nothing is lost without it.
    pack = fake_pack(index, "restore", "backup", "stars", "copy")
    found, smaller = minimal(index, pack, reader=FakeReader({"Restore the": 0.08, "Stars": 0.06}))
    assert (names(smaller), holds(found)) == (["restore", "backup"], True)


def test_a_pack_of_live_chunks_stays_whole(index: LoadedIndex, pack: ContextPack) -> None:
    found, smaller = minimal(index, pack, reader=FakeReader({"Restore the": 0.5, "Stars": 0.5}))
    assert smaller == pack
    assert (found.pack_id, found.num_tokens_saved, found.quality) == (pack.pack_id, 0, found.full)


@given(
    effects=st.dictionaries(st.sampled_from(TITLES), st.integers(-30, 30), max_size=4),
    pages=st.lists(st.sampled_from(sorted(PAGES)), unique=True, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_the_quality_holds_and_live_chunks_are_kept(
    pages_index: LoadedIndex, effects: dict[str, int], pages: list[str]
) -> None:
    reader = FakeReader({title: effect / 100 for title, effect in effects.items()})
    pack = fake_pack(pages_index, *pages)
    measured = fake_measurer(reader).measure(pages_index, pack, BACKUP_ONLY)
    found, smaller = minimal_pack(reader, pack, measured, count)
    assert holds(found)
    assert [smaller.num_tokens] == count([smaller.text])
    assert found.num_tokens_saved == pack.num_tokens - smaller.num_tokens >= 0
    assert len(smaller.drops) == len(pack.chunks) - len(smaller.chunks)
    assert found.quality >= found.full - found.margin
    if measured.controls.depends_on_context:
        live = {v.chunk_id for v in measured.verdicts if v.verdict == "live"}
        assert live <= set(found.chunk_ids)


def test_an_empty_pack_stays_empty(index: LoadedIndex) -> None:
    found, smaller = minimal(index, fake_pack(index))
    assert (smaller.chunks, found.num_tokens, found.num_tokens_saved, holds(found)) == ((), 0, 0, True)


def test_a_partial_measurement_is_refused(index: LoadedIndex, pack: ContextPack) -> None:
    partial = replace(fake_measurer(), limits=Limits(calls=2)).measure(index, pack, BACKUP_ONLY)
    with pytest.raises(InvalidRequest, match=r"the measurement is partial.*raise CONTEXTSVC_MEASURE_MAX_"):
        minimal_pack(FakeReader(), pack, partial, count)


def test_past_its_limits_the_search_keeps_the_whole_pack(index: LoadedIndex, pack: ContextPack) -> None:
    reader = FakeReader()
    measured = fake_measurer(reader).measure(index, pack, BACKUP_ONLY)
    found, smaller = minimal_pack(reader, pack, measured, count)
    assert (len(smaller.chunks), found.cost.reader_calls) == (1, 1)
    found, smaller = minimal_pack(reader, pack, measured, count, Limits(calls=0))
    assert smaller == pack
    assert (found.quality, found.num_tokens_saved, found.cost.reader_calls) == (found.full, 0, 0)
