"""Placebos: unrelated chunks of similar length, drawn by the seed and the prompt."""

from dataclasses import replace
from pathlib import Path

import pytest

from contextsvc.measuring.placebos import draw_placebos
from contextsvc.records.documents import Document
from contextsvc.storage.corpus.excerpts import Excerpts
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_pack


def names(index: LoadedIndex, numbers: list[int]) -> set[str]:
    return {index.corpus.chunk(number).doc_id for number in numbers}


@pytest.mark.parametrize("wanted", [1, 3, 20])
def test_as_many_placebos_as_asked_for_and_no_chunk_of_the_pack(index: LoadedIndex, wanted: int) -> None:
    for seed in range(10):
        numbers = draw_placebos(index, fake_pack(index, "backup", "restore"), wanted, seed)
        assert len(numbers) == wanted
        assert not names(index, numbers) & {"backup", "restore"}


def test_no_chunk_that_a_passage_has_parts_of_is_a_placebo(build: Build, tmp_path: Path) -> None:
    # The second chunk is the one most unlike the first, so the draw would take it first.
    foxes, oaks = "The red fox ran. " * 12, "An old oak grows. " * 12
    build(
        [
            Document("long", foxes + oaks),
            *(Document(f"fox{n}", f"The red fox ran {n} times.") for n in range(5)),
        ]
    )
    index = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    table = index.corpus.chunk_table
    last = int(table["end_sentence"][table["doc"] == 0].max()) - 1
    (packed,) = fake_pack(index, "long").chunks
    chunk = Excerpts(index.corpus).excerpt(index.corpus.chunk(0), [0, last])
    passage = replace(packed, candidate=replace(packed.candidate, number=0, chunk=chunk))
    pack = replace(fake_pack(index, "long"), chunks=(passage,))
    for seed in range(20):
        assert names(index, draw_placebos(index, pack, 3, seed)) <= {f"fox{n}" for n in range(5)}


def test_placebos_are_from_the_least_similar_half(index: LoadedIndex) -> None:
    # 6 strangers: "copy" is one of the 3 most alike to this pack, for it has the text of "backup".
    pack = fake_pack(index, "backup", "restore")
    drawn = set().union(*(names(index, draw_placebos(index, pack, 3, seed)) for seed in range(20)))
    assert len(drawn) == 3
    assert "copy" not in drawn


def test_a_small_index_repeats_a_placebo(index: LoadedIndex) -> None:
    numbers = draw_placebos(index, fake_pack(index, "backup", "restore"), 20, 0)
    assert len(numbers) == 20
    assert len(set(numbers)) <= 6


def test_a_large_index_repeats_none_and_gives_chunks_of_similar_length(build: Build, tmp_path: Path) -> None:
    # All strangers are equally unlike, and by turns as long as the pack's chunk (5) and longer (25). Half
    # of 240 are 60 of each: the 60 nearest in length are short.
    strangers = [Document(f"z{n:03d}", " ".join(["zebra"] * (5 + 20 * (n % 2)))) for n in range(240)]
    build([Document("asked", "One two three four five"), *strangers])
    large = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    assert large.corpus.num_chunks == 241
    numbers = draw_placebos(large, fake_pack(large, "asked"), 20, 0)
    assert len(set(numbers)) == 20
    assert {large.corpus.chunk(number).num_tokens for number in numbers} == {5}


def test_the_draw_depends_on_the_seed_and_the_query(index: LoadedIndex) -> None:
    packs = [fake_pack(index, "backup", query=f"query {n}") for n in range(8)]
    first = draw_placebos(index, packs[0], 3, 1)
    assert first == draw_placebos(index, packs[0], 3, 1)
    assert len({tuple(draw_placebos(index, packs[0], 3, seed)) for seed in range(8)}) > 1
    assert len({tuple(draw_placebos(index, pack, 3, 1)) for pack in packs}) > 1


def test_the_tokenizer_that_counted_a_trimmed_chunk_does_not_move_the_draw(
    build: Build, tmp_path: Path
) -> None:
    # As above, half of the chunks are as long as that of the pack; 25 tokens would choose the others.
    others = [Document(f"z{n:03d}", " ".join(["zebra"] * (5 + 20 * (n % 2)))) for n in range(240)]
    build([Document("asked", "One two three four five"), *others])
    large = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    pack = fake_pack(large, "asked")
    (packed,) = pack.chunks
    chunk = replace(packed.candidate.chunk, num_tokens=25)
    other = replace(pack, chunks=(replace(packed, candidate=replace(packed.candidate, chunk=chunk)),))
    assert draw_placebos(large, pack, 20, 0) == draw_placebos(large, other, 20, 0)


def test_an_empty_pack_or_an_index_without_other_chunks_has_no_placebo(
    index: LoadedIndex, build: Build, tmp_path: Path
) -> None:
    assert draw_placebos(index, fake_pack(index), 3, 0) == []
    assert draw_placebos(index, fake_pack(index, "backup"), 0, 0) == []
    build([Document("only", "Take a snapshot.")])
    alone = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    assert draw_placebos(alone, fake_pack(alone, "only"), 3, 0) == []
