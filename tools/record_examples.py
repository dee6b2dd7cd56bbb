"""Answers of the real service, recorded as the examples of the OpenAPI document.

    python -m tools.record_examples

It builds the index of the Python language reference in a temporary folder, asks each route once, and writes
`contextsvc/api/examples.json`. Texts are as they came; run it again when the form of an answer changes.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from contextsvc.api import app as door
from contextsvc.api.documents import DocumentsBody
from contextsvc.api.packs import ContextBody
from contextsvc.api.problems import refuse
from contextsvc.errors import ContextError, Fault, Overloaded
from contextsvc.indexing.build import build_index
from contextsvc.records.json import Json
from contextsvc.settings import Settings
from contextsvc.wiring import build_engine, build_index_parts, read_sources

EXAMPLES = Path(door.__file__).with_name("examples.json")
RESPONSE = "The finally clause is executed on the way out, and its return value wins."


def ask(client: TestClient, method: str, path: str, status: int = 200, body: Any = None) -> Any:
    """JSON of an answer, which must have that status."""
    response = client.request(method, path, json=body)
    if response.status_code != status:
        raise SystemExit(f"{method} {path}: {response.status_code} {response.text[:500]}")
    return response.json() if response.content else None


def record(client: TestClient, body: Json, response: str = RESPONSE) -> Json:
    """One answer of each operation, by the names that `api.operations.answers` takes.

    Args:
        client: A service that serves the index of the request and keeps packs.
        body: Body of `POST /v1/context`, of at least one chunk.
        response: Answer to watch.
    """
    name = body["index"]
    pack_id = ask(client, "POST", "/v1/context", body=body)["pack_id"]
    # Whatever was kept of an earlier run.
    ask(client, "DELETE", f"/v1/packs/{pack_id}", 204)
    found = {"pack": ask(client, "POST", "/v1/context", body=body)}
    asked = {"response": response, "sentences": True, "minimize": True}
    found["utilization"] = ask(client, "POST", f"/v1/packs/{pack_id}/utilization", body=asked)
    found["kept_pack"] = ask(client, "GET", f"/v1/packs/{pack_id}")
    found["indexes"] = ask(client, "GET", "/v1/indexes")
    found["index"] = ask(client, "GET", f"/v1/indexes/{name}")
    found["live"], found["ready"] = ask(client, "GET", "/livez"), ask(client, "GET", "/readyz")
    found["problems"] = problems(client, body)
    documents = example(DocumentsBody)
    doc_id = documents["documents"][0]["doc_id"]
    found["accepted"] = ask(client, "PUT", f"/v1/indexes/{name}/documents", body=documents)
    found["published"] = ask(client, "POST", f"/v1/indexes/{name}/publish")
    found["deleted"] = ask(client, "DELETE", f"/v1/indexes/{name}/documents/{doc_id}")
    return found


def problems(client: TestClient, body: Json) -> Json:
    """One refusal of each status."""
    long = client.post("/v1/context", content=b" " * 20_000_001)
    return {
        "404": ask(client, "POST", "/v1/context", 404, {**body, "index": "docs"}),
        "409": ask(client, "POST", "/v1/context", 409, {**body, "measure": "background"}),
        "413": long.json(),
        "422": ask(client, "POST", "/v1/context", 422, {**body, "budget_tokens": 10}),
        "429": _refused(Overloaded(waited=False, retry_after_seconds=1)),
        "500": _refused(Fault("recorded without a fault")),
        "503": _refused(Overloaded(waited=True, retry_after_seconds=1)),
    }


def _refused(error: ContextError) -> Json:
    found: Json = json.loads(bytes(refuse(Request({"type": "http"}), error).body))
    return found


def example(body: Any) -> Json:
    """Example in the schema of a request's body."""
    return cast("Json", body.model_config["json_schema_extra"]["example"])


def real_service(root: Path) -> FastAPI:
    """The service with the real models over an index of the Python reference, built under a root."""
    settings = replace(Settings.from_env(), root=root)
    parts = build_index_parts(settings)
    build_index(
        root, "python-reference", read_sources(settings, ["python-reference"], lambda *_: None), parts
    )
    return door.create_app(lambda: build_engine(settings))


def main() -> None:
    """Record the answers."""
    with tempfile.TemporaryDirectory() as folder:
        app = real_service(Path(folder))
        with TestClient(app) as client:
            found = record(client, {**example(ContextBody), "max_chunks": 2, "explain": False})
    EXAMPLES.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{EXAMPLES}: {EXAMPLES.stat().st_size} bytes")


if __name__ == "__main__":
    main()
