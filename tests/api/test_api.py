"""The HTTP service, over its real application, with fake models and a real index."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from contextsvc import errors
from contextsvc.api.app import create_app
from contextsvc.api.documents import Accepted, PublishedView
from contextsvc.api.health import Health
from contextsvc.api.indexes import IndexList, IndexView
from contextsvc.api.operations import Problem, examples
from contextsvc.api.packs import PackView
from contextsvc.api.problems import STATUS
from contextsvc.api.utilization import PackUtilization
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.embedder import FakeEmbedder
from tests.world import fake_engine

JSON = {"content-type": "application/json"}
FORMS: dict[str, type[BaseModel]] = {
    "pack": PackView,
    "kept_pack": PackView,
    "utilization": PackUtilization,
    "index": IndexView,
    "indexes": IndexList,
    "accepted": Accepted,
    "deleted": Accepted,
    "published": PublishedView,
    "live": Health,
    "ready": Health,
}
ASK = {"index": "pages", "query": "snapshot of the cluster", "budget_tokens": 200, "max_chunks": 2}


@pytest.fixture
def client(build: Build, tmp_path: Path) -> Iterator[TestClient]:
    build()
    app = create_app(lambda: fake_engine(tmp_path, MemoryCache()))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert "Traceback" not in response.text
    return body


def test_a_pack_comes_with_sources_spans_and_counts(client: TestClient) -> None:
    pack = client.post("/v1/context", json=ASK).json()
    assert [chunk["doc_id"] for chunk in pack["chunks"]] == ["backup", "restore"]
    assert pack["num_tokens"] == sum(chunk["num_tokens"] for chunk in pack["chunks"]) <= 200
    assert pack["text"].startswith("[1] Backup\n")
    assert (pack["cache"], pack["utilization"]["scope"]) == ({"pack": "miss"}, "index")
    assert "drops" not in pack


def test_the_same_request_is_a_hit_with_the_same_bytes(client: TestClient) -> None:
    first, second = (client.post("/v1/context", json=ASK).json() for _ in range(2))
    assert (first["cache"]["pack"], second["cache"]["pack"]) == ("miss", "hit")
    same = ("pack_id", "text", "chunks", "num_tokens")
    assert [first[key] for key in same] == [second[key] for key in same]


def test_an_exact_search_is_another_pack(client: TestClient) -> None:
    found, exact = (
        client.post("/v1/context", json={**ASK, "exact": exact}).json() for exact in (False, True)
    )
    assert (found["exact"], exact["exact"]) == (False, True)
    assert found["text"] == exact["text"]
    assert found["pack_id"] != exact["pack_id"]
    assert exact["cache"]["pack"] == "miss"


TIGHT = {**ASK, "budget_tokens": 36}


def test_a_trimmed_pack_says_which_characters_it_holds(client: TestClient) -> None:
    whole = client.post("/v1/context", json=ASK).json()
    plain, off, trimmed, again = (
        client.post("/v1/context", json={**TIGHT, **trim}).json()
        for trim in ({"trim": False}, {"trim": False}, {}, {"trim": True})
    )
    assert [pack["trim"] for pack in (plain, off, trimmed)] == [False, False, True]
    assert (off["cache"]["pack"], trimmed["cache"]["pack"], again["cache"]["pack"]) == ("hit", "miss", "hit")
    assert [chunk["spans"] for chunk in whole["chunks"]] == [[[0, 70]], [[0, 72]]]
    assert [chunk["spans"] for chunk in plain["chunks"]] == [[[0, 70]]]
    assert [chunk["spans"] for chunk in trimmed["chunks"]] == [[[0, 70]], [[0, 41]]]
    for before, after in zip(whole["chunks"], trimmed["chunks"], strict=True):
        assert after["text"] == before["text"][: after["end"]]
        assert (after["chunk_id"], after["score"]) == (before["chunk_id"], before["score"])
    kept = client.get(f"/v1/packs/{trimmed['pack_id']}").json()
    assert (again["chunks"], again["text"], kept["text"]) == (trimmed["chunks"], *[trimmed["text"]] * 2)
    assert (kept["trim"], kept["chunks"][1]["spans"]) == (True, [[0, 41]])


def test_a_trimmed_pack_is_measured_as_it_is(client: TestClient) -> None:
    body = {**ASK, "budget_tokens": 18, "measure": True, "response": "every night", "sentences": True}
    pack = client.post("/v1/context", json=body).json()
    found = pack["utilization"]
    assert [(s["start"], s["end"], s["verdict"]) for s in found["sentences"]] == [(0, 43, "live")]
    assert sum(verdict["num_tokens"] for verdict in found["verdicts"]) == pack["num_tokens"]
    body = {"response": "every night", "minimize": True}
    smaller = client.post(f"/v1/packs/{pack['pack_id']}/utilization", json=body).json()["minimal"]
    assert smaller["text"] == "[1] Backup\nTake a snapshot of the cluster every night."
    assert client.get(f"/v1/packs/{smaller['pack_id']}").json()["chunks"][0]["spans"] == [[0, 43]]


def test_the_setting_trims_where_a_request_leaves_the_choice(build: Build, tmp_path: Path) -> None:
    build()
    with TestClient(create_app(lambda: fake_engine(tmp_path, trim=False))) as client:
        asked = [client.post("/v1/context", json={**TIGHT, **t}).json() for t in ({}, {"trim": True})]
    assert [pack["trim"] for pack in asked] == [False, True]
    assert [len(pack["chunks"]) for pack in asked] == [1, 2]


def test_a_pack_says_whether_anything_answers(client: TestClient) -> None:
    found = client.post("/v1/context", json=ASK).json()
    assert (found["answerable"], found["answer_score"], found["answer_threshold"]) == (True, 0.666667, 0.5)
    asked = {**ASK, "query": "snapshot zebras"}
    flagged = client.post("/v1/context", json=asked).json()
    assert (flagged["answerable"], len(flagged["chunks"])) == (False, 2)
    assert 0 < flagged["answer_score"] < flagged["answer_threshold"] == 0.5
    empty = client.post("/v1/context", json={**asked, "answerable_only": True, "explain": True}).json()
    assert (empty["answerable"], empty["text"], empty["chunks"]) == (False, "", [])
    assert empty["answer_score"] == flagged["answer_score"]
    assert "not_answerable" in {drop["reason"] for drop in empty["drops"]}
    kept = client.get(f"/v1/packs/{flagged['pack_id']}").json()
    assert (kept["answerable"], kept["answer_score"]) == (False, flagged["answer_score"])
    for view in (found, flagged, empty, kept):
        PackView.model_validate(view)
    refused(client.post("/v1/context", json={**ASK, "answerable_only": "yes"}), 422, "invalid_request")


def test_measuring_what_was_left_empty_says_that_there_is_nothing(client: TestClient) -> None:
    body = {**ASK, "query": "snapshot zebras", "answerable_only": True, "measure": True, "response": "night"}
    found = client.post("/v1/context", json=body).json()
    assert (found["chunks"], found["utilization"]["verdicts"]) == ([], [])


def test_explain_says_what_was_left_out(client: TestClient) -> None:
    pack = client.post("/v1/context", json={**ASK, "explain": True}).json()
    assert {d["doc_id"]: d["reason"] for d in pack["drops"]}["copy"] == "near_duplicate"


def test_measure_gives_the_packs_own_score(client: TestClient) -> None:
    body = {**ASK, "measure": True, "response": "every night"}
    first, second = (client.post("/v1/context", json=body).json() for _ in range(2))
    found = first["utilization"]
    assert (found["scope"], [v["verdict"] for v in found["verdicts"]]) == ("pack", ["live", "dead"])
    assert first["cache"] == {"pack": "miss", "utilization": "miss"}
    assert second["cache"] == {"pack": "hit", "utilization": "hit"}


def test_a_pack_can_be_read_and_measured_by_its_id(client: TestClient) -> None:
    pack_id = client.post("/v1/context", json=ASK).json()["pack_id"]
    before = client.get(f"/v1/packs/{pack_id}").json()
    assert before["utilization"]["score"] is None
    found = client.post(f"/v1/packs/{pack_id}/utilization", json={"response": "every night"}).json()
    after = client.get(f"/v1/packs/{pack_id}").json()
    assert found["score"] == after["utilization"]["score"] > 0
    assert client.post(f"/v1/packs/{pack_id}/utilization").json()["target_kind"] == "answer"


def test_a_smaller_pack_holds_the_quality_and_is_kept_under_its_id(client: TestClient) -> None:
    pack = client.post("/v1/context", json=ASK).json()
    body = {"response": "every night", "sentences": True, "minimize": True}
    found = client.post(f"/v1/packs/{pack['pack_id']}/utilization", json=body).json()
    minimal = found["minimal"]
    assert minimal["full"] - minimal["quality"] <= minimal["margin"]
    assert minimal["cost"]["reader_calls"] >= 1
    assert minimal["chunk_ids"] == [pack["chunks"][0]["chunk_id"]]
    assert minimal["num_tokens_saved"] == pack["num_tokens"] - minimal["num_tokens"] > 0
    kept = client.get(f"/v1/packs/{minimal['pack_id']}").json()
    assert (kept["text"], kept["num_tokens"]) == (minimal["text"], minimal["num_tokens"])
    assert "live" in {sentence["verdict"] for sentence in found["sentences"]}


def test_measuring_in_the_background_is_off_by_default(client: TestClient) -> None:
    body = refused(client.post("/v1/context", json={**ASK, "measure": "background"}), 409, "user_error")
    assert "CONTEXTSVC_BACKGROUND_JOBS" in body["detail"]


def test_a_pack_of_a_former_generation_is_not_measured(client: TestClient, build: Build) -> None:
    from contextsvc.records.documents import Document

    pack_id = client.post("/v1/context", json=ASK).json()["pack_id"]
    build([Document("new", "Something else.")])
    refused(client.post(f"/v1/packs/{pack_id}/utilization"), 409, "user_error")


def test_indexes_are_listed_and_described(client: TestClient) -> None:
    (brief,) = client.get("/v1/indexes").json()["indexes"]
    assert (brief["name"], brief["state"], brief["num_documents"]) == ("pages", "ready", 8)
    whole = client.get("/v1/indexes/pages").json()
    assert (whole["embedder"], whole["dim"]) == ("fake-embedder:1:256", 256)
    assert (whole["answerable"]["threshold"], whole["answerable"]["origin"]) == (0.45, "default")


def _damage(root: Path) -> None:
    """No generation is left that could stand in, and the open one is not current any more."""
    for texts in (root / "pages" / "generations").glob("*/texts.utf8"):
        texts.write_bytes(b"x" * texts.stat().st_size)
    (root / "pages" / "CURRENT").write_text("nonsense")


def test_health(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    _damage(tmp_path)
    client.app.state.engine.readiness.refresh()  # type: ignore[attr-defined]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert "reason" in ready.json()["indexes"][0]


def test_unknown_things_are_404(client: TestClient) -> None:
    refused(client.post("/v1/context", json={**ASK, "index": "nope"}), 404, "unknown_index")
    refused(client.get("/v1/indexes/nope"), 404, "unknown_index")
    refused(client.get("/v1/packs/nope"), 404, "unknown_pack")
    refused(client.get("/v1/nope"), 404, "not_found")
    refused(client.get("/v1/context"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"query": ""}, "invalid_request"),
        ({"query": " \n"}, "invalid_request"),
        ({"query": "x" * 8193}, "invalid_request"),
        ({"query": None}, "invalid_request"),
        ({"budget_tokens": 0}, "invalid_request"),
        ({"budget_tokens": "many"}, "invalid_request"),
        ({"max_chunks": 0}, "invalid_request"),
        ({"max_chunks": 65}, "invalid_request"),
        ({"trim": "yes"}, "invalid_request"),
        ({"trim": 0.5}, "invalid_request"),
        ({"trim": 1}, "invalid_request"),
        ({"tokenizer": "/etc/passwd"}, "unknown_choice"),
        ({"ordering": "random"}, "unknown_choice"),
        ({"filters": {"field": "a"}}, "invalid_request"),
        ({"unheard_of": 1}, "invalid_request"),
        ({"measure": True, "response": " "}, "invalid_request"),
        ({"query": "\ud800"}, "invalid_request"),
        ({"measure": True, "response": "\ud800"}, "invalid_request"),
        ({"filters": {}}, "invalid_request"),
        ({"filters": {"field": "x" * 20_000, "eq": 1}}, "invalid_request"),
        ({"index": "../pages"}, "invalid_request"),
    ],
)
def test_what_does_not_fit_is_422(client: TestClient, change: dict[str, Any], code: str) -> None:
    body = json.dumps({**ASK, **change})  # escapes what the client itself could not send
    refused(client.post("/v1/context", content=body, headers=JSON), 422, code)


def test_a_body_that_is_no_json_is_refused(client: TestClient) -> None:
    refused(client.post("/v1/context", content=b"{", headers=JSON), 422, "invalid_request")
    refused(client.post("/v1/context", content=b"\xff{", headers=JSON), 400, "bad_request")


def test_a_filter_says_how_many_documents_it_allows(client: TestClient) -> None:
    for name, number in (("backup", 1), ("nowhere", 0)):
        body = {**ASK, "filters": {"field": "doc_id", "eq": name}}
        made, again = (client.post("/v1/context", json=body).json() for _ in range(2))
        assert made["filter"] == again["filter"] == {"num_documents": number}
        assert (again["cache"]["pack"], len(again["chunks"])) == ("hit", number)
        PackView.model_validate(made)
        # By its id the pack may be that of another filter.
        assert "filter" not in client.get(f"/v1/packs/{made['pack_id']}").json()
    assert "filter" not in client.post("/v1/context", json=ASK).json()


def test_a_field_that_no_document_has_is_422_and_named(client: TestClient) -> None:
    for spec in ({"field": "drafts", "eq": True}, {"not": {"field": "drafts", "eq": True}}):
        found = refused(client.post("/v1/context", json={**ASK, "filters": spec}), 422, "invalid_request")
        assert "no document has the field 'drafts'; the nearest fields are 'draft'" in found["detail"]
    spec = {"field": "drafts", "exists": False}
    assert client.post("/v1/context", json={**ASK, "filters": spec}).json()["filter"] == {"num_documents": 8}


def test_a_budget_too_small_names_the_smallest_that_would_do(client: TestClient) -> None:
    body = refused(client.post("/v1/context", json={**ASK, "budget_tokens": 3}), 422, "budget_too_small")
    enough = body["smallest_budget_tokens"]
    pack = client.post("/v1/context", json={**ASK, "budget_tokens": enough}).json()
    assert pack["num_tokens"] == enough


def test_an_index_of_another_embedder_is_409(client: TestClient, build: Build) -> None:
    build(embedder=FakeEmbedder(fingerprint="other"))
    refused(client.post("/v1/context", json=ASK), 409, "index_mismatch")


def test_a_damaged_index_is_500_without_a_trace(client: TestClient, tmp_path: Path) -> None:
    _damage(tmp_path)
    refused(client.post("/v1/context", json=ASK), 500, "corrupt_index")


@pytest.mark.parametrize(("max_waiting", "status"), [(0, 429), (1, 503)])
def test_overload_says_when_to_come_back(build: Build, tmp_path: Path, max_waiting: int, status: int) -> None:
    build()
    app = create_app(
        lambda: fake_engine(tmp_path, max_concurrent=1, max_waiting=max_waiting, wait_seconds=0.01)
    )
    with TestClient(app) as client, app.state.engine.packing.take():
        response = client.post("/v1/context", json=ASK)
        refused(response, status, "overloaded")
        assert response.headers["retry-after"] == "1"
        assert client.get("/livez").status_code == 200


def test_a_measurement_does_not_hold_up_packs_nor_known_measurements(client: TestClient) -> None:
    measured = {**ASK, "measure": True, "response": "every night"}
    client.post("/v1/context", json=measured)
    with client.app.state.engine.measuring.take():  # type: ignore[attr-defined]
        assert client.post("/v1/context", json={**ASK, "budget_tokens": 150}).status_code == 200
        assert client.post("/v1/context", json=measured).json()["cache"]["utilization"] == "hit"


def test_every_operation_has_an_example_that_fits_its_schema(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                # FastAPI's own 422 of routes without a body, and the empty answer of a deletion
                if status == "204" or "HTTPValidationError" in str(answer):
                    continue
                assert any("example" in content for content in answer["content"].values()), (path, status)
            if "requestBody" in operation:
                schema = str(operation["requestBody"])
                (name,) = {n for n in ("ContextBody", "UtilizationBody", "DocumentsBody") if n in schema}
                assert "example" in document["components"]["schemas"][name]
    for name, form in FORMS.items():
        form.model_validate(examples()[name])
    for status, refusal in examples()["problems"].items():
        assert Problem.model_validate(refusal).status == int(status)


STATUS_BY_ERROR = {
    "BudgetTooSmall": 422, "ContextError": 500, "CorruptAsset": 500, "CorruptIndex": 500, "Fault": 500,
    "IndexBusy": 409, "IndexMismatch": 409, "InvalidRequest": 422, "MissingAsset": 503, "MissingExtra": 503,
    "Overloaded": 429, "ReaderFault": 500, "SettingError": 500, "ShapeError": 500, "SourceError": 409,
    "SpanError": 500, "UnknownChoice": 422, "UnknownDocument": 404, "UnknownIndex": 404, "UnknownPack": 404,
    "UserError": 409,
}  # fmt: skip
"""A new error needs a line here: no class inherits a status that nobody looked at."""


def test_every_error_has_the_status_that_was_chosen_for_it() -> None:
    named = vars(errors).values()
    kinds = [kind for kind in named if isinstance(kind, type) and issubclass(kind, errors.ContextError)]
    found = {kind.__name__: next(STATUS[k] for k in kind.__mro__ if k in STATUS) for kind in kinds}
    assert found == STATUS_BY_ERROR
    assert len({kind.code for kind in kinds}) == len(kinds)
