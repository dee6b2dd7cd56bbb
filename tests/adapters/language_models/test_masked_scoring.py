"""Many masks in one reading, against plain passes of the same model with every mask spelt out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from contextsvc.adapters.language_models.causal_models import load
from contextsvc.adapters.language_models.masked_scoring import (
    COPY_TOKENS,
    Layers,
    StateCache,
    States,
    num_copies_a_pass,
    read_in_blocks,
    read_in_order,
    score_copies,
)
from contextsvc.adapters.language_models.prompt_layout import PromptTokens
from contextsvc.records.arrays import BoolArray, Float64Array
from tests.adapters.tiny_models import save_reader

TOKENS = PromptTokens(
    (1, 5, 6), ((10, 11, 12), (20, 21, 22, 23), (30, 31, 32)), (40, 41, 42), (0, 1), (50, 51, 52)
)
"""The second unit is the longest, the first and the third are equally long."""

NUM_QUESTION = 2
"""Tokens of the question that are asked for: those after its first."""

EIGHT = np.array([[number >> unit & 1 for unit in range(3)] for number in range(8)], dtype=np.bool_)
ALL = np.ones((1, 3), dtype=np.bool_)
WITHOUT_LAST = np.array([[True, True, False]])
WITHOUT_FIRST = np.array([[False, True, True]])
CLOSE = 1e-5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(save_reader(tmp_path_factory.mktemp("tiny")), "float32", "cpu")[1]


def in_blocks(
    model: Any, tokens: PromptTokens, blocks: Sequence[int] | None = None, cache: StateCache | None = None
) -> States:
    chosen = range(len(tokens.units)) if blocks is None else blocks
    return read_in_blocks(model, tokens, chosen, cache or StateCache(10**9))


def scored(model: Any, states: States, tokens: PromptTokens, masks: BoolArray) -> Float64Array:
    found: Float64Array = score_copies(model, states, tokens, masks).numpy()
    return found


def plain_pass(
    model: Any, read: Sequence[int], asked: Sequence[int], positions: Sequence[int], seen: BoolArray | None
) -> Float64Array:
    """Log-probabilities of `asked` after `read`, with no cache and no copies; None: causal."""
    ids = torch.tensor([[*read, *asked]])
    visible = None if seen is None else torch.from_numpy(seen)[None, None]
    with torch.inference_mode():
        logits = model(ids, position_ids=torch.tensor([positions]), attention_mask=visible).logits[0]
    rows = torch.log_softmax(logits[len(read) - 1 : -1], dim=-1)
    found: Float64Array = rows.gather(1, torch.tensor(asked)[:, None])[:, 0].double().numpy()
    return found


def spelt_out(
    model: Any, tokens: PromptTokens, mask: Sequence[bool], blocks: Sequence[int] | None
) -> Float64Array:
    """One mask in a plain pass over every token; `blocks` None: units read those before them."""
    units = [(unit, token) for unit, piece in enumerate(tokens.units) for token in piece]
    own = [*tokens.question, *tokens.tail, *tokens.target]
    num_head, total = len(tokens.head), len(tokens.head) + len(units) + len(own)
    owner = np.array([-1] * num_head + [unit for unit, _ in units] + [-2] * len(own))
    seen = np.tril(np.ones((total, total), dtype=np.bool_))
    for unit, keep in enumerate(mask):
        if not keep:
            seen[np.ix_(owner == -2, owner == unit)] = False
    positions = list(range(total))
    if blocks is not None:
        block = np.array([blocks[unit] for unit, _ in units], dtype=np.int64)
        inside = slice(num_head, num_head + len(units))
        seen[inside, inside] &= block[:, None] == block[None, :]
        places = [num_head + int((block[:place] == block[place]).sum()) for place in range(len(units))]
        start = max(places, default=num_head - 1) + 1
        positions = [*range(num_head), *places, *range(start, start + len(own))]
    read = [*tokens.head, *(token for _, token in units), tokens.question[0]]
    found = plain_pass(model, read, own[1:], positions, seen)
    # The tail is fixed text: how likely it is is not asked.
    first = len(tokens.question) - 1
    return np.concatenate([found[:first], found[first + len(tokens.tail) :]])


def test_in_order_each_mask_is_a_plain_pass_with_the_mask_spelt_out(model: Any) -> None:
    expected = [spelt_out(model, TOKENS, mask, None) for mask in EIGHT.tolist()]
    found = scored(model, read_in_order(model, TOKENS), TOKENS, EIGHT)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("blocks", [(0, 1, 2), (0, 0, 1), (3, 7, 7), (0, 0, 0)])
def test_in_blocks_each_mask_is_a_plain_pass_with_the_mask_spelt_out(
    model: Any, blocks: tuple[int, ...]
) -> None:
    expected = [spelt_out(model, TOKENS, mask, blocks) for mask in EIGHT.tolist()]
    found = scored(model, in_blocks(model, TOKENS, blocks), TOKENS, EIGHT)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


pieces = st.lists(st.integers(2, 200), max_size=4).map(tuple)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(pieces, st.booleans(), st.booleans()), max_size=4))
def test_any_units_in_any_blocks(model: Any, units: list[tuple[tuple[int, ...], bool, bool]]) -> None:
    tokens = replace(TOKENS, units=tuple(unit for unit, _, _ in units))
    mask = np.array([[keep for _, keep, _ in units]], dtype=np.bool_)
    blocks = np.cumsum([begins for _, _, begins in units], dtype=np.int64).tolist()
    for states, named in (
        (read_in_order(model, tokens), None),
        (in_blocks(model, tokens, blocks), blocks),
    ):
        expected = spelt_out(model, tokens, mask[0].tolist(), named)
        np.testing.assert_allclose(scored(model, states, tokens, mask)[0], expected, rtol=0, atol=CLOSE)


def test_in_order_with_everything_kept_is_an_ordinary_pass(model: Any) -> None:
    read = TOKENS.kept([True] * 3)
    expected = plain_pass(model, read, TOKENS.target, range(len(read) + len(TOKENS.target)), None)
    found = scored(model, read_in_order(model, TOKENS), TOKENS, ALL)[0, NUM_QUESTION:]
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


def test_one_block_is_an_ordinary_pass(model: Any) -> None:
    in_order = scored(model, read_in_order(model, TOKENS), TOKENS, EIGHT)
    one_block = scored(model, in_blocks(model, TOKENS, (0, 0, 0)), TOKENS, EIGHT)
    np.testing.assert_allclose(one_block, in_order, rtol=0, atol=CLOSE)


def test_in_order_without_the_last_units_is_an_ordinary_pass_with_a_gap(model: Any) -> None:
    # Nothing that is kept has read them; their positions stay empty.
    for num_kept in (0, 1, 2):
        mask = np.arange(3)[None] < num_kept
        read = TOKENS.kept(mask[0].tolist())
        before = len(read) - len(TOKENS.question) - len(TOKENS.tail)
        own = len(TOKENS.question) + len(TOKENS.tail) + len(TOKENS.target)
        positions = [*range(before), *range(13, 13 + own)]
        expected = plain_pass(model, read, TOKENS.target, positions, None)
        found = scored(model, read_in_order(model, TOKENS), TOKENS, mask)[0, NUM_QUESTION:]
        np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


def test_in_order_what_an_earlier_removed_unit_said_shows(model: Any) -> None:
    first, last = (
        replace(TOKENS, units=((60, 61, 62), *TOKENS.units[1:])),
        replace(TOKENS, units=(*TOKENS.units[:2], (60, 61, 62))),
    )
    for other, mask, shows in ((first, WITHOUT_FIRST, True), (last, WITHOUT_LAST, False)):
        found, moved = (scored(model, read_in_order(model, t), t, mask) for t in (TOKENS, other))
        assert (np.abs(found - moved).max() > 100 * CLOSE) == shows
        if not shows:
            assert found.tolist() == moved.tolist()


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_in_blocks_what_a_removed_block_said_leaves_no_trace(model: Any, unit: int) -> None:
    changed = list(TOKENS.units)
    changed[unit] = tuple(token + 100 for token in changed[unit])
    other = replace(TOKENS, units=tuple(changed))
    mask = np.arange(3)[None] != unit
    found, moved = (scored(model, in_blocks(model, t), t, mask) for t in (TOKENS, other))
    assert found.tolist() == moved.tolist()


def test_in_blocks_a_removed_block_is_as_if_never_there_unless_it_is_the_longest(model: Any) -> None:
    # Copies start where the longest block ends, so the longest shows by its length, kept or not.
    for unit, alike in ((0, True), (1, False), (2, True)):
        fewer = replace(TOKENS, units=TOKENS.units[:unit] + TOKENS.units[unit + 1 :])
        (removed,) = scored(model, in_blocks(model, TOKENS), TOKENS, np.arange(3)[None] != unit)
        (absent,) = scored(model, in_blocks(model, fewer), fewer, ALL[:, :2])
        assert (np.abs(removed - absent).max() <= CLOSE) == alike
        assert (in_blocks(model, fewer).position == in_blocks(model, TOKENS).position) == alike


def test_in_blocks_the_order_of_blocks_does_not_matter(model: Any) -> None:
    other = replace(TOKENS, units=TOKENS.units[::-1])
    forward, backward = (in_blocks(model, TOKENS), in_blocks(model, other))
    np.testing.assert_allclose(
        scored(model, backward, other, EIGHT[:, ::-1].copy()),
        scored(model, forward, TOKENS, EIGHT),
        rtol=0,
        atol=CLOSE,
    )


def test_kept_states_give_the_same_bits(model: Any) -> None:
    cache = StateCache(10**9)
    cold = in_blocks(model, TOKENS, cache=cache)
    warm = in_blocks(model, TOKENS, cache=cache)
    assert cold.reads == (3, 3, 4, 3)
    assert warm.reads == ()
    expected = scored(model, cold, TOKENS, EIGHT)
    assert scored(model, warm, TOKENS, EIGHT).tolist() == expected.tolist()
    # From other packs, in another order, and with a cache that keeps nothing.
    mixed = StateCache(10**9)
    in_blocks(model, replace(TOKENS, units=(TOKENS.units[2], (70, 71), TOKENS.units[1])), cache=mixed)
    again = in_blocks(model, TOKENS, cache=mixed)
    assert again.reads == (3,)
    assert scored(model, again, TOKENS, EIGHT).tolist() == expected.tolist()
    none = StateCache(0)
    for _ in range(2):
        states = in_blocks(model, TOKENS, cache=none)
        assert states.reads == cold.reads
        assert scored(model, states, TOKENS, EIGHT).tolist() == expected.tolist()


def test_equal_blocks_are_read_once(model: Any) -> None:
    twins = replace(TOKENS, units=((10, 11), (10, 11)))
    assert in_blocks(model, twins).reads == (3, 2)


def test_states_are_kept_by_position_too(model: Any) -> None:
    cache = StateCache(10**9)
    in_blocks(model, TOKENS, cache=cache)
    later = replace(TOKENS, head=(1, 5, 6, 7))
    found = in_blocks(model, later, cache=cache)
    assert found.reads == (4, 3, 4, 3)
    expected = scored(model, in_blocks(model, later), later, EIGHT)
    assert scored(model, found, later, EIGHT).tolist() == expected.tolist()


def test_reading_changes_no_kept_state(model: Any) -> None:
    cache = StateCache(10**9)
    states = in_blocks(model, TOKENS, cache=cache)
    before = [(keys.clone(), values.clone()) for keys, values in states.layers]
    scored(model, states, TOKENS, EIGHT)
    for (keys, values), (old_keys, old_values) in zip(states.layers, before, strict=True):
        assert torch.equal(keys, old_keys)
        assert torch.equal(values, old_values)


def test_masks_beside_it_move_a_number_by_rounding_alone(model: Any) -> None:
    states = read_in_order(model, TOKENS)
    together = scored(model, states, TOKENS, EIGHT)
    alone = [scored(model, states, TOKENS, EIGHT[row : row + 1])[0] for row in range(8)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=CLOSE)


def test_eager_attention_sees_the_same(model: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    expected = scored(model, read_in_order(model, TOKENS), TOKENS, EIGHT)
    eager = load(save_reader(tmp_path_factory.mktemp("eager")), "float32", "cpu")[1]
    eager.set_attn_implementation("eager")
    found = scored(eager, read_in_order(eager, TOKENS), TOKENS, EIGHT)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


def test_a_pass_takes_as_many_copies_as_fit() -> None:
    assert TOKENS.suffix == (40, 41, 42, 0, 1, 50, 51)
    assert TOKENS.predicted == ((0, 41), (1, 42), (4, 50), (5, 51), (6, 52))
    assert num_copies_a_pass(TOKENS) == COPY_TOKENS // 7
    assert num_copies_a_pass(replace(TOKENS, question=(2,) * COPY_TOKENS)) == 1


def layers(num_tokens: int) -> Layers:
    """One layer, 8 bytes a token."""
    return [(torch.zeros(1, num_tokens, 1), torch.zeros(1, num_tokens, 1))]


def test_a_full_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = StateCache(max_bytes=80)
    for name in (1, 2):
        cache.put((name,), layers(4))
    assert cache.get((1,)) is not None
    cache.put((3,), layers(4))
    assert [cache.get((name,)) is not None for name in (1, 2, 3)] == [True, False, True]


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = StateCache(max_bytes=80)
    cache.put((1,), layers(10))
    cache.put((2,), layers(11))
    assert cache.get((1,)) is not None
    assert cache.get((2,)) is None


def test_layers_put_twice_count_once() -> None:
    cache = StateCache(max_bytes=80)
    for _ in range(3):
        cache.put((1,), layers(5))
    cache.put((2,), layers(5))
    assert cache.get((1,)) is not None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), max_size=30))
def test_a_cache_never_holds_more_than_it_may(puts: list[tuple[int, int]]) -> None:
    cache = StateCache(max_bytes=80)
    for name, num_tokens in puts:
        cache.put((name,), layers(num_tokens))
        kept = [found for key in range(10) if (found := cache.get((key,))) is not None]
        assert sum(keys.shape[1] * 8 for ((keys, _),) in kept) <= 80
