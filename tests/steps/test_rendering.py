"""Rendering and its token shares."""

from hypothesis import given
from hypothesis import strategies as st

from contextsvc.records import Chunk
from contextsvc.steps.rendering import label, render_units, unit_tokens


def chunk(text: str, title: str = "", section: tuple[str, ...] = ()) -> Chunk:
    return Chunk("d", 0, len(text), text, 1, title, section=section)


def test_a_pack_is_numbered_sources() -> None:
    units = render_units([chunk("First.", "Guide", ("Guide", "Setup")), chunk("Second.")])
    assert units == ["[1] Guide > Setup\nFirst.\n\n", "[2]\nSecond."]


def test_a_label_leaves_out_what_the_text_says() -> None:
    assert label(chunk("# Setup\nGo.", "Guide", ("Setup",))) == "Guide"
    assert label(chunk("Guide\nGo.", "Guide")) == "Guide"


def test_token_shares_by_hand() -> None:
    # three words a piece, but "b" and "c" join into one word across the border
    assert unit_tokens(["a b", "c d"], lambda texts: [len(t.split()) for t in texts]) == [2, 1]


@given(st.lists(st.text(min_size=1, max_size=20), max_size=6))
def test_shares_add_up_to_the_whole(texts: list[str]) -> None:
    units = render_units([chunk(text) for text in texts])
    assert sum(unit_tokens(units, lambda ts: [len(t) for t in ts])) == len("".join(units))
