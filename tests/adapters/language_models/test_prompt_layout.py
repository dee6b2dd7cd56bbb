import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.adapters.language_models.prompt_layout import (
    INSTRUCTION,
    PromptTokens,
    chat_layout,
    check_masks,
    completion_layout,
)
from contextsvc.errors import SettingError, ShapeError


def test_a_chat_template_stands_around_units_and_question() -> None:
    layout = chat_layout(lambda message: f"<user>{message}</user><assistant>")
    assert layout.head == f"<user>{INSTRUCTION}\n\n"
    assert layout.question("Which port?") == "Question: Which port?"
    assert layout.tail == "</user><assistant>"
    assert layout.target("2379") == "2379"


def test_a_template_that_loses_the_message_is_refused() -> None:
    with pytest.raises(SettingError, match="changes the user's message"):
        chat_layout(lambda _message: "<assistant>")


def test_a_completion_goes_on_after_answer() -> None:
    layout = completion_layout()
    text = layout.head + "Port 2379.\n\n" + layout.question("Which port?") + layout.tail
    assert text == f"{INSTRUCTION}\n\nPort 2379.\n\nQuestion: Which port?\nAnswer:"
    assert layout.target("2379") == " 2379"


@given(st.lists(st.tuples(st.lists(st.integers(10, 99), max_size=4), st.booleans()), max_size=6))
def test_a_mask_removes_exactly_its_units(units: list[tuple[list[int], bool]]) -> None:
    tokens = PromptTokens((1,), tuple(tuple(unit) for unit, _ in units), (2,), (3,), (4,))
    expected = [token for unit, keep in units if keep for token in unit]
    assert tokens.kept([keep for _, keep in units]) == [1, *expected, 2, 3]


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 2, 1)])
def test_masks_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected \(num_masks, 2\)"):
        check_masks(np.ones(shape, dtype=np.bool_), 2)
