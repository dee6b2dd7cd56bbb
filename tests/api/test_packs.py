"""Packs over HTTP after they were made: how long they are kept, and how they go."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from contextsvc.api.app import create_app
from tests.api.test_api import ASK, refused
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.job_queue import MemoryJobQueue
from tests.world import fake_engine

Start = Callable[..., TestClient]
BACKUP = "/v1/indexes/pages/documents/backup"


@pytest.fixture
def start(build: Build, tmp_path: Path) -> Iterator[Start]:
    """Starts a service over `pages` with the settings it is given."""
    build()
    with ExitStack() as stack:

        def run(**changed: Any) -> TestClient:
            jobs = MemoryJobQueue(9) if "background_jobs" in changed else None
            app = create_app(lambda: fake_engine(tmp_path, MemoryCache(), jobs, **changed))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield run


def made(client: TestClient, **more: Any) -> str:
    """Id of a pack that holds the documents `backup` and `restore`."""
    pack = client.post("/v1/context", json={**ASK, **more}).json()
    assert [chunk["doc_id"] for chunk in pack["chunks"]] == ["backup", "restore"]
    return str(pack["pack_id"])


def publish_without_backup(client: TestClient) -> None:
    assert client.delete(BACKUP).status_code == 200
    assert client.post("/v1/indexes/pages/publish").json()["deleted"] == 1


def test_a_deleted_pack_is_gone_with_its_measurements(start: Start) -> None:
    client = start()
    pack_id = made(client)
    body = {"response": "every night", "minimize": True}
    smaller = client.post(f"/v1/packs/{pack_id}/utilization", json=body).json()["minimal"]["pack_id"]
    answer = client.delete(f"/v1/packs/{pack_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(client.get(f"/v1/packs/{pack_id}"), 404, "unknown_pack")
    refused(client.post(f"/v1/packs/{pack_id}/utilization", json=body), 404, "unknown_pack")
    refused(client.delete(f"/v1/packs/{pack_id}"), 404, "unknown_pack")
    assert client.get(f"/v1/packs/{smaller}").status_code == 200, "it is a pack of its own"
    again = client.post("/v1/context", json={**ASK, "measure": True, "response": "every night"}).json()
    assert (again["pack_id"], again["cache"]) == (pack_id, {"pack": "miss", "utilization": "miss"})


def test_a_deleted_pack_is_not_measured_in_the_background(start: Start) -> None:
    client = start(background_jobs=9)
    engine = client.app.state.engine  # type: ignore[attr-defined]
    with engine.measuring.take():
        pack_id = made(client, measure="background")
        assert client.get(f"/v1/packs/{pack_id}").json()["utilization"]["reason"].startswith("waiting")
        assert client.delete(f"/v1/packs/{pack_id}").status_code == 204
        assert engine.jobs.state(pack_id) is None


@pytest.mark.parametrize("drop_packs", [False, True])
def test_the_text_of_a_deleted_document_stays_as_long_as_is_said(start: Start, drop_packs: bool) -> None:
    client = start(drop_packs=drop_packs, keep_generations=1)
    pack_id = made(client)
    cached = client.app.state.engine.assembler._cache._values  # type: ignore[attr-defined]
    assert client.get(f"/v1/packs/{pack_id}").status_code == 200
    publish_without_backup(client)
    after = client.get(f"/v1/packs/{pack_id}")
    if not drop_packs:
        assert "every night" in after.json()["text"]
        return
    refused(after, 404, "unknown_pack")
    assert not any(b"every night" in value for value in cached.values())
    refused(client.post(f"/v1/packs/{pack_id}/utilization"), 404, "unknown_pack")


def test_a_pack_of_the_previous_generation_stays_while_that_is_kept(start: Start) -> None:
    client = start(drop_packs=True, keep_generations=2)
    pack_id = made(client)
    publish_without_backup(client)
    assert client.get(f"/v1/packs/{pack_id}").status_code == 200
