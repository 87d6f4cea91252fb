"""From a source to rows: collected from a log, split, thinned to a subset; and the rows that every round adds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.distill import split as splits
from app.distill.augment.augmenting import Round, augment
from app.distill.collect.rule import SIMULATED, Rule, losses
from app.distill.corpus import Corpus
from app.distill.dataset import DatasetError, read_dataset, read_jsonl, write_jsonl
from app.distill.distilling.plan import Plan, Show, shown
from app.distill.distilling.stages import Result
from app.grade import fold
from app.students.store import sha256

DATASET = "dataset.jsonl"
ADDITIONS = "additions.jsonl"


def collected(plan: Plan, folder: Path, show: Show) -> Result:
    """The dataset that a log holds, and the funnel. Raises LogError."""
    from app.distill.collect.collecting import collect, write_dataset
    from app.distill.collect.log import open_log

    rule = _rule(plan)
    with open_log(plan.source) as log:
        found = collect(log, rule, lambda step: show.say(f"  {step}"))
    funnel = found.funnel
    lost = ", ".join(f"{getattr(funnel, name):,} {why}" for name, why in losses(rule).items())
    nobodys = f"; of {funnel.rows:,} rows {funnel.unexported:,} that nobody exported" if rule.unexported else ""
    show.say(
        f"  {funnel.calls:,} calls ({funnel.simulated:,} simulated) of {funnel.intents:,} intents: "
        f"{funnel.kept:,} kept, {lost}{nobodys}"
    )
    write_dataset(found, folder / DATASET)
    return found.plain()


def split(plan: Plan, source: Path, folder: Path) -> Result:
    """The rows that the run is about, some of them for test, and what else is trained on. Raises DatasetError."""
    read_dataset(source)
    rows = [row for row, _ in read_jsonl(source)]
    drawn = not any(row.get("split") == splits.TEST for row in rows)
    if drawn:
        rows = splits.split(rows, plan.test, plan.seed)
    kept = [row for row in rows if row.get("split") == splits.TEST or plan.subset in ("", row.get("subset", ""))]
    if not any(row.get("split", splits.TRAIN) == splits.TRAIN for row in kept):
        raise DatasetError(f"{source} has no rows to train on" + (f" of subset '{plan.subset}'" if plan.subset else ""))
    also = [row for file in plan.also for row in _trainable(file)]
    write_jsonl(folder / ADDITIONS, also)
    write_jsonl(folder / DATASET, kept)
    return {
        "rows": len(kept),
        "also": len(also),
        "drawn": drawn,
        "simulated": _simulated(source),
        "files": {name: sha256(folder / name) for name in (DATASET, ADDITIONS)},
    }


def _trainable(file: Path) -> Iterable[dict[str, Any]]:
    """Of another dataset: what it holds for test may be what another student is tested on."""
    read_dataset(file)
    return (row for row, _ in read_jsonl(file) if row.get("split", splits.TRAIN) == splits.TRAIN)


def _simulated(source: Path) -> bool:
    """Whether what `recolor collect` wrote beside a dataset says that its calls were simulated."""
    try:
        counts = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
        return bool(counts["funnel"][SIMULATED.rstrip("-")])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def added(
    dataset: Path, before: Path, corpus: Corpus, mistaken: Sequence[str], similar: Mapping[str, str], folder: Path
) -> Result:
    """One round's similar requests joined to the additions of the round before; what is judged stays apart."""
    earlier = [row for row, _ in read_jsonl(before)]
    judged = [
        row | {"split": splits.TEST if fold(row["intent"]) in corpus.judged else splits.TRAIN}
        for row, _ in read_jsonl(dataset)
    ]
    made: Round = augment([*judged, *earlier], mistaken, similar)
    write_jsonl(folder / ADDITIONS, [*earlier, *made.added])
    return {
        "mistakes": made.mistakes,
        "added": len(made.added),
        "refused": dict(sorted(made.refused.items())),
        "additions": len(earlier) + len(made.added),
        "files": {ADDITIONS: sha256(folder / ADDITIONS)},
    }


def rule_of(plan: Plan) -> Result:
    return {"log": shown(plan.source), "rule": json.loads(json.dumps(asdict(_rule(plan))))}


def _rule(plan: Plan) -> Rule:
    return Rule(by=plan.by, unexported=plan.unexported)
