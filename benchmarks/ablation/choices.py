"""What the choices of decision 0005 rest on: `python -m benchmarks.ablation.choices`.

The articles that the choices were made on, the first 12: figures of ways that were chosen here say which
way is ahead, not how good it is. Each pack is read once under all masks; every way of attribution then
uses those outcomes that it would have asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import Lasso, Ridge

from benchmarks.ablation.figures import Ranked, gold_first, over_questions, roc_area
from benchmarks.ablation.modes import progress
from benchmarks.ablation.packs import SIZES, Labelled, indexed, labelled_packs, measurer_of, sized
from benchmarks.rows import Row, dataset, fingerprint, mean_row
from benchmarks.squad import FILE, load_articles, sample
from benchmarks.switches import asked_for
from contextsvc.adapters.readers.lasso import lasso_contributions
from contextsvc.measuring.masks import (
    NECESSITY,
    Fit,
    necessity_and_sufficiency,
    permutation_masks,
    shapley_contributions,
)
from contextsvc.measuring.measurer import read_units
from contextsvc.measuring.placebos import draw_placebos
from contextsvc.measuring.trials import Trial, plan_trial
from contextsvc.ports import Prompt, Reader
from contextsvc.records.arrays import BoolArray, Float64Array
from contextsvc.records.rendering import read_unit
from contextsvc.storage.library import LoadedIndex

COMMAND = "python -m benchmarks.ablation.choices"
SEED, NUM_QUESTIONS = 37, 40
NUM_PLACEBOS, NUM_SUBSETS, NUM_PERMUTATIONS = 2, 24, 4
FEW_SUBSETS = 8
RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a reader said of one pack.

    Attributes:
        design: Telling masks, then random subsets: (num_masks, num_chunks + NUM_PLACEBOS).
        values: (num_masks,).
        orders: Masks of permutations: (num_orders, num_chunks).
        joined: (num_orders,).
    """

    design: BoolArray
    values: Float64Array
    orders: BoolArray
    joined: Float64Array


def asked(units: Sequence[str], placebos: Sequence[str], seed: int) -> tuple[Trial, BoolArray, BoolArray]:
    """A trial with every chunk a group of its own, all masks over its units, and those of permutations."""
    trial = plan_trial(units, range(len(units)), placebos, NUM_SUBSETS, [seed])
    orders = permutation_masks(len(units), NUM_PERMUTATIONS, [seed])
    without = np.zeros((len(orders), len(trial.units)), dtype=np.bool_)
    without[:, ~np.array(trial.asides)] = orders
    return trial, np.concatenate([trial.masks, without]), orders


def outcomes(reader: Reader, index: LoadedIndex, found: Labelled, seed: int) -> dict[str, Outcomes]:
    """Everything that any way asks for, read at once; by what is watched."""
    numbers = draw_placebos(index, found.pack, NUM_PLACEBOS, seed)
    placebos = [read_unit(index.corpus.chunk(number)) for number in numbers]
    trial, masks, orders = asked(read_units(found.pack), placebos, seed)
    prompt = Prompt(trial.units, found.question.text, asides=trial.asides)
    scores = reader.score(prompt, masks, found.question.answer)
    watched = {"question and target": scores.exchange, "target alone": scores.values}
    end = len(trial.design)
    return {name: Outcomes(trial.design, v[:end], orders, v[end:]) for name, v in watched.items()}


def removed(found: Outcomes) -> Float64Array:
    """What the whole pack loses with each chunk."""
    num_chunks = found.orders.shape[1]
    lost = found.values[0] - found.values[2 : 2 + num_chunks]
    return np.asarray(lost, dtype=np.float64)


def alone(found: Outcomes) -> Float64Array:
    """What each chunk adds to nothing."""
    num_chunks = found.orders.shape[1]
    added = found.values[2 + num_chunks : 2 + 2 * num_chunks] - found.values[1]
    return np.asarray(added, dtype=np.float64)


def shapley(found: Outcomes) -> Float64Array:
    """What each chunk adds when it joins, in random orders."""
    return shapley_contributions(found.orders, found.joined)


