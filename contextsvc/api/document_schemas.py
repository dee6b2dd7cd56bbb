"""Bodies of the routes that change an index, and their answers."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contextsvc.api.schemas import Body


class DocumentBody(Body):
    """A document; `metadata` is flat, and what filters see."""

    doc_id: str
    text: str
    title: str = ""
    source: str = ""
    format: Literal["markdown", "plain"] = "plain"
    metadata: dict[str, Any] | None = None


class DocumentsBody(Body):
    """Documents to add, or to replace those of the same id."""

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
    """Changes that are durable and wait for the next publish; `position` is how long the journal is now."""

    index: str
    accepted: int
    position: int


class PublishedView(BaseModel):
    """What a publish did; `changed` is false when nothing differed and there is no new generation."""

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
