"""How reports look in a terminal."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.api import Json
from cli.practice_display import bar
from cli.session import bare

NOTHING = "Nobody answered anything there yet."
_MOST_DAYS = 14
_MOST_WEEKS = 12
_SHADES = ((0.0, "grey37"), (0.2, "red3"), (0.4, "dark_orange3"), (0.6, "gold3"), (0.8, "green4"), (0.95, "green3"))
"""From this mastery on, this colour."""


def percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def course(report: Json, console: Console) -> None:
    summary = report.get("summary", {})
    if not summary.get("attemptCount"):
        console.print(NOTHING)
        return
    console.print(
        f"[bold]{summary['learnerCount']}[/] learners, [bold]{summary['attemptCount']}[/] answers, "
        f"[bold]{percent(summary.get('shareCorrect'))}[/] right, {summary.get('hintCount', 0)} hints, "
        f"{summary.get('completedSessionCount', 0)} of {summary.get('sessionCount', 0)} sessions completed, "
        f"{summary['firstDate']} to {summary['lastDate']}"
    )
    table = _table("day", "learners", "answers", "right", "", "seconds")
    days = report.get("days", [])
    if len(days) > _MOST_DAYS:
        console.print(f"[dim]the last {_MOST_DAYS} of {len(days)} days; --json has them all[/]")
    for each in days[-_MOST_DAYS:]:
        share = each.get("shareCorrect", 0.0)
        seconds = number(each.get("meanResponseSeconds"), 1)
        table.add_row(each["date"], each["learnerCount"], each["attemptCount"], percent(share), bar(share, 12), seconds)
    console.print(table)


def learners(report: Json, console: Console) -> None:
    table = _table("learner", "answers", "right", "days", "minutes", "sessions", "mastered", "last day")
    for each in report.get("learners", []):
        mastered = f"{each.get('masteredSkillCount', 0)} of {each.get('skillCount', 0)}"
        table.add_row(
            escape(bare(each["learner"])),
            each["attemptCount"],
            percent(each.get("shareCorrect")),
            each["activeDays"],
            number(each.get("responseSeconds", 0.0) / 60, 0),
            each.get("sessionCount", "0"),
            mastered,
            each["lastDate"],
        )
    _print(table, console)


def learner(report: Json, console: Console) -> None:
    progress = report.get("progress")
    if not progress:
        console.print(NOTHING)
        return
    console.print(
        f"[bold]{progress['attemptCount']}[/] answers on {progress['activeDays']} days, [bold]{percent(progress.get('shareCorrect'))}[/] "
        f"right, {progress.get('masteredSkillCount', 0)} of {progress.get('skillCount', 0)} skills mastered"
    )
    table = _table("skill", "mastery", "", "interval", "answers", "right")
    for each in report.get("skills", []):
        mastery = each.get("mastery")
        interval = (
            "" if mastery is None else f"{percent(each.get('masteryLower', 0.0))} to {percent(each.get('masteryUpper', 0.0))}"
        )
        table.add_row(
            escape(bare(each["skill"])),
            percent(mastery),
            "" if mastery is None else bar(mastery, 12),
            interval,
            each["attemptCount"],
            percent(each.get("shareCorrect")),
        )
    console.print(table)


def heat_map(report: Json, console: Console) -> None:
    """Learners down, skills across; a cell is the mastery in per cent, or a dot where the learner never practised."""
    cells = {(bare(each["learner"]), bare(each["skill"])): each for each in report.get("cells", [])}
    if not cells:
        console.print(NOTHING)
        return
    rows, columns = sorted({learner for learner, _ in cells}), sorted({skill for _, skill in cells})
    named = max(len(each) for each in rows)
    at_once = max(1, (console.width - named - 2) // 5)
    for start in range(0, len(columns), at_once):
        shown = columns[start : start + at_once]
        for place, skill in enumerate(shown):
            console.print(Text(" " * (named + 1) + "  │  " * place + f"  ┌ {skill}", style="dim"), soft_wrap=True)
        for learner in rows:
            line = Text(f"{learner:>{named}} ")
            for skill in shown:
                line.append_text(_cell(cells.get((learner, skill))))
            console.print(line, soft_wrap=True)
    console.print(Text("P(mastered) in per cent; ? not known yet; · never practised", style="dim"))


def _cell(cell: Json | None) -> Text:
    if cell is None:
        return Text("  ·  ", style="dim")
    mastery = cell.get("mastery")
    if mastery is None:
        return Text("  ?  ", style="dim")
    shade = [colour for least, colour in _SHADES if mastery >= least][-1]
    return Text(f"{round(mastery * 100):^5}", style=f"bold white on {shade}")


def items(report: Json, console: Console) -> None:
    table = _table("item", "learners", "right", "", "discrimination", "seconds", "picked")
    for each in report.get("items", []):
        discrimination = each.get("discrimination")
        share = each.get("difficulty", 0.0)
        shown = "" if discrimination is None else f"[{'red' if discrimination < 0.1 else 'default'}]{discrimination:.2f}[/]"
        picked = ", ".join(f"{escape(choice['choice'])} {percent(choice.get('share'))}" for choice in each.get("choices", []))
        seconds = number(each.get("medianResponseSeconds"), 0)
        table.add_row(escape(bare(each["item"])), each["learnerCount"], percent(share), bar(share, 10), shown, seconds, picked)
    _print(table, console)


def engagement(report: Json, console: Console) -> None:
    table = _table("week of", "learners", "answers", "a learner", "days a learner", "sessions", "completed", "minutes")
    for each in report.get("weeks", []):
        table.add_row(
            each["week"],
            each.get("learnerCount", "0"),
            each.get("attemptCount", "0"),
            number(each.get("attemptsPerLearner"), 1),
            number(each.get("daysPerLearner"), 1),
            each.get("sessionCount", "0"),
            percent(each.get("sessionCompletion")),
            number(each.get("medianSessionMinutes"), 1),
        )
    _print(table, console)


def retention(report: Json, console: Console) -> None:
    """A cohort a line, weeks later across."""
    cohorts: dict[str, dict[int, Mapping[str, object]]] = {}
    for each in report.get("cells", []):
        cohorts.setdefault(each["cohort"], {})[each.get("weeksLater", 0)] = each
    weeks = range(min(_MOST_WEEKS, 1 + max((week for its in cohorts.values() for week in its), default=0)))
    table = _table("began in", "learners", *(f"+{week}" for week in weeks))
    for cohort, its in cohorts.items():
        size = next(iter(its.values()))["learnerCount"]
        shares = (percent(float(str(its[week]["shareActive"]))) if week in its else "·" for week in weeks)
        table.add_row(cohort, str(size), *shares)
    _print(table, console)


def decisions(report: Json, console: Console) -> None:
    table = _table(
        "policy", "arm", "mode", "decisions", "learners", "items", "empty", "fell back", "answered", "right", "predicted"
    )
    for each in report.get("rows", []):
        mode = each["mode"].lower() + (" (shadow)" if each.get("shadow") else "")
        counts: Iterable[str] = (
            each.get(f"{name}Count", "0") for name in ("decision", "learner", "item", "empty", "fallback", "answer")
        )
        shares = (percent(each.get("shareCorrect")), percent(each.get("meanPredictedCorrect")))
        table.add_row(escape(each["policyVersion"]), escape(each.get("arm", "")), mode, *counts, *shares)
    _print(table, console)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim")
    for place, each in enumerate(columns):
        table.add_column(each, justify="left" if place == 0 else "right", overflow="fold")
    return table


def _print(table: Table, console: Console) -> None:
    console.print(table if table.row_count else NOTHING)
