"""The store, counted and row by row."""

from app.events import Feedback
from app.events.overview import Overview, ProjectCounts, SourceCounts, overview, rows
from app.events.store import EventStore, moment
from tests.events.helpers import NOW, only, record, serve


def test_an_empty_store_counts_nothing(store: EventStore) -> None:
    assert overview(store.database) == Overview(0, 0, {}, 0, 0, [], None, None)
    assert list(rows(store.database)) == []


def test_everything_is_counted(store: EventStore) -> None:
    store.write(
        [
            record(serve("r1", project_id="p1"), NOW),
            record(serve("r2", project_id="p2", variant="b"), NOW + 1),
            record(serve("r3", intent="dawn", project_id="p1", tools=only("filter")), NOW + 2),
            record(serve("shared", intent="dawn")),
            record(serve("shared", intent="noon")),
            record(Feedback("r1", "exported", ("filter",))),
            record(Feedback("r3", "exported")),
            record(Feedback("r2", "discarded")),
            record(Feedback("unknown", "exported")),
        ]
    )
    assert overview(store.database) == Overview(
        requests=4,
        intents=3,
        sources={"student": SourceCounts(5, 1, 2), "teacher": SourceCounts(4, 1, 1)},
        unmet=1,
        shared=1,
        projects=[ProjectCounts("", "b", 1, 0, 0), ProjectCounts("", "control", 1, 1, 0)],
        first=moment(NOW),
        last=moment(NOW + 2),
    )


def test_rows_come_in_the_order_of_time(store: EventStore) -> None:
    store.write([record(serve(f"r{second}"), NOW + second) for second in (3, 1, 2)])
    assert [row["request_id"] for row in rows(store.database)] == ["r1", "r1", "r2", "r2", "r3", "r3"]


def test_experiments_come_in_the_order_in_which_they_began(store: EventStore) -> None:
    told = [("z", "control", NOW), ("a", "control", NOW + 1), ("z", "b", NOW + 2), ("", "control", NOW + 3)]
    for name, variant, time in told:
        store.write([record(serve(project_id=f"{name}-{variant}", variant=variant, experiment=name), time)])
    names = [(one.experiment, one.variant) for one in overview(store.database).projects]
    assert names == [("z", "b"), ("z", "control"), ("a", "control"), ("", "control")]
