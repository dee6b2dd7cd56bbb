"""Ours and the peers' chunkers on a small corpus, with the real model."""

from pathlib import Path

import pytest

from benchmarks.chunking.chunkers import ours, peers
from benchmarks.chunking.corpora import Collection
from benchmarks.peers.running import peers_python
from contextsvc.settings import Settings
from contextsvc.wiring import build_embedder

pytestmark = pytest.mark.model

TEXT = (
    "# Cats\n\n" + "The cat sleeps on the warm stove all day. " * 8 + "\n\n"
    "# Rivers\n\n" + "The river floods the valley every spring. " * 8 + "\n"
)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    path = tmp_path / "small.md"
    path.write_text(TEXT, "utf-8")
    return Collection({"small": TEXT}, {"small": path}, (), "small@1")


def test_ours_is_what_the_service_indexes_found_in_four_ways(collection: Collection) -> None:
    with ours(collection, build_embedder(Settings.from_env())) as found:
        assert [one.name for one in found] == [
            "ours, dense", "ours, dense, texts embedded", "ours, dense, contextual sentences", "ours, hybrid",
        ]  # fmt: skip
        for one in found:
            best = one.passages[one.search(["When does the river flood?"], 1)[0][0]]
            assert best.doc_id == "small"
            assert "river" in TEXT[best.start : best.end]
            assert "cat" not in TEXT[best.start : best.end]
        assert found[0].spans("small")[0][0] == 0


def test_peers_run_where_they_are_installed_and_say_so_where_not(
    collection: Collection, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.from_env()
    found = peers(collection, build_embedder(settings), 60, settings.home)
    if peers_python() is None:
        assert found == []
        assert "need the peers' environment; make it: make peers" in capsys.readouterr().out
    else:
        assert [one.name for one in found] == ["RecursiveCharacter 60/0", "TokenText 60/0"]
        assert all(0 <= p.start < p.end <= len(TEXT) for one in found for p in one.passages)
