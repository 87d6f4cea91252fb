"""What a reality check found, for the terminal."""

from collections.abc import Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from app.distill.reality.distances import APART, BETWEEN, Summary
from app.distill.reality.report import Report
from app.distill.reality.tally import Agreement, Count, Tally
from app.distill.reality.verdicts import VERDICTS, Hearing
from app.grade import TOOLS

FURTHEST = 5
"""Intents that are named as those where teacher and student are furthest apart."""


def report_tables(report: Report) -> Iterator[Table]:
    """All tables of a report, in order."""
    yield _distances(report)
    yield _domains(report)
    yield _furthest(report)
    if report.hearing is not None:
        yield hearing_table(report.hearing)


def _distances(report: Report) -> Table:
    photos = f"{len(report.pairs)} intents on {len(report.photos)} photos of {report.size} pixels"
    view = _table(
        f"{report.model}: how far apart the pictures are, in CIEDE2000",
        f"{photos}. A picture counts with the mean of its pixels; 1 is just visible, 5 is plain. Exchanged: the "
        "teacher's picture, and the same with the student's settings of one tool.",
        ("between", "pictures", "mean", "median", "p95"),
    )
    found = report.summaries()
    for between in BETWEEN:
        if between in found:
            style = "bold" if between == APART else None
            view.add_row(between, str(found[between].pictures), *_numbers(found[between]), style=style)
    view.add_section()
    for tool in TOOLS:
        if tool in found:
            view.add_row(f"only {tool.replace('_', ' ')} exchanged", str(found[tool].pictures), *_numbers(found[tool]))
    return view


def _domains(report: Report) -> Table:
    tools = tuple(tool.replace("_", "\n") for tool in TOOLS)
    view = _table(
        "By domain",
        "Student and teacher; then the mean of teacher and original, and of each tool exchanged alone.",
        ("domain", "mean", "median", "p95", "original", *tools),
    )
    view.columns[0].no_wrap = True
    for domain, found in report.domains().items():
        alone = [found["teacher and original"], *(found[tool] for tool in TOOLS)]
        view.add_row(
            escape(domain or "none"),
            *_numbers(found[APART]),
            *(f"{summary.mean:.2f}" for summary in alone),
        )
    return view


def _furthest(report: Report) -> Table:
    view = _table("Furthest apart", "", ("intent", "mean", "domain"))
    for intent, domain, apart in report.intents()[:FURTHEST]:
        view.add_row(escape(intent), f"{apart:.2f}", escape(domain))
    return view


def hearing_table(hearing: Hearing) -> Table:
    """What the judge found, and how far it can be trusted."""
    spent = f"{hearing.prompt_tokens + hearing.completion_tokens} tokens, ${hearing.dollars:.4f}"
    view = _table(f"The judge {hearing.model}: whose edit fits better", f"{hearing.calls} calls, {spent}", ("", "", ""))
    view.show_header = False
    for verdict, share in hearing.shares().items():
        view.add_row(verdict, str(share), "neutral, or the two orders disagree" if verdict == "neutral" else "")
    view.add_section()
    view.add_row("both orders agree", str(hearing.consistent()), "")
    first = hearing.first()
    leaning = first.low > 0.5 or first.high < 0.5
    view.add_row("chose the first picture", str(first), "[yellow]leans by place[/]" if leaning else "half is fair")
    for name, count in (
        ("identical pictures, not asked", hearing.identical()),
        ("trials without a verdict", hearing.undecided()),
        ("answers that were unreadable", hearing.unreadable),
        ("questions without an answer", hearing.unanswered),
    ):
        view.add_row(name, str(count), "")
    return view


def tally_tables(tally: Tally) -> Iterator[Table]:
    """What people found, and how far they agree."""
    view = _table(
        f"Votes on {tally.items} photos: {tally.model} beside its teacher",
        "In brackets the 95% interval (Wilson). All together, the answers of several people about one photo count as "
        "if they were about several: the true intervals are wider.",
        ("annotator", *(f"{verdict}\nbetter" for verdict in VERDICTS), "student\nfits", "teacher\nfits", "same look"),
    )
    view.columns[3].header = "neutral"
    for count in tally.counts:
        if count is tally.counts[-1]:
            view.add_section()
        view.add_row(*_cells(count))
    yield view
    yield _agreement(tally.agreement)


def _cells(count: Count) -> Sequence[str]:
    shares = (*count.preference.values(), *count.fits.values(), count.same_look)
    return [escape(count.annotator), *map(str, shares)]


def _agreement(agreement: dict[str, Agreement]) -> Table:
    view = _table(
        "How far the annotators agree beyond chance",
        "1 is always, 0 is chance. Alpha takes every answer; kappa only where all who voted answered.",
        ("question", "answered twice or more", "Krippendorff's alpha", "Fleiss' kappa"),
    )
    for question, found in agreement.items():
        view.add_row(question, str(found.units), _coefficient(found.alpha), _coefficient(found.kappa))
    return view


def _coefficient(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"


def _numbers(summary: Summary) -> tuple[str, str, str]:
    return f"{summary.mean:.2f}", f"{summary.median:.2f}", f"{summary.p95:.2f}"


def _table(title: str, caption: str, columns: Sequence[str]) -> Table:
    """The first column is text, the others are numbers."""
    view = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for index, column in enumerate(columns):
        view.add_column(column, justify="right" if index else "left", overflow="fold")
    return view
