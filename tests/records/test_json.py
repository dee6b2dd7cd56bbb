"""JSON of records loses nothing; views of packs show what the API documents."""

from dataclasses import replace

import pytest

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import Utilization
from contextsvc.records.json import decode, encode
from contextsvc.records.packs import ContextPack
from contextsvc.records.requests import PackRequest
from contextsvc.service.views import no_utilization, pack_view, utilization_view
from contextsvc.storage.library import LoadedIndex
from tests.world import BACKUP_ONLY, fake_assembler, fake_measurer

ASK = PackRequest(
    index="pages",
    query="snapshot of the cluster",
    budget_tokens=200,
    max_chunks=2,
    tokenizer="fake",
    ordering="relevance",
)


@pytest.fixture
def measured(index: LoadedIndex) -> tuple[ContextPack, Utilization]:
    pack = fake_assembler().assemble(index, ASK)
    return pack, fake_measurer().measure(index, pack, BACKUP_ONLY)


def test_a_pack_and_its_utilization_survive(measured: tuple[ContextPack, Utilization]) -> None:
    pack, found = measured
    assert decode(ContextPack, encode(pack)) == pack
    assert decode(Utilization, encode(found)) == found
    nothing = replace(found, controls=replace(found.controls, live_only=None, sufficient=None))
    assert decode(Utilization, encode(nothing)) == nothing


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff", b'{"query": 1}'])
def test_bytes_that_are_not_a_record_are_refused(data: bytes) -> None:
    with pytest.raises(ShapeError, match="expected a stored ContextPack"):
        decode(ContextPack, data)


def test_a_pack_that_breaks_its_contract_is_refused(measured: tuple[ContextPack, Utilization]) -> None:
    with pytest.raises(ShapeError, match="in a budget of 3"):
        replace(measured[0], budget_tokens=3)
    with pytest.raises(ShapeError, match="do not add up"):
        replace(measured[0], num_tokens=measured[0].num_tokens - 1)


def test_a_view_shows_drops_and_signals_when_asked(measured: tuple[ContextPack, Utilization]) -> None:
    pack, _ = measured
    plain, explained = pack_view(pack), pack_view(pack, explain=True)
    assert "drops" not in plain
    assert "signals" not in plain["chunks"][0]
    assert set(explained["chunks"][0]["signals"]) == {"lexical", "semantic", "window", "links"}
    assert {drop["reason"] for drop in explained["drops"]} >= {"near_duplicate", "max_chunks"}


def test_spans_of_a_view_reproduce_the_text(measured: tuple[ContextPack, Utilization]) -> None:
    chunk = pack_view(measured[0])["chunks"][0]
    assert chunk["source"] == "pages/backup.txt"
    assert chunk["end"] - chunk["start"] == len(chunk["text"])


def test_a_trimmed_pack_survives_and_its_spans_reproduce_its_text(index: LoadedIndex) -> None:
    pack = fake_assembler().assemble(index, replace(ASK, budget_tokens=18, trim=True))
    whole = fake_assembler().assemble(index, ASK)
    assert decode(ContextPack, encode(pack)) == pack
    view, plain = pack_view(pack), pack_view(whole)
    assert (view["trim"], plain["trim"]) == (True, False)
    first, before = view["chunks"][0], plain["chunks"][0]
    assert (first["chunk_id"], first["spans"], first["end"]) == (before["chunk_id"], [[0, 43]], 43)
    assert (before["spans"], before["end"]) == ([[0, 70]], 70)
    assert first["text"] == before["text"][:43]


@pytest.mark.parametrize("change", [b'"spans":[]', b'"spans":[[0,9]]', b'"spans":[[0,2],[3]]'])
def test_spans_that_do_not_fit_are_refused(measured: tuple[ContextPack, Utilization], change: bytes) -> None:
    data = encode(measured[0])
    assert b'"spans":[[0,70]]' in data
    damaged = data.replace(b'"spans":[[0,70]]', change)
    if change == b'"spans":[]':  # none given: all of it
        assert decode(ContextPack, damaged) == measured[0]
        return
    with pytest.raises(ShapeError):
        decode(ContextPack, damaged)


def test_a_missing_score_says_why(measured: tuple[ContextPack, Utilization]) -> None:
    assert no_utilization("index", "why") == {"scope": "index", "score": None, "reason": "why"}
    assert utilization_view(measured[1])["scope"] == "pack"
