"""The whole path with the real models, once, small: documents in, a measured pack out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from contextsvc.api.app import create_app
from contextsvc.cli.main import run
from contextsvc.measuring.calibration import packaged_calibrations, thresholds_for
from contextsvc.packing.ordering import ORDERINGS
from contextsvc.records.fingerprints import Fingerprint
from contextsvc.settings import Settings
from contextsvc.wiring import build_counters, build_engine, build_index_parts, build_measurer

pytestmark = pytest.mark.model

PAGES = {
    "backup.md": "# Backup\n\nTake a snapshot with `etcdctl snapshot save` every night.\n\n"
    "```sh\netcdctl snapshot save backup.db\n```\n\nA snapshot holds every key of the cluster.\n",
    "garden.md": "# Garden\n\nApples ripen in autumn. Pick them when they are firm and red.\n",
    "bread.html": "<html><head><title>Bread</title></head><body><nav>Home</nav><article><h1>Bread</h1>"
    "<p>Bread rises with yeast, which needs warmth and an hour of patience to work.</p>"
    "<p>Bake it until the crust turns brown.</p></article></body></html>",
    "stars.txt": "Stars\n=====\n\nStars burn hydrogen. The brightest star of the night is Sirius.\n",
    "rivers.jsonl": '{"doc_id": "nile", "text": "The Nile flows north into the sea.", "title": "Nile"}\n',
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("real")
    return replace(Settings.from_env(), root=folder / "indexes", cache=False)


@pytest.fixture(scope="module")
def client(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    pages = tmp_path_factory.mktemp("pages")
    for name, text in PAGES.items():
        (pages / name).write_text(text)
    with pytest.raises(SystemExit) as left:
        run(["index", "build", str(pages), "--index", "pages", "--root", str(settings.root), "--strict"])
    assert left.value.code == 0
    with TestClient(create_app(lambda: build_engine(settings))) as client:
        yield client


def test_every_kind_of_file_is_found_by_meaning(client: TestClient) -> None:
    for query, doc_id in {
        "how do I save all data of the database?": "/backup.md",
        "when is fruit ready to harvest?": "/garden.md",
        "what makes dough grow?": "/bread.html",
        "which sun shines most in the dark sky?": "/stars.txt",
        "where does the water of Egypt go?": "nile",
    }.items():
        body = {"index": "pages", "query": query, "budget_tokens": 300, "max_chunks": 1}
        (chunk,) = client.post("/v1/context", json=body).json()["chunks"]
        assert chunk["doc_id"].endswith(doc_id), query


def test_budgets_hold_in_every_encoding_and_ordering(client: TestClient, settings: Settings) -> None:
    counters = build_counters(settings)
    for tokenizer in ("o200k_base", "cl100k_base"):
        for ordering in ORDERINGS:
            for budget in (60, 90, 200):
                body = {
                    "index": "pages", "query": "snapshot of stars and bread", "budget_tokens": budget,
                    "max_chunks": 5, "tokenizer": tokenizer, "ordering": ordering,
                }  # fmt: skip
                first, second = (client.post("/v1/context", json=body).json() for _ in range(2))
                assert counters[tokenizer].count([first["text"]])[0] == first["num_tokens"] <= budget
                assert first["text"] == second["text"]
                assert first["pack_id"] == second["pack_id"]


def test_the_chunk_that_answers_is_live(client: TestClient) -> None:
    body = {
        "index": "pages", "query": "What does a snapshot hold?", "budget_tokens": 300, "measure": True,
        "response": "A snapshot holds every key of the cluster.",
    }  # fmt: skip
    pack = client.post("/v1/context", json=body).json()
    found = pack["utilization"]
    verdicts = {c["doc_id"]: v["verdict"] for c, v in zip(pack["chunks"], found["verdicts"], strict=True)}
    assert next(v for doc_id, v in verdicts.items() if doc_id.endswith("/backup.md")) == "live"
    assert 0 < found["score"] <= 1
    assert found["controls"]["depends_on_context"]
    assert found["threshold"]["num_placebos"] >= 20
    assert found["cost"]["reader_calls"] >= 2 + len(pack["chunks"])


def test_limits_hold_for_a_sentence_of_50000_tokens(settings: Settings) -> None:
    from contextsvc.indexing.segments import BuildMemo, cut_documents
    from contextsvc.records.documents import Document

    parts = build_index_parts(settings)
    text = "snapshot " * 50_000
    (sentences,) = cut_documents([Document("d", text)], parts, BuildMemo()).sentences
    pieces = [text[s.start : s.end] for s in sentences]
    assert max(parts.counter.count(pieces)) <= parts.max_tokens
    assert max(parts.embedder.count_tokens(pieces)) <= parts.embedder.max_tokens
    assert "".join(pieces).replace(" ", "") == "snapshot" * 50_000


def test_the_calibration_that_ships_is_the_readers_and_is_never_borrowed(settings: Settings) -> None:
    measurer = build_measurer(settings)
    reader, found = measurer.reader.fingerprint, packaged_calibrations()
    assert [c.target_kind for c in found] == ["answer", "response"]
    assert all(len(c.placebo_effects) >= 200 for c in found)

    def kinds(reader: Fingerprint, method: str = measurer.method) -> set[str]:
        return set(thresholds_for(settings.root / "x/generations/1", "1", reader, method, found, 0))

    assert kinds(reader) == {"answer", "response"}
    mode, layout = reader.usage
    assert kinds(replace(reader, weights="000000000000")) == set()
    assert kinds(replace(reader, usage=(mode, "00000000"))) == set()
    assert kinds(replace(reader, usage=("other", layout))) == set()
    assert kinds(reader, "another method") == set()
