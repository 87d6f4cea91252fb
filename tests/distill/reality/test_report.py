"""What is written and shown at the end."""

import io
import json
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from app.distill.reality.distances import APART, measure
from app.distill.reality.report import Report
from app.distill.reality.tables import report_tables
from app.distill.reality.verdicts import Hearing, Judgement, Reply
from app.grade import Grade
from tests.distill.reality.helpers import pair, photo, warm

PAIRS = [pair("[red]hot[/red]"), pair("noir", student=-90, domain="cinema", second=warm(30))]


def printed(tables: Iterable[Table]) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=150)
    for table in tables:
        console.print(table)
    return screen.getvalue()


def report(hearing: Hearing | None = None) -> Report:
    photos = [photo("a"), photo("b", 8, 8)]
    return Report("tiny@1", ["a", "b"], 24, PAIRS, ["тепло"], measure(PAIRS, photos), hearing)


def test_the_tables_show_every_comparison_domain_and_the_furthest() -> None:
    found, shown = report(), printed(report_tables(report()))
    apart = found.summaries()[APART]
    [line] = [line for line in shown.splitlines() if line.startswith("│ student and teacher  ")]
    cells = [cell.strip() for cell in line.split("│")[2:-1]]
    assert cells == ["4", *(f"{number:.2f}" for number in (apart.mean, apart.median, apart.p95))]
    assert "teacher and teacher, second answer" in shown
    assert "only selective adjust exchanged" in shown
    assert "[red]hot[/red]" in shown
    assert shown.index(" noir ") < shown.index("[red]hot[/red]"), "the furthest first"
    assert "2 intents on 2 photos of 24 pixels" in shown


def test_intents_are_listed_from_the_furthest_to_the_nearest() -> None:
    [(first, domain, apart), (_, _, nearer)] = report().intents()
    assert (first, domain) == ("noir", "cinema")
    assert apart > nearer > 0


def test_the_report_is_json_and_holds_the_grades() -> None:
    plain = json.loads(json.dumps(report().plain()))
    assert plain["ciede2000"][APART]["pictures"] == 4
    assert set(plain["domains"]) == {"cinema", "light"}
    assert Grade.parse(plain["grades"][1]["teacher_again"]) == warm(30)
    assert plain["grades"][0]["teacher_again"] is None
    assert plain["unread"] == ["тепло"]
    assert plain["judge"] is None
    assert plain["pictures"][0]["apart"]["mean"] > 0


def test_what_the_judge_said_is_shown_with_its_bias() -> None:
    sides = ("teacher", "student")
    biased = Judgement("noir", "cinema", "a", tuple(Reply(side, side) for side in sides) * 8)
    found = report(Hearing("eyes-1", [biased], calls=16, prompt_tokens=1000, dollars=0.5, error="it died"))
    shown = printed(report_tables(found))
    assert "eyes-1" in shown
    assert "1000 tokens, $0.5000" in shown
    assert "16 of 16 (81%-100%)" in shown
    assert "leans by place" in shown
    assert json.loads(json.dumps(found.plain()))["judge"]["error"] == "it died"
