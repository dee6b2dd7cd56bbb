"""Bounds and verdicts of non-inferiority, against tables and worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextsvc.errors import SettingError, ShapeError
from contextsvc.measuring.non_inferiority import loss_bound, non_inferiority, num_needed


@pytest.mark.parametrize(("num_pairs", "share"), [(59, 0.05), (149, 0.02), (299, 0.01)])
def test_pairs_needed_without_losses(num_pairs: int, share: float) -> None:
    assert loss_bound(0, num_pairs) == pytest.approx(1 - 0.05 ** (1 / num_pairs), rel=1e-12)
    assert loss_bound(0, num_pairs) < share < loss_bound(0, num_pairs - 1)
    assert num_needed(0.0, share) == num_pairs


def test_bounds_of_published_tables() -> None:
    # One of two: 1 - p^2 = .05. One of ten: the tables say .394.
    assert loss_bound(1, 2) == pytest.approx(0.95**0.5, rel=1e-12)
    assert loss_bound(1, 10) == pytest.approx(0.394, abs=5e-4)
    assert loss_bound(50, 1000) == pytest.approx(0.0629, abs=5e-4)


def test_the_bound_is_1_without_pairs_and_if_all_lose() -> None:
    assert loss_bound(0, 0) == loss_bound(7, 7) == 1.0


@pytest.mark.parametrize(("num_losses", "num_pairs"), [(-1, 5), (6, 5)])
def test_more_losses_than_pairs_are_refused(num_losses: int, num_pairs: int) -> None:
    with pytest.raises(ShapeError, match=f"{num_losses} losses in {num_pairs} pairs"):
        loss_bound(num_losses, num_pairs)


def test_more_queries_are_needed_the_more_lose() -> None:
    # 93, 124, 153 and 181 queries clear 5 % with 1, 2, 3 and 4 losses. One in 100 is one loss in 93;
    # one in 50 is two in 93, three in 124, four in 153, and four in 181.
    assert num_needed(0.01, 0.05) == 93
    assert num_needed(0.02, 0.05) == 181
    for losses, queries in enumerate([59, 93, 124, 153, 181]):
        assert loss_bound(losses, queries) < 0.05 < loss_bound(losses, queries - 1)


def test_no_number_is_enough_when_the_rate_is_too_high() -> None:
    assert num_needed(0.05, 0.05) is None
    assert num_needed(1.0, 0.05) is None
    assert num_needed(0.499999, 0.5) is None  # more than a million


def test_a_loss_is_more_than_the_margin_below() -> None:
    # -1.1 + 1 and -0.1 differ in the last bit; the second loses by exactly the margin, the third more.
    found = non_inferiority([-1.0, -1.1, -1.2, 0.0], [-1.0, -1.0, -1.0, -1.0], margin=0.1, largest_share=0.5)
    assert (found.num_pairs, found.num_losses) == (4, 1)
    # P(at most 1 of 4) = .05 at .7514
    assert found.loss_bound == pytest.approx(0.7514, abs=5e-5)


def test_the_three_verdicts() -> None:
    def verdict(num_losses: int, num_pairs: int) -> tuple[str, int | None]:
        quality = [-1.0] * num_losses + [0.0] * (num_pairs - num_losses)
        found = non_inferiority(quality, [0.0] * num_pairs, margin=0.5)
        return found.verdict, found.num_needed

    assert verdict(0, 59) == ("not inferior", None)
    assert verdict(0, 58) == ("not enough evidence", 59)
    assert verdict(1, 59) == ("not enough evidence", 153)  # 3 in 153, at one in 59
    assert verdict(0, 1) == ("not enough evidence", 59)
    assert verdict(0, 0) == ("not enough evidence", 59)
    # The lower bound of two losses in two is sqrt(.05) = .22; of two in twenty .018
    assert verdict(2, 2) == ("inferior", None)
    assert verdict(2, 20) == ("not enough evidence", None)


def test_settings_out_of_range_are_refused() -> None:
    for margin in (-0.1, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="the margin is"):
            non_inferiority([0.0], [0.0], margin)
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(SettingError, match="largest_share is"):
            non_inferiority([0.0], [0.0], 0.1, share)
        with pytest.raises(SettingError, match="largest_share is"):
            num_needed(0.0, share)
    with pytest.raises(ShapeError, match="1 queries cannot be paired with 2"):
        non_inferiority([0.0], [0.0, 0.0], 0.1)
    with pytest.raises(ShapeError, match="the share of losses is 2"):
        num_needed(2.0, 0.1)


@given(st.integers(1, 120), st.data())
def test_a_bound_lies_above_the_share_and_grows_with_losses(num_pairs: int, data: st.DataObject) -> None:
    losses = data.draw(st.integers(0, num_pairs - 1))
    assert losses / num_pairs < loss_bound(losses, num_pairs) < loss_bound(losses + 1, num_pairs) <= 1


@given(st.integers(1, 80), st.data(), st.sampled_from([0.05, 0.1, 0.2, 0.3]))
def test_the_number_needed_exceeds_the_number_found_and_is_enough(
    num_pairs: int, data: st.DataObject, largest_share: float
) -> None:
    losses = data.draw(st.integers(0, num_pairs))
    quality = [-1.0] * losses + [0.0] * (num_pairs - losses)
    found = non_inferiority(quality, [0.0] * num_pairs, 0.5, largest_share)
    assert found.num_losses == losses
    if found.num_needed is not None:
        assert found.num_needed > num_pairs
        whole = -(-losses * found.num_needed // num_pairs)
        if found.num_needed < 3000:
            assert loss_bound(whole, found.num_needed) < largest_share
