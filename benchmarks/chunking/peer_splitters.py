"""LangChain's splitters, run by the interpreter of the peers' environment.

Reads {"name": text} from standard input, writes {chunker: {"name": [[start, end, text], ...]}}. It imports
nothing of this project, so that a peer's requirements never mix with ours.
"""

import json
import os
import sys
from collections.abc import Iterable

ENCODING = "cl100k_base"
SEPARATORS = ["\n\n", "\n", ".", "?", "!", " ", ""]
"""Separators of the published run; LangChain's default has no sentence ends."""

COUNTED_IN = {"RecursiveCharacter": "all-MiniLM-L6-v2, special tokens included", "TokenText": ENCODING}
"""Tokenizer that counts the size of a chunk. With cl100k_base instead of the first one, chunks have neither
the mean size nor the precision-omega of the published MiniLM rows."""

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""Written by a decoder if a cut went through a character."""


def located(text: str, pieces: Iterable[str]) -> list[tuple[int, int, str]]:
    """(start, end, piece) of consecutive pieces of a text.

    Broken characters at the ends of a piece belong to no piece; a piece that is not found is an error.

    >>> located("one two one", ["one", " two", "one"])
    [(0, 3, 'one'), (3, 7, ' two'), (8, 11, 'one')]
    """
    found, at = [], 0
    for piece in pieces:
        whole = piece.strip(BROKEN)
        start = text.find(whole, at)
        if start < 0:
            raise SystemExit(f"a peer's chunk is not in its text from {at} on: {piece[:80]!r}")
        at = start + len(whole)
        found.append((start, at, piece))
    return found


def splitters(size: int, tokenizer: str) -> dict[str, object]:
    """The two splitters of the published rows, without overlap."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter, TokenTextSplitter
    from tokenizers import Tokenizer

    pieces = Tokenizer.from_file(tokenizer)
    pieces.no_truncation()
    pieces.no_padding()
    return {
        "RecursiveCharacter": RecursiveCharacterTextSplitter(
            SEPARATORS, chunk_size=size, chunk_overlap=0,
            length_function=lambda text: len(pieces.encode(text).ids),
        ),
        "TokenText": TokenTextSplitter(ENCODING, chunk_size=size, chunk_overlap=0, disallowed_special=()),
    }  # fmt: skip


def main() -> None:
    """Arguments: size of a chunk in tokens, folder of tiktoken's files, the embedder's `tokenizer.json`."""
    size, ranks, tokenizer = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.environ["TIKTOKEN_CACHE_DIR"] = ranks
    texts = json.load(sys.stdin)
    made = {
        name: {corpus: located(text, splitter.split_text(text)) for corpus, text in texts.items()}  # type: ignore[attr-defined]
        for name, splitter in splitters(size, tokenizer).items()
    }
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main()
