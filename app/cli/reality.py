"""`recolor reality-check`: what teacher and student make of the same photos, measured, judged and voted on."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import DATASETS, Dataset, Model, err, errors, out, progress, settings_of, write
from app.settings import CHECKOUT, Settings
from app.students import load_engine

if TYPE_CHECKING:
    from app.distill.reality.judge import Judge
    from app.distill.reality.photos import Photo
    from app.distill.reality.report import Report
    from app.distill.reality.trials import Trial
    from app.distill.reality.verdicts import Hearing

PHOTOS = CHECKOUT / "model_store" / "photos"


def reality_check(
    votes: Annotated[
        list[Path] | None, typer.Argument(help="With --read-votes: the files that people sent.", show_default=False)
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for contact-sheet.png and report.json.")
    ] = Path("runs/reality"),
    count: Annotated[int, typer.Option(min=1, help="Test intents, drawn at random and from each domain in turn.")] = 24,
    intents: Annotated[
        list[str] | None,
        typer.Option("--intents", help="A test intent to compare, instead of drawn ones; can be repeated."),
    ] = None,
    photos: Annotated[Path, typer.Option(help="Folder of photos.", show_default="the project's")] = PHOTOS,
    size: Annotated[int, typer.Option(min=32, max=4096, help="Longer side at which pictures are measured.")] = 320,
    seed: Annotated[int, typer.Option(help="Draws the intents, and the sides of --vote.")] = 1,
    judge: Annotated[bool, typer.Option("--judge", help="Also ask a vision-language model (RECOLOR_JUDGE_…).")] = False,
    judge_model: Annotated[str, typer.Option(help="The judge.", show_default="RECOLOR_JUDGE_MODEL")] = "",
    judge_url: Annotated[str, typer.Option(help="Its server.", show_default="RECOLOR_JUDGE_BASE_URL")] = "",
    judge_repeats: Annotated[int, typer.Option(min=1, max=9, help="How often it is asked in each order.")] = 1,
    vote: Annotated[Path | None, typer.Option(help="Also write a page on which people vote, e.g. vote.html.")] = None,
    read_votes: Annotated[bool, typer.Option("--read-votes", help="Instead count the votes in these files.")] = False,
    key: Annotated[
        Path | None, typer.Option(help="The key to the votes.", show_default="vote-key.json beside the first file")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    model: Model = "",
    data: Dataset = DATASETS / "teacher.jsonl",
) -> None:
    """Render the teacher's and the student's grades on the same photos, and see how far apart the pictures are."""
    from app.distill.reality.ballot import KEY
    from app.distill.reality.judge import Judge
    from app.distill.reality.tables import report_tables

    if bool(votes) != read_votes:
        raise typer.BadParameter("files of votes go with --read-votes, and it with them", param_hint="VOTES")
    if vote is not None and (vote.is_dir() or not vote.resolve().parent.is_dir()):
        raise typer.BadParameter(f"{vote} is a folder, or lies in none", param_hint="--vote")
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(f"{output} is no folder", param_hint="--output")
    with errors():
        if votes:
            _count_votes(votes, key or votes[0].with_name(KEY), as_json)
            return
        changes = {"model": model, "judge_model": judge_model, "judge_base_url": judge_url}
        settings = settings_of(**{name: value for name, value in changes.items() if value})
        asked = Judge(settings, judge_repeats) if judge else None
        report, pictures = _compared(settings, data, photos, (count, intents or [], seed), size)
        output.mkdir(parents=True, exist_ok=True)
        write(output / "report.json", report.plain())
        _write_sheets(report, pictures, output)
        if vote is not None:
            _write_ballot(report, pictures, vote, seed)
        if asked is not None:
            report.hearing = _judged(asked, report, pictures)
            write(output / "report.json", report.plain())
    if as_json:
        print(json.dumps(report.plain(), ensure_ascii=False))
    else:
        for table in report_tables(report):
            out.print(table)
    if report.unread:
        _say(f"the student could not read, and they are left out: {', '.join(report.unread)}")
    _say(f"wrote {output}/report.json and the contact sheet beside it")
    if report.hearing is not None and report.hearing.error:
        _say(f"recolor: {report.hearing.error}")
        raise typer.Exit(1)


def _compared(
    settings: Settings, data: Path, folder: Path, choice: tuple[int, list[str], int], size: int
) -> tuple["Report", list["Photo"]]:
    """The measured report, and the photos in full size. Raises RealityError, DatasetError, ModelStoreError."""
    from app.distill.dataset import DatasetError, read_dataset
    from app.distill.reality.distances import measure
    from app.distill.reality.errors import RealityError
    from app.distill.reality.pairs import named, pairs, sampled
    from app.distill.reality.photos import read_photos
    from app.distill.reality.report import Report

    photos = read_photos(folder)
    rows = [row for row in read_dataset(data) if row.split == "test"]
    if not rows:
        raise DatasetError(f"{data} has no rows of split 'test'")
    count, intents, seed = choice
    chosen = named(rows, intents) if intents else sampled(rows, count, seed)
    alternates = data.with_name("alternates.jsonl")
    engine = load_engine(settings)
    graded, unread = pairs(engine, chosen, read_dataset(alternates) if alternates.is_file() else ())
    if not graded:
        raise RealityError(f"{engine.model} can read none of the intents: {', '.join(unread)}")
    small = [photo.scaled(size) for photo in photos]
    with progress() as shown:
        task = shown.add_task("measuring", total=len(graded) * len(photos))
        found = measure(graded, small, lambda done: shown.update(task, completed=done))
    return Report(engine.model, [photo.name for photo in photos], size, graded, unread, found), photos


def _trials(report: "Report", photos: list["Photo"], longest: int, what: str) -> Iterator["Trial"]:
    """One photo an intent, rendered while a bar shows how far it is."""
    from app.distill.reality.trials import trials

    with progress() as shown:
        yield from shown.track(trials(report.pairs, photos, longest), total=len(report.pairs), description=what)


def _write_sheets(report: "Report", photos: list["Photo"], output: Path) -> None:
    """contact-sheet.png, and contact-sheet-2.png and on where there are many intents."""
    from app.distill.reality.sheet import PICTURE, contact_sheets

    shown = _trials(report, photos, PICTURE, "contact sheet")
    note = f"{report.model} · {len(report.pairs)} test intents · the number is the mean CIEDE2000 between the two edits"
    for number, sheet in enumerate(contact_sheets(shown, "What teacher and student make of it", note), 1):
        sheet.save(output / ("contact-sheet.png" if number == 1 else f"contact-sheet-{number}.png"))


def _write_ballot(report: "Report", photos: list["Photo"], page: Path, seed: int) -> None:
    from app.distill.reality.ballot import PICTURE, Ballot

    ballot = Ballot.of(_trials(report, photos, PICTURE, "page of votes"), report.model, seed)
    key = ballot.write(page)
    _say(f"wrote {page}, to be sent to those who vote, and {key}, which they must not see")


def _judged(judge: "Judge", report: "Report", photos: list["Photo"]) -> "Hearing":
    from app.distill.reality.judge import PICTURE
    from app.distill.reality.trials import trials

    with progress() as shown:
        task = shown.add_task("judging", total=len(report.pairs))
        shown_trials = trials(report.pairs, photos, PICTURE)
        return asyncio.run(judge.hear(shown_trials, lambda done: shown.update(task, completed=done)))


def _count_votes(files: list[Path], key_file: Path, as_json: bool) -> None:
    """Raises RealityError where there is no key, or no file can be used."""
    from app.distill.reality.ballot import read_key
    from app.distill.reality.errors import RealityError
    from app.distill.reality.tables import tally_tables
    from app.distill.reality.tally import tally
    from app.distill.reality.votes import read_votes

    key = read_key(key_file)
    returns = read_votes(files, key)
    for oddity in returns.oddities:
        _say(oddity)
    if not returns.votes:
        raise RealityError("none of the files holds votes on this page")
    counted = tally(returns.votes, key)
    if as_json:
        print(json.dumps({**counted.plain(), "oddities": returns.oddities}, ensure_ascii=False))
        return
    for table in tally_tables(counted):
        out.print(table)


def _say(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)
