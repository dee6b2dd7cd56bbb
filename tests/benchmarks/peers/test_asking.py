"""What was said once is not asked again."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import asking
from benchmarks.peers.asking import given, kept, made_by
from benchmarks.peers.running import Running
from contextsvc import assets
from contextsvc.records.documents import Document
from contextsvc.settings import Settings

VERSIONS = {"torch": "2", "faiss": "1"}


def test_ours_gets_titles_apart_and_the_others_as_the_first_line() -> None:
    document = Document("d", "Text.", title="Title", format="markdown")
    assert (given(document, "ours").text, given(document, "ours").title) == ("Text.", "Title")
    assert given(document, "bare").text == "Title\n\nText."
    assert given(document, "ours").format == "markdown"
    for alone in (Document("d", "Title", title="Title"), Document("d", "Text.")):
        assert given(alone, "bare").text == alone.text


def test_a_peer_is_known_by_its_versions_and_its_file() -> None:
    before = made_by("langchain-plain", VERSIONS, "abc+")
    assert before is not None
    assert before == made_by("langchain-plain", {"faiss": "1", "torch": "2"}, "abd")
    assert before != made_by("langchain-plain", {**VERSIONS, "torch": "3"}, "abc+")
    assert before != made_by("llamaindex-plain", VERSIONS, "abc+")


def test_ours_is_known_by_its_commit_and_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made_by("ours", VERSIONS, "abc")
    assert before == made_by("ours", VERSIONS, "abc")
    assert before != made_by("ours", VERSIONS, "abd")
    monkeypatch.setenv("CONTEXTSVC_MAX_CHUNKS", "7")
    assert before != made_by("ours", VERSIONS, "abc")


def test_a_tree_that_differs_from_its_commit_has_no_name() -> None:
    assert made_by("ours", VERSIONS, "abc+") is None
    assert made_by("bare", VERSIONS, "") is None


@pytest.mark.model
def test_a_second_run_reads_what_the_first_one_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = assets.locate(Settings.from_env().home, "all-MiniLM-L6-v2"), list[str]()

    def ask(running: Running) -> Any:
        calls.append(running.about["name"])
        return running.ask(["text"], 1)["answers"]

    def again(*asked: str) -> Any:
        return kept(
            "bare", model, tmp_path / "keep", "name", [given(Document("d", "Text."), "bare")], asked, ask
        )

    monkeypatch.setattr(asking, "STARTED_AT", "abc")
    first = again("one")
    assert [passage["text"] for passage in first[0]] == ["Text."]
    assert again("one") == first
    assert calls == ["bare"]
    (path,) = (tmp_path / "keep").glob("name-bare-*.json")
    assert json.loads(path.read_text("utf-8")) == first
    assert again("two") == first
    monkeypatch.setattr(asking, "STARTED_AT", "abc+")
    assert again("one") == first
    assert calls == ["bare"] * 3
    assert len(list((tmp_path / "keep").iterdir())) == 2
