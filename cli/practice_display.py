"""How items, grades, mastery and explanations look in a terminal."""

import re
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.api import Json
from cli.practice_answers import LETTERS, kind_of
from cli.session import bare

_BAR = 20
TERMS = {
    "REASON_KIND_REVIEW": "review",
    "REASON_KIND_GROWTH": "growth",
    "REASON_KIND_CHALLENGE": "challenge",
    "REASON_KIND_NOVELTY": "novelty",
}


def bar(share: float, width: int = _BAR) -> str:
    """A share in [0, 1] as a bar of that many characters."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return "━" * filled + "─" * (width - filled)


def interval_bar(mean: float, lower: float, upper: float, width: int = 12) -> Text:
    """The mean as a mark in its interval: `··├─●─┤····`."""
    at = [round(min(max(each, 0.0), 1.0) * (width - 1)) for each in (lower, mean, upper)]
    cells = ["·"] * width
    cells[at[0] : at[2] + 1] = ["─"] * (at[2] - at[0] + 1)
    cells[at[0]], cells[at[2]], cells[at[1]] = "├", "┤", "●"
    return Text("".join(cells), style="cyan")


def show_item(console: Console, body: Json, heading: str, reason: str) -> None:
    stem = re.sub(r"\{\{([\w-]+)\}\}", r"`[\1]`", body.get("stem", ""))
    parts: list[RenderableType] = [Markdown(stem)]
    match kind_of(body):
        case "choice":
            parts += ["", _lettered(body["choice"]["choices"], LETTERS)]
        case "ordering":
            parts += ["", _lettered(body["ordering"]["entries"], LETTERS)]
        case "matching":
            sides = Table.grid(padding=(0, 4))
            numbers = [str(number + 1) for number in range(len(body["matching"]["targets"]))]
            sides.add_row(_lettered(body["matching"]["sources"], LETTERS), _lettered(body["matching"]["targets"], numbers))
            parts += ["", sides]
    console.print()
    console.print(Panel(Group(*parts), title=escape(heading), title_align="left", padding=(1, 2)))
    if reason:
        console.print(f"[dim italic]{escape(reason)}[/dim italic]")


def show_gap(console: Console, gap: Json) -> None:
    if "choice" in gap:
        console.print(Padding(_lettered(gap["choice"]["choices"], LETTERS), (0, 0, 0, 2)))


def _lettered(options: Sequence[Json], labels: Sequence[str]) -> Table:
    grid = Table.grid(padding=(0, 1))
    for label, option in zip(labels, options, strict=False):
        grid.add_row(f"[bold cyan]{label}[/bold cyan]", escape(option["text"]))
    return grid


def show_grade(console: Console, response: Json) -> None:
    score = response.get("score", 0.0)
    if response.get("correct"):
        console.print("[bold green]✓ Right.[/bold green]")
    elif score > 0:
        console.print(f"[bold yellow]~ Partly right: {score:.0%}.[/bold yellow]")
    else:
        console.print("[bold red]✗ Not right.[/bold red]")
    for said in response.get("feedback", []):
        console.print(Padding(Markdown(said), (0, 0, 0, 2)))
    if response.get("explanation"):
        console.print(Padding(Markdown(response["explanation"]), (0, 0, 0, 2)), style="dim")


def show_mastery_change(console: Console, skills: Sequence[str], before: Mapping[str, Json], after: Mapping[str, Json]) -> None:
    for skill in skills:
        was, now = before.get(skill, {}).get("mean", 0.0), after.get(skill, {}).get("mean", 0.0)
        if skill not in after:
            continue
        arrow = "new" if skill not in before else "↑" if now > was else "↓" if now < was else "="
        console.print(f"  mastery of {escape(skill)}  [cyan]{bar(now)}[/cyan] {now:.0%} {arrow}")


def show_mastery(console: Console, mastery: Json) -> None:
    rows = mastery.get("skills", [])
    console.print(f"[bold]{escape(bare(mastery['learner']))}[/bold]: {int(mastery.get('attemptCount', 0)):,} answers counted")
    if not rows:
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for title in ("skill", "mastered", "", "90 % interval", "right"):
        table.add_column(title, justify="right" if title in ("mastered", "right") else "left", no_wrap=True)
    for row in rows:
        mean, lower, upper = (row.get(each, 0.0) for each in ("mean", "lower", "upper"))
        right, answers = (int(row.get(each, 0)) for each in ("correctCount", "attemptCount"))
        table.add_row(
            escape(bare(row["name"])),
            f"{mean:.0%}",
            interval_bar(mean, lower, upper),
            f"{lower:.0%} to {upper:.0%}",
            f"{right:,} of {answers:,}",
        )
    console.print(table)
    for ability in mastery.get("abilities", []):
        mean, error = ability.get("mean", 0.0), ability.get("standardError", 0.0)
        console.print(f"ability in {escape(bare(ability.get('course', '')) or 'no course')}: {mean:+.2f} ± {error:.2f} logits")


def show_explanation(console: Console, explanation: Json) -> None:
    console.print(Markdown(explanation.get("summary", "")))
    for item in explanation.get("items", []):
        console.print(f"\n[bold]{escape(bare(item['item']))}[/bold]")
        console.print(Padding(Markdown(item.get("text", "")), (0, 0, 0, 2)))
        terms = item.get("terms", [])
        if terms:
            table = Table(box=None, header_style="dim", padding=(0, 2))
            for title in ("term", "", "value", "weight"):
                table.add_column(title, justify="right" if title in ("value", "weight") else "left")
            for term in terms:
                value, weight = term.get("value", 0.0), term.get("weight", 0.0)
                name = TERMS.get(term.get("kind", ""), str(term.get("kind", "")))
                table.add_row(name, f"[cyan]{bar(value)}[/cyan]", f"{value:.2f}", f"{weight:.2f}")
            console.print(table)
        if item.get("counterfactual"):
            console.print(Padding(Markdown(item["counterfactual"]), (0, 0, 0, 2)), style="dim")
