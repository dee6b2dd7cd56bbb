"""Every side on a small collection with the real model, in a process as in a benchmark."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.protocol import Text, read_texts, write_texts
from benchmarks.peers.running import LARGER, OWN, PEERS, Running, peers_python
from benchmarks.peers.worker import SIDES
from benchmarks.retrieval.__main__ import SIDES as COMPARED
from contextsvc import assets
from contextsvc.settings import Settings

pytestmark = pytest.mark.model

LEDGER = " ".join(
    f"Entry {number} of the ledger lists {goods} and its price in shillings."
    for number, goods in enumerate(
        ["salt", "wool", "tin", "rope", "candles", "glass", "copper", "honey"] * 12
    )
)
TEXTS = {
    "volcano": "Volcanoes\n\nA volcano erupts when molten rock rises through the crust. Lava and ash come out"
    " of the vent.\n\nThe ash can ground aeroplanes for days.",
    "bread": "Bread\n\nSourdough bread rises because wild yeast makes gas in the dough. The baker folds it.",
    "pump": "Pump manual\n\nThe coolant pump XR-4410 is fitted beneath the cover. Tighten its bolts in turn.",
    "ledger": f"Ledger\n\n{LEDGER}",
    "whale": "Whales\n\nBlue whales feed on krill. They are the largest animals that have ever lived.",
}
QUERIES = {
    "Why does lava come out of a volcano?": "volcano",
    "What do blue whales feed on?": "whale",
    "coolant pump XR-4410": "pump",
    "price of salt and rope in shillings": "ledger",
}
WHOLE = ("bare", "txtai", "txtai-hybrid")
"""These do not split texts."""

WATCH = """
import sys
def told(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        with open({log!r}, "a") as file:
            print(event, args, file=file)
sys.addaudithook(told)
"""
"""What a process does as it starts: it writes down whom it tries to reach."""


@dataclass(frozen=True)
class Told:
    """What a side said: passages by query, by how many it was asked for."""

    name: str
    versions: dict[str, str]
    built: dict[str, Any]
    embedded: dict[str, Any]
    searched: list[str]
    answers: dict[int, list[list[dict[str, Any]]]]
    reached: str


@pytest.fixture(scope="module", params=list(SIDES))
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    name, folder = str(request.param), tmp_path_factory.mktemp("side")
    if name not in OWN and peers_python() is None:
        pytest.skip(f"{name} needs the peers' environment; make it: make peers")
    write_texts(folder / "documents", (Text(doc_id, text) for doc_id, text in TEXTS.items()))
    log = folder / "reached"
    log.touch()
    (folder / "sitecustomize.py").write_text(WATCH.format(log=str(log)), "utf-8")
    model = assets.locate(Settings.from_env().home, "all-MiniLM-L6-v2")
    with Running(name, model, {"PYTHONPATH": str(folder)}) as side:
        built = side.build(folder / "documents")
        embedded = side.embedded(folder / "embedded")
        searched = [text.text for text in read_texts(folder / "embedded")]
        answers = {k: side.ask(list(QUERIES), k)["answers"] for k in (1, 3, 6, 10, 50)}
    # Read when the process has ended: what reports does so on its way out.
    return Told(name, side.about["versions"], built, embedded, searched, answers, log.read_text("utf-8"))


def test_the_right_document_comes_first(told: Told) -> None:
    for k, answers in told.answers.items():
        assert [found[0]["doc_id"] for found in answers] == list(QUERIES.values()), k


def test_no_more_come_than_were_asked_for_and_none_twice(told: Told) -> None:
    assert [len(found) for found in told.answers[1]] == [1] * len(QUERIES)
    least = 1 if told.name in LARGER else 2  # three that lie together may become one
    assert all(least <= len(found) <= 3 for found in told.answers[3])
    for found in told.answers[50]:
        assert len(found) <= told.built["num_chunks"]
        if not told.name.startswith("txtai"):  # it leaves out what is at or below nought
            assert len(found) > 3
        if not told.name.endswith("-window"):  # all sentences of a short text have one window
            assert len({(one["doc_id"], one["text"]) for one in found}) == len(found)
        assert all(first["score"] >= second["score"] for first, second in pairwise(found))


def test_a_span_gives_the_passage(told: Told) -> None:
    passages = [one for found in told.answers[50] for one in found]
    for one in passages:
        if one["start"] is not None:
            assert TEXTS[one["doc_id"]][one["start"] : one["end"]] == one["text"]
    # These put one space between sentences, whatever was there.
    joined = told.name in ("langchain-semantic", "llamaindex-window")
    assert joined or all(one["start"] is not None for one in passages)


def test_only_sides_with_larger_context_give_more_than_they_search(told: Told) -> None:
    given = max(len(one["text"]) for found in told.answers[50] for one in found)
    longer = given > max(map(len, told.searched))
    assert longer == (told.name in LARGER) or told.name in OWN  # ours embeds sentences


def test_documents_are_split_or_whole(told: Told) -> None:
    assert told.built["num_documents"] == len(TEXTS)
    if told.name in WHOLE:
        assert told.built["num_chunks"] == len(TEXTS)
    else:
        assert told.built["num_chunks"] > len(TEXTS)
    if not told.name.startswith("ours"):  # it embeds sentences
        assert told.embedded["num_texts"] == told.built["num_chunks"]


def test_asking_for_more_changes_nothing_before_it_but_for_hybrids(told: Told) -> None:
    few = (
        10 if told.name == "haystack-merging" else 6
    )  # with more of them merging would begin with larger ones
    for some, every in zip(told.answers[few], told.answers[50], strict=True):
        begun = [one["text"] for one in every[: len(some)]]
        assert begun == [one["text"] for one in some] or told.name.endswith("-hybrid")


def test_versions_are_those_that_were_tested(told: Told) -> None:
    place = "constraints.txt" if told.name in OWN else "benchmarks/peers/constraints.txt"
    lines = (Path(__file__).parents[2] / place).read_text("utf-8").splitlines()
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines if "==" in line)
    assert told.versions
    for package, version in told.versions.items():
        assert version.partition("+")[0] == pins[package.lower()]


def test_nobody_is_called(told: Told) -> None:
    assert told.reached == ""


def test_every_side_is_in_a_group_or_has_a_splitter_that_takes_minutes() -> None:
    assert [name for name in SIDES if name not in (*OWN, *PEERS, *LARGER)] == [
        "llamaindex-semantic", "langchain-semantic",
    ]  # fmt: skip
    assert {*PEERS, *LARGER} <= SIDES.keys()


def test_every_peer_is_compared_with_its_best() -> None:
    libraries = {name.partition("-")[0] for name in SIDES} - set(OWN)
    assert libraries == {"llamaindex", "langchain", "haystack", "txtai", "chonkie"}
    for library in libraries:
        assert len([name for name in COMPARED if name.partition("-")[0] == library]) == 2
    assert set(COMPARED) <= set(SIDES)
