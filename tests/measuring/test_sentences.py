"""Sentences of live chunks, with a reader whose numbers can be worked out."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from contextsvc.measuring.records import SentenceVerdict, Target, Utilization
from contextsvc.measuring.sentences import measure_sentences
from contextsvc.ports import NO_LIMITS, Limits, Prompt, Scores
from contextsvc.ports.reading import Cost
from contextsvc.records.arrays import BoolArray
from contextsvc.records.documents import Document
from contextsvc.records.packs import ContextPack
from contextsvc.records.rendering import reader_unit
from contextsvc.storage.corpus.excerpts import Excerpts
from contextsvc.storage.library import Library, LoadedIndex
from contextsvc.wiring import open_search
from tests.conftest import Build
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.fit import least_squares
from tests.fakes.reader import FakeReader
from tests.world import BACKUP_ONLY, NOWHERE, fake_measurer, fake_pack

TOKEN = Target("new token", "response")


@dataclass(frozen=True)
class Listener:
    """Records the prompts and masks that a fake reader scores."""

    reader: FakeReader
    asked: list[tuple[Prompt, BoolArray]] = field(default_factory=list)

    def score(self, prompt: Prompt, masks: BoolArray, target: str, limits: Limits = NO_LIMITS) -> Scores:
        self.asked.append((prompt, masks))
        return self.reader.score(prompt, masks, target, limits)


@pytest.fixture
def pack(index: LoadedIndex) -> ContextPack:
    return fake_pack(index, "backup", "restore", "stars")


def measured(
    index: LoadedIndex,
    pack: ContextPack,
    target: Target,
    reader: FakeReader | None = None,
    limits: Limits = NO_LIMITS,
    listener: Listener | None = None,
) -> tuple[Utilization, tuple[SentenceVerdict, ...], Cost]:
    """Measurements of the chunks and of their sentences, with 2 subsets."""
    reader = reader or FakeReader()
    found = fake_measurer(reader).measure(index, pack, target)
    asked = listener or reader
    sentences, cost = measure_sentences(asked, least_squares, index, pack, found, 2, 0, limits)  # type: ignore[arg-type]
    assert (sentences is None) == (limits != NO_LIMITS)
    return found, sentences or (), cost


def test_the_sentence_that_holds_the_answer_is_live(index: LoadedIndex, pack: ContextPack) -> None:
    _, sentences, _ = measured(index, pack, BACKUP_ONLY)
    chunk_id = pack.chunks[0].candidate.chunk.chunk_id
    assert sentences == (
        SentenceVerdict(chunk_id, 0, 43, 2.0, "live"),
        SentenceVerdict(chunk_id, 44, 70, 0.0, "dead"),
    )


def test_spans_are_in_characters_of_the_document(index: LoadedIndex, pack: ContextPack) -> None:
    _, sentences, _ = measured(index, pack, TOKEN)
    text = index.corpus.document_text(1)
    assert [text[s.start : s.end] for s in sentences] == [
        "Restore the cluster from a snapshot file.",
        "The restore needs a new token.",
    ]
    assert [s.verdict for s in sentences] == ["dead", "live"]


def test_a_harmful_sentence_in_a_live_chunk(index: LoadedIndex, pack: ContextPack) -> None:
    _, sentences, _ = measured(index, pack, BACKUP_ONLY, FakeReader({"holds all keys": -0.5}))
    assert [(s.effect, s.verdict) for s in sentences] == [(2.0, "live"), (-0.5, "harmful")]


def test_sentences_of_every_live_or_redundant_chunk_in_order_of_the_pack(index: LoadedIndex) -> None:
    twins = fake_pack(index, "copy", "stars", "restore", "backup")
    found, sentences, _ = measured(index, twins, BACKUP_ONLY, FakeReader({"file": 0.5}))
    assert [v.verdict for v in found.verdicts] == ["redundant", "dead", "live", "redundant"]
    ids = [packed.candidate.chunk.chunk_id for packed in twins.chunks]
    assert [s.chunk_id for s in sentences] == [ids[0], ids[0], ids[2], ids[2], ids[3], ids[3]]
    assert [s.verdict for s in sentences[2:4]] == ["live", "dead"]


def test_the_prompt_is_the_used_chunks_cut_into_pieces(index: LoadedIndex, pack: ContextPack) -> None:
    reader = FakeReader({"Restore the": 0.5})
    listener = Listener(reader)
    measured(index, pack, BACKUP_ONLY, reader, listener=listener)
    ((prompt, masks),) = listener.asked
    used = [pack.chunks[0].candidate.chunk, pack.chunks[1].candidate.chunk]
    assert "".join(prompt.units) == "".join(reader_unit(chunk) for chunk in used)
    assert prompt.units[0] == "Backup\n"
    assert prompt.blocks == (0, 0, 0, 1, 1, 1)
    # 4 sentences: 2 + 4 + 4 that tell, and 2 subsets
    assert masks.shape == (12, 6)
    assert masks[0].all()
    assert not masks[1].any()
    for heading in (0, 3):
        np.testing.assert_array_equal(masks[:, heading], masks[:, heading + 1] | masks[:, heading + 2])


def test_a_chunk_without_title_or_heading(build: Build, tmp_path: Path) -> None:
    build([Document("a", "Red apples grow. Blue skies shine."), Document("b", "Bread rises. Bake it brown.")])
    bare = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    pack = fake_pack(bare, "a", "b")
    _, sentences, _ = measured(bare, pack, Target("Blue skies", "response"))
    assert [(s.start, s.end, s.verdict) for s in sentences] == [(0, 16, "dead"), (17, 34, "live")]


def test_spans_of_a_later_chunk_are_in_characters_of_the_document(build: Build, tmp_path: Path) -> None:
    text = " ".join(f"Sentence {n} tells of thing{n} and of much more than that." for n in range(12))
    build([Document("long", text, title="Long"), Document("other", "Bread rises. Bake it brown.")])
    long = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    last = max(long.corpus.chunks_of(0))
    chunk = long.corpus.chunk(last)
    assert chunk.start > 0
    pack = fake_pack(long, "long")
    packed = replace(pack.chunks[0], candidate=replace(pack.chunks[0].candidate, number=last, chunk=chunk))
    _, sentences, _ = measured(long, replace(pack, chunks=(packed,)), Target("thing11", "response"))
    assert sentences[-1].verdict == "live"
    assert text[sentences[-1].start : sentences[-1].end].startswith("Sentence 11 tells")
    assert sentences[0].start == chunk.start
    assert all(a.end < b.start for a, b in pairwise(sentences))


def test_only_the_kept_sentences_of_a_trimmed_chunk_are_measured(build: Build, tmp_path: Path) -> None:
    text = "Red apples grow here. Blue skies shine. Rain falls. Green hills roll on. Winds blow cold."
    build([Document("a", text, title="Nature"), Document("b", "Bread rises. Bake it brown.")])
    nature = Library(tmp_path, FakeEmbedder().fingerprint, open_search).get("pages")
    pack = fake_pack(nature, "a", "b")
    whole = pack.chunks[0].candidate
    assert len(nature.corpus.sentence_spans(whole.number)) == 5
    left = replace(whole, chunk=Excerpts(nature.corpus).excerpt(whole.chunk, [1, 3]))
    assert left.chunk.text == "Blue skies shine.\n…\nGreen hills roll on."
    pack = replace(pack, chunks=(replace(pack.chunks[0], candidate=left), pack.chunks[1]))
    reader = FakeReader()
    listener = Listener(reader)
    _, sentences, _ = measured(nature, pack, Target("Green hills", "response"), reader, listener=listener)
    assert [(text[s.start : s.end], s.verdict) for s in sentences] == [
        ("Blue skies shine.", "dead"),
        ("Green hills roll on.", "live"),
    ]
    assert {s.chunk_id for s in sentences} == {whole.chunk.chunk_id}
    ((prompt, _),) = listener.asked
    assert "".join(prompt.units) == reader_unit(left.chunk)


def test_without_a_live_chunk_the_reader_is_not_called(index: LoadedIndex, pack: ContextPack) -> None:
    _, sentences, cost = measured(index, pack, NOWHERE)
    assert (sentences, cost) == ((), Cost())


def test_past_a_limit_no_sentence_has_a_verdict(index: LoadedIndex, pack: ContextPack) -> None:
    _, sentences, cost = measured(index, pack, BACKUP_ONLY, limits=Limits(calls=2))
    assert sentences == ()
    assert 0 < cost.reader_calls <= 2
