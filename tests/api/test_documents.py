"""Changing an index over HTTP, with a real index and a fake model."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from contextsvc.api.app import create_app
from contextsvc.indexing.build import Update, update_index
from contextsvc.records import validation
from contextsvc.records.documents import Document
from contextsvc.storage.generation import current, roll_back, stage
from tests.api.test_api import JSON, refused
from tests.conftest import Build
from tests.world import fake_engine, fake_parts

URL = "/v1/indexes/pages/documents"
ASK = {"index": "pages", "query": "zebras in the snow", "budget_tokens": 200, "max_chunks": 2}
ZEBRAS = {"doc_id": "animals/zebras.md", "text": "Zebras walk in the snow.", "metadata": {"kind": "animal"}}


@pytest.fixture
def client(build: Build, tmp_path: Path) -> Iterator[TestClient]:
    build()
    app = create_app(lambda: fake_engine(tmp_path), max_body_bytes=5_000)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def found(client: TestClient, **more: Any) -> list[str]:
    return [chunk["doc_id"] for chunk in client.post("/v1/context", json={**ASK, **more}).json()["chunks"]]


def put(client: TestClient, *documents: dict[str, Any]) -> Any:
    return client.put(URL, json={"documents": list(documents)})


def publish(client: TestClient) -> dict[str, Any]:
    view: dict[str, Any] = client.post("/v1/indexes/pages/publish").json()
    return view


def test_what_was_put_is_searched_after_the_publish(client: TestClient) -> None:
    assert put(client, ZEBRAS).json()["accepted"] == 1
    assert "animals/zebras.md" not in found(client)
    view = publish(client)
    assert (view["changed"], view["added"], view["embedded"], view["num_documents"]) == (True, 1, 1, 9)
    assert found(client)[0] == "animals/zebras.md"
    assert found(client, filters={"field": "kind", "eq": "animal"}) == ["animals/zebras.md"]
    assert client.get("/v1/indexes/pages").json()["generation"] == view["generation"]


def test_a_document_is_replaced_and_left_out(client: TestClient) -> None:
    put(client, ZEBRAS)
    publish(client)
    put(client, {**ZEBRAS, "text": "Lions sleep in the shade."})
    assert publish(client)["replaced"] == 1
    assert client.delete(f"{URL}/animals/zebras.md").status_code == 200
    assert client.delete(f"{URL}/animals/zebras.md").status_code == 200  # it waits already
    view = publish(client)
    assert (view["deleted"], view["num_documents"]) == (1, 8)
    refused(client.delete(f"{URL}/animals/zebras.md"), 404, "unknown_document")


def test_nothing_to_publish_makes_no_generation(client: TestClient) -> None:
    before = client.get("/v1/indexes/pages").json()["generation"]
    put(client, ZEBRAS)
    client.delete(f"{URL}/animals/zebras.md")
    for _ in range(2):
        view = publish(client)
        assert (view["changed"], view["generation"]) == (False, before)


def test_what_waits_survives_the_service(client: TestClient, tmp_path: Path) -> None:
    put(client, ZEBRAS)
    with TestClient(create_app(lambda: fake_engine(tmp_path))) as other:
        assert publish(other)["added"] == 1
    assert found(client)[0] == "animals/zebras.md"


def test_a_running_service_follows_what_others_publish(client: TestClient, tmp_path: Path) -> None:
    document = Document("zebras", "Zebras walk in the snow.")
    update_index(tmp_path, "pages", lambda _: Update([document]), fake_parts())
    assert found(client)[0] == "zebras"
    roll_back(tmp_path, "pages")
    assert "zebras" not in found(client)


def test_one_writer_at_a_time_but_what_is_put_waits_for_none(client: TestClient, tmp_path: Path) -> None:
    with stage(tmp_path, "pages"):
        assert put(client, ZEBRAS).status_code == 200
        refused(client.post("/v1/indexes/pages/publish"), 409, "index_busy")
    assert publish(client)["added"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"documents": []},
        {"documents": [ZEBRAS, ZEBRAS]},
        {"documents": [{"doc_id": "a"}]},
        {"documents": [{**ZEBRAS, "text": " "}]},
        {"documents": [{**ZEBRAS, "text": "\ud800"}]},
        {"documents": [{**ZEBRAS, "format": "html"}]},
        {"documents": [{**ZEBRAS, "colour": "striped"}]},
        {"documents": [{**ZEBRAS, "metadata": {"deep": {"er": 1}}}]},
    ],
)
def test_what_is_no_document_is_refused_and_nothing_kept(client: TestClient, body: dict[str, Any]) -> None:
    refused(client.put(URL, content=json.dumps(body), headers=JSON), 422, "invalid_request")
    assert not publish(client)["changed"]


def test_a_long_body_is_refused_by_its_header_and_by_its_length(client: TestClient) -> None:
    body = json.dumps({"documents": [{**ZEBRAS, "text": "x" * 6_000}]}).encode()
    assert (
        "MAX_BODY_BYTES"
        in refused(client.put(URL, content=body, headers=JSON), 413, "content_too_large")["detail"]
    )
    halves = iter([body[:3_000], body[3_000:]])  # sent in pieces, without a length
    refused(client.put(URL, content=halves, headers=JSON), 413, "content_too_large")
    assert not publish(client)["changed"]


def test_an_unknown_index_takes_nothing(client: TestClient, tmp_path: Path) -> None:
    refused(client.put("/v1/indexes/nope/documents", json={"documents": [ZEBRAS]}), 404, "unknown_index")
    refused(client.delete("/v1/indexes/nope/documents/a"), 404, "unknown_index")
    refused(client.post("/v1/indexes/nope/publish"), 404, "unknown_index")
    refused(client.put("/v1/indexes/..%2Fx/documents", json={"documents": [ZEBRAS]}), 404, "not_found")
    assert not (tmp_path / "nope").exists()


def _damaged(root: Path) -> None:
    texts = root / "pages" / "generations" / current(root, "pages") / "texts.utf8"
    texts.write_bytes(b"X" * texts.stat().st_size)


def test_a_damaged_generation_gives_way_to_the_last_good_one_loudly(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = build().manifest.generation
    document = Document("zebras", "Zebras walk in the snow.")
    update_index(tmp_path, "pages", lambda _: Update([document]), fake_parts())
    _damaged(tmp_path)
    with caplog.at_level(logging.ERROR), TestClient(create_app(lambda: fake_engine(tmp_path))) as client:
        assert "zebras" not in found(client)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["status"], ready.json()["num_fallbacks"]) == (
            200,
            "degraded",
            1,
        )
        (brief,) = ready.json()["indexes"]
        assert (brief["state"], brief["generation"]) == ("degraded", before)
        assert f"{before} serves in its place" in brief["reason"]
        assert "index_fell_back" in caplog.text
        # Nothing is built upon it; a roll back or a rebuild mends it.
        put(client, ZEBRAS)
        refused(client.post("/v1/indexes/pages/publish"), 500, "corrupt_index")
        roll_back(tmp_path, "pages")
        client.app.state.engine.readiness.refresh()  # type: ignore[attr-defined]
        assert client.get("/readyz").json()["status"] == "ok"
        assert publish(client)["added"] == 1


def test_or_none_serves_by_setting(build: Build, tmp_path: Path) -> None:
    build()
    update_index(tmp_path, "pages", lambda _: Update([Document("a", "Text.")]), fake_parts())
    _damaged(tmp_path)
    app = create_app(lambda: fake_engine(tmp_path, damaged_index="refuse"))
    with TestClient(app, raise_server_exceptions=False) as client:
        refused(client.post("/v1/context", json=ASK), 500, "corrupt_index")
        assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("control", ["\0", "\n", "\r", "\x7f", "\x85", "\u2028"])
def test_an_id_with_a_control_character_comes_in_nowhere(client: TestClient, control: str) -> None:
    doc_id = f"new{control}line"
    body = json.dumps({"documents": [{**ZEBRAS, "doc_id": doc_id}]})
    told = f"control character U+{ord(control):04X} at character 3"
    assert told in refused(client.put(URL, content=body, headers=JSON), 422, "invalid_request")["detail"]
    assert told in refused(client.delete(f"{URL}/{quote(doc_id)}"), 422, "invalid_request")["detail"]
    assert not publish(client)["changed"]


def test_a_batch_that_is_too_long_says_how_long_it_may_be(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "MAX_DOCUMENTS", 2)
    told = refused(put(client, *({**ZEBRAS, "doc_id": doc_id} for doc_id in "abc")), 422, "invalid_request")
    assert "3 documents were sent; expected at most 2" in told["detail"]
    assert put(client, *({**ZEBRAS, "doc_id": doc_id} for doc_id in "ab")).json()["accepted"] == 2
