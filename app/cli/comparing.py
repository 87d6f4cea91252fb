"""`recolor split`, `recolor compare`, and what `recolor evaluate` tells beyond its scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from app.cli.console import DATASETS, Dataset, errors, out, progress, settings_of, write

if TYPE_CHECKING:
    from app.distill.comparison.answering import Answers
    from app.distill.comparison.report import Row
    from app.distill.dataset import Example
    from app.distill.evaluate import Evaluation


def split(
    data: Annotated[Path, typer.Argument(help="A dataset, e.g. of `recolor collect`; its rows get a `split`.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it.", show_default="the same file")
    ] = None,
    test: Annotated[int, typer.Option(min=1, help="Intents for test; the rest is for training.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same intents.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Draw anew although the dataset has been split.")] = False,
) -> None:
    """Mark intents, drawn at random, for test; the others are for training.

    The test split is looked at only to report: never train on it, and never choose by it. A dataset that has been
    split keeps its split, unless --again is given: students trained on the old one may know the new test intents.
    """
    from app.distill import split as splits
    from app.distill.dataset import DatasetError, read_dataset, read_jsonl, write_jsonl

    with errors():
        read_dataset(data)  # what no training could read is not split either
        rows = [row for row, _ in read_jsonl(data)]
        if not again and any(row.get("split") == splits.TEST for row in rows):
            raise DatasetError(f"{data} has been split; --again draws other test intents")
        made = splits.split(rows, test, seed)
        file = output or data
        write_jsonl(file, made)
    tested = sum(row["split"] == splits.TEST for row in made)
    out.print(f"wrote {file}: {len(made) - tested:,} rows for training, {tested:,} for test", highlight=False)


def compare(
    first: Annotated[str, typer.Argument(help="A student (name@version), `teacher`, or a .jsonl of recorded answers.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    data: Dataset = DATASETS / "teacher.jsonl",
    part: Annotated[str, typer.Option("--split", help="The rows to compare on.")] = "test",
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Also draw scores and intervals, a .png file.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="List so many intents where the second loses most.")] = 5,
) -> None:
    """Is the second better than the first? Both answer the same rows; the difference comes with interval and p-value.

    The interval is a paired bootstrap over the rows, p a paired permutation test: how often chance alone, deciding row
    by row who gave which answer, makes a difference as large. Recorded answers (such as alternates.jsonl) are compared
    on the rows that they have.

    recolor compare recolor-mini@1 recolor-mini@2 --chart comparison.png
    """
    check_chart(chart)
    with errors():
        from app.distill.comparison import report
        from app.distill.dataset import read_split

        rows = read_split(data, part)
        one, other = _both(first, second, rows)
        common, grades = _common(one, other)
        found = [report.components(common, own) for own in grades]
        intervals = {name: report.by_subset(common, own) for name, own in zip((first, second), found, strict=True)}
        tested = report.differences(common, *found)
        lost = sorted(range(len(common)), key=lambda i: found[1].row_scores()[i] - found[0].row_scores()[i])
        view = Table(title=f"{second} against {first}, {len(common)} rows", title_justify="left")
        for column in ("rows", "n", first, second, "difference", "p", ""):
            view.add_column(column, justify="left" if column in ("rows", "") else "right")
        for name, difference in tested.items():
            n = sum(report.belongs(common, name))
            overalls = [str(intervals[who][name].overall) for who in (first, second)]
            view.add_row(name, str(n), *overalls, str(difference.overall), f"{difference.p:.4f}", difference.verdict)
        out.print(view)
        for index in lost[:worst]:
            row = common[index]
            _say(f"{row.intent}\n  teacher  {report.brief(row.grade)}")
            for name, own in zip((first, second), grades, strict=True):
                _say(f"  {name}  {report.brief(own[index])}")
        _draw(intervals, chart)
        write(
            as_json,
            {
                "first": first,
                "second": second,
                "rows": len(common),
                "intervals": {name: report.plain_intervals(own) for name, own in intervals.items()},
                "differences": report.plain_differences(tested),
            },
        )


def tell(rows: Sequence["Example"], found: "Evaluation", as_json: Path | None, chart: Path | None, worst: int) -> None:
    """Tables, and the result as JSON, as a chart, and the worst rows, where they are asked for."""
    from app.distill.comparison import report
    from app.distill.evaluate import table

    components = report.components(rows, found.grades)
    intervals = report.by_subset(rows, components)
    out.print(table(found))
    out.print(report.selection_table(found))
    out.print(report.interval_table(intervals))
    listed = report.worst(rows, found.grades, components, worst)
    for row in listed:
        _tell_row(row)
    _draw({found.model: intervals}, chart)
    more: dict[str, Any] = {"intervals": report.plain_intervals(intervals), "worst": [row.plain() for row in listed]}
    write(as_json, found.plain() | more)


def evaluate_teacher(data: Path, split: str) -> tuple[Sequence["Example"], "Evaluation"]:
    """The configured teacher's answers to the rows of a split. Raises DatasetError."""
    from app.distill.comparison.answering import TEACHER
    from app.distill.dataset import read_split

    found = _answers(TEACHER, read_split(data, split))
    return found.rows, found.evaluation


def check_chart(chart: Path | None) -> None:
    """Before hours of work: whether the picture can be written."""
    if chart is not None and (chart.suffix != ".png" or not chart.resolve().parent.is_dir()):
        raise typer.BadParameter(f"{chart} is no .png file in a folder that exists", param_hint="--chart")


def _answers(who: str, rows: Sequence["Example"]) -> "Answers":
    from app.distill.comparison.answering import answers

    with progress() as shown:
        task = shown.add_task(f"asking {who}", total=len(rows))
        return answers(who, rows, settings_of(), lambda done: shown.update(task, completed=done))


def _both(first: str, second: str, rows: Sequence["Example"]) -> "tuple[Answers, Answers]":
    return _answers(first, rows), _answers(second, rows)


def _common(one: "Answers", other: "Answers") -> tuple[list["Example"], list[list[Any]]]:
    """The rows that both answered, and the answers of each to them. Raises DatasetError where there are none."""
    from app.distill.dataset import DatasetError

    answered = [{row.intent: grade for row, grade in zip(own.rows, own.grades, strict=True)} for own in (one, other)]
    rows = [row for row in one.rows if row.intent in answered[1]]
    if not rows:
        raise DatasetError("the two have no intent in common")
    return rows, [[own[row.intent] for row in rows] for own in answered]


def _tell_row(row: "Row") -> None:
    from app.distill.comparison.report import brief

    _say(f"{row.score:.2f}  {row.intent}\n  teacher  {brief(row.wanted)}\n  answer   {brief(row.given)}")


def _draw(intervals: dict[str, Any], chart: Path | None) -> None:
    if chart is not None:
        from app.distill.comparison.chart import draw_scores

        draw_scores(intervals, chart)
        _say(f"wrote {chart}")


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