def fitted(fit: Fit, num_subsets: int) -> Callable[[Outcomes], Float64Array]:
    """Weights of a model of the telling masks and so many subsets."""

    def contributions(found: Outcomes) -> Float64Array:
        end = len(found.design) - NUM_SUBSETS + num_subsets
        return fit(found.design[:end], found.values[:end])[: found.orders.shape[1]]

    return contributions


def mixed(share: float) -> Callable[[Outcomes], Float64Array]:
    """Necessity and sufficiency with another share of necessity."""
    both = fitted(necessity_and_sufficiency, 0)

    def contributions(found: Outcomes) -> Float64Array:
        sufficiency = (both(found) - NECESSITY * removed(found)) / (1 - NECESSITY)
        return share * removed(found) + (1 - share) * sufficiency

    return contributions


def linear(model: Lasso | Ridge) -> Fit:
    """A linear model's weights; `lasso_contributions` has one penalty alone."""

    def weights(masks: BoolArray, values: Float64Array) -> Float64Array:
        return np.asarray(model.fit(masks.astype(np.float64), values).coef_, dtype=np.float64)

    return weights


WAYS: dict[str, Callable[[Outcomes], Float64Array]] = {
    "one removed": removed,
    "one kept alone": alone,
    "necessity and sufficiency": fitted(necessity_and_sufficiency, 0),
    "necessity and sufficiency, half each": mixed(0.5),
    "both, LASSO": fitted(lasso_contributions, 0),
    f"both and {FEW_SUBSETS} subsets, LASSO": fitted(lasso_contributions, FEW_SUBSETS),
    f"both and {NUM_SUBSETS} subsets, LASSO": fitted(lasso_contributions, NUM_SUBSETS),
    **{
        f"both and {FEW_SUBSETS} subsets, LASSO with penalty {alpha}": fitted(
            linear(Lasso(alpha=alpha, max_iter=10_000)), FEW_SUBSETS
        )
        for alpha in (0.003, 0.03)
    },
    f"both and {FEW_SUBSETS} subsets, ridge": fitted(linear(Ridge(alpha=RIDGE)), FEW_SUBSETS),
    f"sampled Shapley, {NUM_PERMUTATIONS} permutations": shapley,
}
"""Scores of a pack's chunks, by way of finding them."""


def rows(
    found: Sequence[Outcomes], packs: Sequence[Labelled], watched: str, mode: str, data: str
) -> list[Row]:
    """Area and gold first of each way."""
    chosen = {
        "mode": mode,
        "outcome": watched,
        "num_chunks": 6,
        "target": "gold answer",
        "articles": "0 to 12",
        "ridge": RIDGE,
    }
    made = []
    for name, way in WAYS.items():
        questions: list[Ranked] = [(way(o).tolist(), pack.gold) for o, pack in zip(found, packs, strict=True)]
        area, around = over_questions(roc_area, questions, SEED, rounds=500)
        made += [
            Row("ablation_choices", f"{watched}, {name}: area under ROC, gold chunk against others",
                area, around,
                len(questions), data, chosen, SEED, COMMAND, {}),
            mean_row("ablation_choices", f"{watched}, {name}: gold chunk has the largest effect",
                     gold_first(questions), data, chosen, SEED, COMMAND),
        ]  # fmt: skip
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """Read each pack once, then compare."""
    chosen = asked_for(COMMAND, __doc__, argv, None, questions=NUM_QUESTIONS, articles=12, **SIZES)
    data = fingerprint(dataset(*FILE))
    documents, questions = load_articles(0, chosen["articles"])
    with indexed("squad", documents, **sized(chosen)) as (engine, index):
        drawn = sample(questions, 3 * NUM_QUESTIONS, SEED)
        packs = labelled_packs(engine, index, drawn, chosen["questions"])
        reader, found = measurer_of(engine).reader, []
        for number, pack in enumerate(packs, start=1):
            found.append(outcomes(reader, index, pack, SEED + number))
            progress(f"{number}/{len(packs)} packs read")
        mode = engine.settings.reader_mode
    chosen.keep([
        row
        for watched in found[0]
        for row in rows([outcome[watched] for outcome in found], packs, watched, mode, data)
    ])  # fmt: skip


if __name__ == "__main__":
    main()
