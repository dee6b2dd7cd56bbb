"""Refusals: no path of the server and no name that the caller did not give reaches a caller over HTTP."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from contextsvc.api.app import create_app
from contextsvc.errors import (
    ContextError,
    CorruptAsset,
    Fault,
    MissingAsset,
    ReaderFault,
    SettingError,
    UnknownIndex,
)
from contextsvc.measuring.summary import summary_path
from contextsvc.service.engine import Engine
from tests.api.test_api import ASK, refused
from tests.conftest import Build
from tests.fakes.cache import MemoryCache
from tests.fakes.job_queue import MemoryJobQueue
from tests.fakes.reader import FakeReader
from tests.world import LONG, fake_engine, fake_measurer


class Failing(FakeReader):
    """A reader that raises what it is given."""

    error: BaseException = ReaderFault("")

    def score(self, *_: Any, **__: Any) -> Any:
        """Raise."""
        raise self.error


@pytest.fixture
def reader() -> Failing:
    return Failing()


@pytest.fixture
def client(build: Build, tmp_path: Path, reader: Failing) -> Iterator[TestClient]:
    """The service over `pages`, whose reader fails."""
    build()

    def engine() -> Engine:
        jobs = MemoryJobQueue(9)
        return fake_engine(tmp_path, MemoryCache(), jobs, fake_measurer(reader), background_jobs=9)

    with TestClient(create_app(engine), raise_server_exceptions=False) as client:
        yield client


def test_an_unknown_index_names_neither_the_root_nor_other_indexes(
    client: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = {
        "POST": ("/v1/context", {**ASK, "index": "nope"}),
        "GET": ("/v1/indexes/nope", None),
        "PUT": ("/v1/indexes/nope/documents", {"documents": [{"doc_id": "a", "text": "b"}]}),
        "DELETE": ("/v1/indexes/nope/documents/a", None),
    }
    with caplog.at_level(logging.INFO):
        for method, (path, body) in unknown.items():
            response = client.request(method, path, json=body)
            refused(response, 404, "unknown_index")
            assert str(tmp_path) not in response.text
            assert "pages" not in response.text
            assert "'nope'" in response.text
    assert str(tmp_path) in caplog.text, "the log has the whole text"


def test_a_damaged_index_names_no_path(
    build: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build()
    (manifest,) = tmp_path.glob("pages/generations/*/manifest.json")
    manifest.unlink()
    manifest.mkdir()  # reading it is an OSError, which names its path
    app = create_app(lambda: fake_engine(tmp_path, MemoryCache()))
    with caplog.at_level(logging.INFO), TestClient(app, raise_server_exceptions=False) as client:
        answers = [
            client.post("/v1/context", json=ASK),
            client.get("/v1/indexes"),
            client.get("/v1/indexes/pages"),
        ]
        answers.append(client.get("/readyz"))
        answers.append(client.post("/v1/indexes/pages/publish"))
    assert [answer.status_code for answer in answers] == [500, 200, 500, 503, 500]
    for answer in answers:
        assert str(tmp_path) not in answer.text
    assert str(tmp_path) in caplog.text


ERRORS: dict[str, Callable[[str], BaseException]] = {
    "fault": lambda path: Fault(f"writing {path} failed"),
    "reader_fault": lambda path: ReaderFault(f"{path} was cut"),
    "corrupt_asset": lambda path: CorruptAsset(f"{path} differs"),
    "invalid_setting": lambda path: SettingError(f"CONTEXTSVC_READER is {path!r}"),
    "missing_asset": lambda path: MissingAsset(f"{path} is not there"),
    "internal_error": lambda path: OSError(28, "no space left", path),
}


@pytest.mark.parametrize("code", ERRORS)
def test_what_fails_inside_names_no_path(
    client: TestClient, reader: Failing, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    reader.error = ERRORS[code]("/srv/hidden/file")
    body = {**ASK, "measure": True, "response": "every night"}
    response = client.post("/v1/context", json=body)
    refused(response, 503 if code == "missing_asset" else 500, code)
    assert "hidden" not in response.text
    assert "/srv/hidden/file" in caplog.text


@pytest.mark.parametrize(
    "error", [SettingError("/srv/hidden/file"), UnknownIndex("gone", "/srv/hidden", ["others"])]
)
def test_the_reason_of_a_failed_background_measurement_names_no_path(
    client: TestClient, reader: Failing, error: ContextError
) -> None:
    reader.error = error
    pack_id = client.post("/v1/context", json={**ASK, "measure": "background"}).json()["pack_id"]
    assert client.app.state.engine.background.drain(LONG)  # type: ignore[attr-defined]
    found = client.get(f"/v1/packs/{pack_id}").json()["utilization"]["reason"]
    assert found.startswith("failed in the background: ")
    assert "hidden" not in found
    assert "others" not in found


def test_a_stored_score_that_cannot_be_read_names_no_path(
    client: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = client.app.state.engine.library.get("pages")  # type: ignore[attr-defined]
    summary_path(index.folder, index.generation).mkdir(parents=True)
    found = client.post("/v1/context", json=ASK).json()["utilization"]
    assert "cannot be read" in found["reason"]
    assert str(tmp_path) not in json.dumps(found)
    assert str(tmp_path) in caplog.text


def test_the_caller_is_told_of_a_wrong_choice_and_not_of_a_wrong_setting(
    build: Build, tmp_path: Path
) -> None:
    build()
    app = create_app(lambda: fake_engine(tmp_path, MemoryCache()))
    with TestClient(app, raise_server_exceptions=False) as client:
        for choice in ({"tokenizer": "nope"}, {"ordering": "nope"}):
            body = refused(client.post("/v1/context", json={**ASK, **choice}), 422, "unknown_choice")
            assert f"unknown {next(iter(choice))} 'nope'; choose from" in body["detail"]
