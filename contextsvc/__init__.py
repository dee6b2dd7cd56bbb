"""Context assembly for language models: make token-budgeted packs and measure how much of a pack was used.

`__all__` lists the public interface. Each public name is imported when it is first used.

    import contextsvc

    contextsvc.build(["docs"], index="mine")  # index the files of a folder as indexes/mine
    with contextsvc.open_index("mine") as mine:
        pack = mine.pack("How do I restore a backup?", budget_tokens=800)
        print(pack.text)  # put this before the question
        answer = ...  # the answer of your model
        used = mine.measure(pack, response=answer)
        print(used.score, [verdict.verdict for verdict in used.verdicts])
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextsvc.records.documents import Document
    from contextsvc.settings import Settings
    from contextsvc.wiring.interface import (
        BuiltIndex,
        IndexHandle,
        PackOptions,
        build,
        measure,
        open_index,
        pack,
    )

__version__ = "0.1.0"

__all__ = [
    "BuiltIndex",
    "Document",
    "IndexHandle",
    "PackOptions",
    "Settings",
    "build",
    "measure",
    "open_index",
    "pack",
]

_ELSEWHERE = {"Document": "contextsvc.records.documents", "Settings": "contextsvc.settings"}

if not TYPE_CHECKING:  # a type checker would believe that every name exists

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562), and return it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_ELSEWHERE.get(name, "contextsvc.wiring.interface")), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
