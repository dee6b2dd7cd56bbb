"""The Python language reference that ships inside the interpreter, as documents."""

import sys
from collections.abc import Iterator

from contextsvc.adapters.sources.text_files import first_heading
from contextsvc.errors import SourceError
from contextsvc.records.documents import Document

REFERENCE = "python-reference"
"""The name by which a source means these documents."""


def read_python_reference() -> Iterator[Document]:
    """One document a topic of `help()`, by name; 79 of them, 465 KB, on Python 3.11.

    The text is Sphinx's plain text output: underlined headings, indented code, bullet lists.

    Raises:
        SourceError: this Python comes without its help texts, as some system packages do.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise SourceError(
            "this Python comes without pydoc_data, its help texts; install the full standard library"
        ) from None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for topic in sorted(topics):
        text = topics[topic]
        yield Document(
            doc_id=f"{REFERENCE}/{topic}",
            text=text,
            title=first_heading(text, "plain") or topic,
            source=f"pydoc_data.topics:{topic}",
            metadata={"topic": topic, "python": version},
        )
