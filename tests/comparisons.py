"""Observations and comparisons made by hand."""

from collections.abc import Sequence

from contextsvc.measuring.comparison import Comparison, Configuration, Observation, compare
from contextsvc.measuring.records import Controls, Threshold, Utilization, Verdict, VerdictName
from contextsvc.ports.reading import Cost

THRESHOLD = Threshold(eps=0.1, low=0.05, high=0.2, num_placebos=200, origin="by hand")


def utilization(
    verdicts: Sequence[tuple[VerdictName, int]] = (("live", 30), ("dead", 70)),
    score: float | None = 0.3,
    threshold: Threshold = THRESHOLD,
    depends: bool | None = True,
    sufficient: bool | None = True,
) -> Utilization:
    """One of two placebos passed for live; 3 calls, 400 tokens, 0.5 s."""
    effects: dict[VerdictName, float | None] = {
        "live": 0.5, "redundant": 0.4, "dead": 0.0, "harmful": -0.3, "unmeasured": None,
    }  # fmt: skip
    return Utilization(
        pack_id="p1",
        score=score,
        strict_score=score,
        interval=(0.2, 0.4),
        verdicts=tuple(
            Verdict(
                chunk_id=f"doc{number}@0-9",
                effect=effects[name],
                necessity=effects[name],
                verdict=name,
                num_tokens=tokens,
            )
            for number, (name, tokens) in enumerate(verdicts)
        ),
        sentences=(),
        threshold=threshold,
        controls=Controls(
            full=-1.0,
            no_context=-2.0,
            unrelated=None,
            depends_on_context=depends,
            live_only=-1.0,
            sufficient=sufficient,
            placebo_effects=(0.0, 0.2),
            num_placebos_live=1,
        ),
        target="42",
        target_kind="answer",
        outcome="log-probability",
        reader="reader-1",
        method="masked subsets",
        cost=Cost(3, 400, 0.5),
    )


def observations(
    qualities: Sequence[float], num_tokens: int = 100, found: Utilization | None = None
) -> list[Observation]:
    """Queries q0, q1, ... of these qualities."""
    return [
        Observation(f"q{number}", quality, num_tokens, found or utilization())
        for number, quality in enumerate(qualities)
    ]


def configuration(name: str) -> Configuration:
    """4 chunks, 400 tokens, whatever the name."""
    return Configuration(name, 4, 400, "relevance")


def comparison(names: Sequence[str] = ("wide", "half"), num_queries: int = 60) -> Comparison:
    """Each sends half the tokens of the one before and loses nothing: the last is recommended."""
    return compare(
        "pages", "g1",
        {
            configuration(name): observations([-1.0 - number / 100] * num_queries, 1024 >> number)
            for number, name in enumerate(names)
        },
        margin=0.1 * len(names),
    )  # fmt: skip
