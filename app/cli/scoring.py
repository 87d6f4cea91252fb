"""`recolor evaluate`: how good a student is, and whether it answers the same when it is computed otherwise."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.comparing import check_chart, evaluate_teacher, rows_of, tell
from app.cli.console import DATASETS, Dataset, Model, errors, out, progress, settings_of, write
from app.students import load_engine


def evaluate(
    model: Model = "",
    data: Dataset = DATASETS / "teacher.jsonl",
    split: Annotated[str, typer.Option(help="The rows to score on.")] = "test",
    decoding: Annotated[str | None, typer.Option(help="constrained or free.", show_default="the manifest's")] = None,
    behaviours: Annotated[bool, typer.Option("--behaviours", help="Check behaviours.jsonl instead.")] = False,
    file: Annotated[Path | None, typer.Option(help="Another behaviours file.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
    teacher: Annotated[bool, typer.Option("--teacher", help="Score RECOLOR_TEACHER_… instead of a student.")] = False,
    chart: Annotated[Path | None, typer.Option(help="Also draw scores and intervals, a .png file.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="Also list so many of the worst intents.")] = 0,
) -> None:
    """Score a student against the teacher, or check how it behaves; exit 1 if under 90% of behaviours hold."""
    from app.distill import evaluate as evaluation
    from app.distill.behaviours import check, failure_table, read_behaviours
    from app.distill.behaviours import table as behaviour_table

    if as_json is not None and (as_json.is_dir() or not as_json.resolve().parent.is_dir()):
        raise typer.BadParameter(f"{as_json} is a folder, or lies in none", param_hint="--json")
    check_chart(chart)
    changes = {"model": model, "decoding": decoding}
    with errors():
        if teacher:
            tell(*evaluate_teacher(data, split), as_json, chart, worst)
            return
        engine = load_engine(settings_of(**{name: value for name, value in changes.items() if value}))
        if behaviours or file:
            report = check(
                read_behaviours(file or DATASETS / "behaviours.jsonl"),
                lambda intents: evaluation.grade_intents(engine, intents),
            )
            if report.failures:
                out.print(failure_table(report))
            out.print(behaviour_table(report))
            write(as_json, {"passed": report.passed, "total": report.total, "kinds": report.kinds})
            raise typer.Exit(0 if report.rate >= 0.9 else 1)
        rows = rows_of(data, split)
        with progress() as shown:
            task = shown.add_task("scoring", total=len(rows))
            found = evaluation.evaluate(engine, rows, lambda done: shown.update(task, completed=done))
        tell(rows, found, as_json, chart, worst)
