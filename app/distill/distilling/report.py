"""What a run found, as one JSON object, from which alone the page is made."""

import json
from pathlib import Path
from typing import Any

from app.distill.collect.rule import SIMULATED
from app.distill.distilling.outcome import Outcome
from app.distill.distilling.page import page
from app.distill.distilling.plan import shown
from app.distill.distilling.stages import Result
from app.distill.whole import write_whole

REPORT, PAGE = "report.json", "report.html"


def write(outcome: Outcome) -> Path:
    """Both files into the run's folder; returns the page's. Raises DatasetError, RealityError."""
    report = build(outcome)
    folder = outcome.plan.folder
    write_whole(folder / REPORT, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    file = folder / PAGE
    write_whole(file, page(report, outcome.plan.photos))
    return file


def build(outcome: Outcome) -> Result:
    """JSON-ready. Scores are those of the test rows, if nothing else is said."""
    plan, stages = outcome.plan, outcome.stages
    compared, split = stages["compare"], stages["split"]
    rounds = range(plan.rounds + 1)
    return {
        "model": plan.model,
        "against": plan.against,
        "compared": compared["when"],
        "simulated": _simulated(outcome),
        "go": outcome.go,
        "released": outcome.released,
        "standing": outcome.standing,
        "source": shown(plan.source),
        "subset": plan.subset,
        "seed": plan.seed,
        "rows": {
            "dataset": split["rows"],
            "also": split["also"],
            "test": len(outcome.rows),
            "test_drawn": split["drawn"],
            "test_seen": outcome.seen,
            "validation": plan.validation,
            "sample": compared["in_training"]["rows"],
        },
        "collect": stages.get("collect"),
        "chosen": outcome.chosen,
        "rounds": [_round(outcome, number) for number in rounds],
        "current": _student(stages["current"], compared["intervals"]["current"]),
        "differences": compared["differences"],
        "criteria": compared["criteria"],
        "latency": compared["latency"],
        "least": stages["evaluate-0"]["least"],
        "in_training": compared["in_training"],
        "against_current": compared["against_current"],
        "seconds": outcome.seconds,
    }


def _simulated(outcome: Outcome) -> bool:
    collected = outcome.stages.get("collect")
    return bool(
        collected["funnel"][SIMULATED.rstrip("-")] if collected else outcome.stages["split"][SIMULATED.rstrip("-")]
    )


def _round(outcome: Outcome, number: int) -> Result:
    stages = outcome.stages
    trained, judged = stages[f"train-{number}"], stages[f"evaluate-{number}"]
    training: dict[str, Any] = trained["training"]
    intervals = outcome.stages["compare"]["intervals"]["rounds"][number]
    augmented = stages.get(f"augment-{number}")
    return {
        "augment": augmented,
        "skipped": augmented is not None and not augmented["added"],
        "bytes": trained["bytes"],
        "licence": trained["licence"],
        "base_model": trained["base_model"],
        "training": {name: training[name] for name in ("examples", "best_epoch", "epochs", "plan", "command")},
        "validation": judged["validation"]["scores"]["All"]["overall"],
        **_student(judged, intervals),
    }


def _student(judged: Result, intervals: Result) -> Result:
    test = judged["test"]
    return {
        "scores": test["scores"],
        "intervals": intervals,
        "validity": test["validity"],
        "unread": test["unread"],
        "tokens": test["tokens"],
        "behaviours": judged["behaviours"],
    }
