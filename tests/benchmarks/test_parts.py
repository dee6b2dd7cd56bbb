"""Halves of questions."""

from benchmarks.packs.collections import PackQuestion
from benchmarks.parts import of_part


def test_a_part_keeps_the_order() -> None:
    # printf sorting | sha256sum begins with df, printf b with 3e, printf c with 2e: odd, even, even
    asked = [PackQuestion(text, (), ()) for text in ("b", "sorting", "c")]
    assert [question.text for question in of_part(asked, "tune")] == ["b", "c"]
    assert [question.text for question in of_part(asked, "report")] == ["sorting"]
    assert of_part(asked, "all") == tuple(asked)
