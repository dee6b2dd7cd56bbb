"""Routes of documents: add, replace, delete and publish."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.convertors import PathConvertor, register_url_convertor

from contextsvc.api.operations import Body, EngineHere, answers
from contextsvc.records.json import Json
from contextsvc.records.validation import incoming_document

documents = APIRouter()


class DocumentBody(Body):
    """A document to add or to replace.

    `metadata` is a flat object. The filters of a search compare its values.
    """

    doc_id: str
    text: str
    title: str = ""
    source: str = ""
    format: Literal["markdown", "plain"] = "plain"
    metadata: dict[str, Any] | None = None


class DocumentsBody(Body):
    """Documents to add. A document replaces the stored document with the same id."""

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
    """Result of a change that is stored and waits for the next publish.

    `accepted` is the number of changes. `position` is the length of the journal, these changes included.
    """

    index: str
    accepted: int
    position: int


class PublishedView(BaseModel):
    """Result of a publish. `changed` is false if nothing differed, and then there is no new generation.

    A generation is one published version of an index.
    """

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
    """Converter for a document id in a path.

    It matches any text, also one with a line end, so that the publisher can refuse the id with a clear
    message.
    """

    regex = "(?s:.*)"


register_url_convertor("doc_id", _DocId())


@documents.put(
    "/v1/indexes/{name}/documents",
    response_model=Accepted,
    responses=answers("accepted", 404, 413, 422, 500),
)
def put_documents(name: str, body: DocumentsBody, engine: EngineHere) -> Json:
    """Add or replace documents.

    When the answer arrives, the documents are stored durably. The next publish makes them searchable.
    """
    found: list[dict[str, Any]] = [document.model_dump() for document in body.documents]
    return engine.publisher.put(name, [incoming_document(**fields) for fields in found])


@documents.delete(
    "/v1/indexes/{name}/documents/{doc_id:doc_id}",
    response_model=Accepted,
    responses=answers("deleted", 404, 500),
)
def delete_document(name: str, doc_id: str, engine: EngineHere) -> Json:
    """Delete a document.

    When the answer arrives, the deletion is stored durably. After the next publish, searches no longer find
    the document.

    Packs that were made with the document before keep its text. `DELETE /v1/packs/{pack_id}` removes such a
    pack.
    """
    return engine.publisher.delete(name, doc_id)


@documents.post(
    "/v1/indexes/{name}/publish",
    response_model=PublishedView,
    responses=answers("published", 404, 409, 500),
)
def publish_index(name: str, engine: EngineHere) -> Json:
    """Publish all waiting changes at once. When the answer arrives, the new generation serves.

    A generation is one published version of an index.
    """
    return engine.publisher.publish(name)
