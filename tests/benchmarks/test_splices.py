"""Sentences made of two others, and the vectors they are given."""

import numpy as np

from benchmarks import splices
from benchmarks.search import Abstracts
from benchmarks.splices import KnownSplices, documents
from tests.fakes.embedder import FakeEmbedder

MICE, CELLS = "Mice are small. They eat.", "Some cells divide fast."
VECTORS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


def abstracts() -> Abstracts:
    """Three sentences of two texts, and one text without any."""
    return Abstracts([MICE, "", CELLS], [[(0, 15), (16, 25)], [], [(0, 23)]], VECTORS)


def test_every_text_comes_as_it_is_and_then_with_halves_of_another() -> None:
    halves: dict[str, tuple[int, int]] = {}
    made = splices._texts(abstracts(), halves)
    assert [next(made) for _ in range(4)] == [
        MICE,
        CELLS,
        "Mice divide fast. They divide fast.",
        "Some cells are small.",
    ]
    assert halves == {
        "Mice are small.": (0, 0),
        "They eat.": (1, 1),
        "Some cells divide fast.": (2, 2),
        "Mice divide fast.": (0, 2),
        "They divide fast.": (1, 2),
        "Some cells are small.": (2, 0),
    }


def test_documents_are_long_enough_and_the_same_every_time() -> None:
    found = list(documents(abstracts(), 3, {}))
    assert [document.doc_id for document in found] == ["doc-0", "doc-1", "doc-2"]
    lengths = [[len(part) for part in document.text.split("\n\n")] for document in found]
    assert all(sum(parts) >= 4_200 > sum(parts[:-1]) for parts in lengths)
    assert found[0].text.startswith(f"{MICE}\n\n{CELLS}\n\n")
    assert found == list(documents(abstracts(), 3, {}))


def test_a_known_sentence_lies_between_its_halves_and_others_are_encoded() -> None:
    model = FakeEmbedder()
    vectors = np.eye(model.dim, dtype=np.float32)
    known = KnownSplices(model, vectors, {"whole": (1, 1), "half and half": (0, 2)})
    found = known.embed_passages(["half and half", "never seen", "whole"])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found[0, :3], [half, 0, half], rtol=1e-6)
    assert found[1].tolist() == model.embed_passages(["never seen"])[0].tolist()
    assert found[2].tolist() == vectors[1].tolist()
    assert known.embed_passages([]).shape == (0, model.dim)
    assert (known.fingerprint, known.dim, known.max_tokens) == (
        model.fingerprint,
        model.dim,
        model.max_tokens,
    )
