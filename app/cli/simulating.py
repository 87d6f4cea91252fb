"""`recolor simulate`: traffic that never was, in an event store or in files."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import DATASETS, Dataset, errors, listing, out, progress
from app.settings import StartError

if TYPE_CHECKING:
    from app.distill.simulate.traffic import Traffic
    from app.distill.simulate.world import World


def simulate(
    where: Annotated[
        str,
        typer.Argument(
            help="Where to: the URL of an event store (sqlite:////… or postgresql://…), or a folder for files. "
            "There is no default, lest simulated events end up among real ones."
        ),
    ],
    requests: Annotated[int, typer.Option("--requests", "-n", min=1, help="How many, of three tools each.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same traffic.")] = 1,
    data: Dataset = DATASETS / "teacher.jsonl",
    split: Annotated[str, typer.Option(help="Only intents of this split; empty: all.")] = "",
    rivals: Annotated[int, typer.Option(min=1, max=100, help="Different answers of the teacher to one intent.")] = 4,
    noise: Annotated[float, typer.Option(min=0, max=1, help="The most that an answer wavers.")] = 0.6,
    misread: Annotated[
        float, typer.Option(min=0, max=1, help="Share of answers that would be right for another intent.")
    ] = 0.0,
    exported: Annotated[float, typer.Option(min=0, max=1, help="Share of perfect answers that are exported.")] = 0.6,
    pickiness: Annotated[float, typer.Option(min=0, help="How fast exports fall with the distance.")] = 4.0,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="JSONL instead of Parquet; slower and larger.")] = False,
) -> None:
    """Simulate traffic: popular intents often, a teacher who wavers, users who export what is close to the reference.

    The reference is a teacher dataset. Around each of its answers lie some rivals, of which every request gets one
    (alternates.jsonl beside the dataset is one of them). Every row says that it is simulated: variant `simulated`,
    model `simulated-teacher`, ids that begin with `simulated-`, and in files a column `simulated`.

    recolor simulate /tmp/log -n 100000 && recolor collect /tmp/log -o /tmp/collected.jsonl
    """
    with errors():
        from app.distill.dataset import DatasetError, read_dataset
        from app.distill.simulate.traffic import traffic
        from app.distill.simulate.world import Manners, build

        rows = [row for row in read_dataset(data) if split in ("", row.split)]
        if not rows:
            raise DatasetError(f"{data} has no rows of split '{split}'" if split else f"{data} is empty")
        second = data.with_name("alternates.jsonl")
        alternates = read_dataset(second) if second.is_file() else []
        manners = Manners(rivals, noise, misread, exported=exported, pickiness=pickiness)
        with progress() as shown:
            task = shown.add_task("answers around the references", total=len(rows))
            world = build(rows, alternates, manners, seed, lambda done: shown.update(task, completed=done))
            writing = shown.add_task("simulated requests", total=requests)
            counts: Counter[str] = Counter()
            parts = _counted(traffic(world, requests, seed), world, counts)
            _write(where, as_jsonl, world, parts, seed, lambda done: shown.update(writing, completed=done))
    view = listing("SIMULATED traffic: nobody asked for any of this")
    view.add_row("requests, three served tools each", f"{requests:,}")
    view.add_row("different intents asked for", f"{counts['intents']:,} of {len(world.intents):,}")
    view.add_row("exported, discarded", f"{counts['exported']:,}, {counts['discarded']:,}")
    view.add_row("distance from the reference, 0..1, of what was served", f"{counts['distance'] / requests:.3f}")
    if counts["exported"]:
        view.add_row("… of what was exported", f"{counts['exported distance'] / counts['exported']:.3f}")
    out.print(view)
    out.print(f"next: recolor collect {where}", markup=False, highlight=False, soft_wrap=True)


def _counted(parts: Iterator["Traffic"], world: "World", counts: "Counter[str]") -> Iterator["Traffic"]:
    """The parts, counted on their way: requests by verdict, and their answers' mean distance, summed."""
    import numpy as np

    from app.distill.simulate.traffic import DISCARDED, EXPORTED

    asked = np.zeros(len(world.intents), bool)
    means = world.distances.mean(axis=1)
    for part in parts:
        asked[part.intents] = True
        exported = part.verdicts == EXPORTED
        counts.update(
            {
                "exported": int(exported.sum()),
                "discarded": int((part.verdicts == DISCARDED).sum()),
                "distance": float(means[part.answers].sum()),
                "exported distance": float(means[part.answers[exported]].sum()),
            }
        )
        yield part
    counts["intents"] = int(asked.sum())


def _write(
    where: str,
    as_jsonl: bool,
    world: "World",
    parts: Iterator["Traffic"],
    seed: int,
    done: Callable[[int], None],
) -> None:
    """Raises StartError for a URL that cannot be used, EventStoreError."""
    from app.distill.simulate.writing import into_files, into_store

    if "://" not in where:
        if Path(where).is_file():
            raise StartError(f"{where} is a file; name a folder, or an event store by its URL (sqlite:///{where})")
        into_files(Path(where), ".jsonl" if as_jsonl else ".parquet", world, parts, seed, done)
        return
    from app.events.database import Database
    from app.events.store import EventStore

    try:
        store = EventStore(Database(where))
    except ValueError as error:
        raise StartError(str(error).replace("RECOLOR_EVENTS_URL", "the event store's URL")) from None
    try:
        store.prepare()
        into_store(store, world, parts, seed, done)
    finally:
        store.close()
