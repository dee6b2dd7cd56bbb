"""Routes that change an index: each parses, calls the publisher, answers."""

from typing import Any

from fastapi import APIRouter
from starlette.convertors import PathConvertor, register_url_convertor

from contextsvc.api import examples
from contextsvc.api.document_schemas import Accepted, DocumentsBody, PublishedView
from contextsvc.api.routes import EngineHere, answers
from contextsvc.records.json import Json
from contextsvc.records.validation import incoming_document

documents = APIRouter()


class _DocId(PathConvertor):
    """A document id in a path: any text, also with a line end, so that the publisher can refuse it."""

    regex = "(?s:.*)"


register_url_convertor("doc_id", _DocId())


@documents.put(
    "/v1/indexes/{name}/documents",
    response_model=Accepted,
    responses=answers(examples.ACCEPTED, 404, 413, 422, 500),
)
def put_documents(name: str, body: DocumentsBody, engine: EngineHere) -> Json:
    """Add or replace documents; answered when they are durable, searched after the next publish."""
    found: list[dict[str, Any]] = [document.model_dump() for document in body.documents]
    return engine.publisher.put(name, [incoming_document(**fields) for fields in found])


@documents.delete(
    "/v1/indexes/{name}/documents/{doc_id:doc_id}",
    response_model=Accepted,
    responses=answers({**examples.ACCEPTED, "accepted": 1}, 404, 500),
)
def delete_document(name: str, doc_id: str, engine: EngineHere) -> Json:
    """Leave a document out; answered when that is durable, searched no more after the next publish."""
    return engine.publisher.delete(name, doc_id)


@documents.post(
    "/v1/indexes/{name}/publish",
    response_model=PublishedView,
    responses=answers(examples.PUBLISHED, 404, 409, 500),
)
def publish_index(name: str, engine: EngineHere) -> Json:
    """Publish every change that waits, all at once; answered when it is durable and serves."""
    return engine.publisher.publish(name)
