"""Documents: put, delete and publish."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import PathConvertor, register_url_convertor

from contextsvc.api.operations import Body, EngineHere, answers
from contextsvc.records.json import Json
from contextsvc.records.validation import incoming_document

documents = APIRouter()


class DocumentBody(Body):
    """A document; `metadata` is flat, and filters see it."""

    doc_id: str
    text: str
    title: str = ""
    source: str = ""
    format: Literal["markdown", "plain"] = "plain"
    metadata: dict[str, Any] | None = None


class DocumentsBody(Body):
    """Documents to add; a document replaces the one of the same id."""

    documents: list[DocumentBody] = Field(min_length=1)

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "example": {
                "documents": [
                    {
                        "doc_id": "runbooks/restore.md",
                        "text": "# Restore\n\nStop the members. Restore each from the same snapshot.",
                        "format": "markdown",
                        "metadata": {"team": "storage"},
                    }
                ]
            }
        },
    )


class Accepted(BaseModel):
    """Changes that are durable and wait for the next publish; `position` is the length of the journal."""

    index: str
    accepted: int
    position: int


class PublishedView(BaseModel):
    """Result of a publish; `changed` is false if nothing differed and there is no new generation."""

    index: str
    generation: str
    changed: bool
    num_documents: int
    num_chunks: int
    added: int
    replaced: int
    unchanged: int
    deleted: int
    embedded: int
    seconds: float


class _DocId(PathConvertor):
    """A document id in a path: any text, also with a line end, so that the publisher can refuse it."""

    regex = "(?s:.*)"


register_url_convertor("doc_id", _DocId())


@documents.put(
    "/v1/indexes/{name}/documents",
    response_model=Accepted,
    responses=answers("accepted", 404, 413, 422, 500),
)
def put_documents(name: str, body: DocumentsBody, engine: EngineHere) -> Json:
    """Add or replace documents. They are durable when the answer comes; the next publish makes them
    searchable."""
    found: list[dict[str, Any]] = [document.model_dump() for document in body.documents]
    return engine.publisher.put(name, [incoming_document(**fields) for fields in found])


@documents.delete(
    "/v1/indexes/{name}/documents/{doc_id:doc_id}",
    response_model=Accepted,
    responses=answers("deleted", 404, 500),
)
def delete_document(name: str, doc_id: str, engine: EngineHere) -> Json:
    """Delete a document. This is durable when the answer comes; searches miss it after the next publish.

    Packs that were made with the document keep its text: see `DELETE /v1/packs/{pack_id}`.
    """
    return engine.publisher.delete(name, doc_id)


@documents.post(
    "/v1/indexes/{name}/publish",
    response_model=PublishedView,
    responses=answers("published", 404, 409, 500),
)
def publish_index(name: str, engine: EngineHere) -> Json:
    """Publish all changes that wait, at once. The new generation serves when the answer comes."""
    return engine.publisher.publish(name)
