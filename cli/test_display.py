"""How banks, test sessions and results look in a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.api import Json
from cli.practice_display import interval_bar
from cli.session import bare

STATES = {
    "TEST_STATE_OPEN": "under way",
    "TEST_STATE_PRECISE": "precise enough",
    "TEST_STATE_COMPLETE": "complete",
    "TEST_STATE_OUT_OF_TIME": "out of time",
    "TEST_STATE_FINISHED": "finished early",
}
_Z90 = 1.645
_REACH = 3.0  # logits either side of 0 that an ability's bar shows


def state_of(session: Json) -> str:
    state = str(session.get("state", ""))
    return STATES.get(state, state)


def show_banks(console: Console, banks: list[Json]) -> None:
    table = Table("bank", "items", "versions", "newest version", "published", box=None, header_style="dim")
    for each in banks:
        count, versions = str(each.get("itemCount", 0)), str(each.get("versionCount", 0))
        table.add_row(escape(bare(each["name"])), count, versions, bare(each["newestVersion"]), each["publishTime"][:19])
    console.print(table)


def show_sessions(console: Console, sessions: list[Json]) -> None:
    if not sessions:
        console.print("No test was taken.")
        return
    table = Table("session", "test", "state", "items", "ability", "percentile", "started", box=None, header_style="dim")
    for each in sessions:
        result = each.get("result", {})
        table.add_row(
            bare(each["name"]),
            escape(bare(each["blueprint"])),
            state_of(each),
            str(each.get("answeredCount", 0)),
            ability_of(result),
            f"{result['percentile']:.0f}" if "percentile" in result else "",
            each["startTime"][:19],
        )
    console.print(table)


def ability_of(measured: Json) -> str:
    """`+0.31 ± 0.40`, or nothing."""
    if "ability" not in measured:
        return ""
    return f"{measured['ability'].get('mean', 0.0):+.2f} ± {measured['ability'].get('standardError', 0.0):.2f}"


def show_result(console: Console, session: Json) -> None:
    result = session.get("result")
    console.print(
        f"[bold]{escape(session.get('title', ''))}[/bold]: {state_of(session)}, {session.get('answeredCount', 0)} items"
    )
    if result is None:
        console.print("The result is not shown.")
        return
    right, answered = result.get("correctCount", 0), result.get("answeredCount", 0)
    console.print(f"right: {right} of {answered}")
    if ability := ability_of(result):
        console.print(f"ability: {ability} logits (standard error)  ", _ability_bar(result["ability"]), sep="")
    if "percentile" in result:
        console.print(f"percentile: {result['percentile']:.0f} (so many of a hundred in the reference population are below)")
    if areas := result.get("areas"):
        table = Table("content area", "right", "ability", box=None, header_style="dim")
        for each in areas:
            counts = f"{each.get('correctCount', 0)} of {each.get('answeredCount', 0)}"
            table.add_row(escape(bare(each["skill"])), counts, ability_of(each))
        console.print(table)


def show_steps(console: Console, session: Json) -> None:
    steps = session.get("steps", [])
    if not steps:
        return
    table = Table("", "item", "answer", "ability before", "information", "chosen with", box=None, header_style="dim")
    for number, each in enumerate(steps, 1):
        selection = each.get("selection", {})
        told = ("right" if each.get("correct") else f"{each.get('score', 0.0):.0%}") if each.get("response") else "open"
        table.add_row(
            str(number),
            escape(bare(each["item"])),
            told,
            ability_of(selection),
            f"{selection.get('information', 0.0):.3f}" if selection else "",
            f"{selection.get('propensity', 0.0):.3f}" if selection else "",
        )
    console.print(table)


def _ability_bar(ability: Json) -> str:
    mean, reach = ability.get("mean", 0.0), _Z90 * ability.get("standardError", 0.0)
    middle, lower, upper = ((each + _REACH) / (2 * _REACH) for each in (mean, mean - reach, mean + reach))
    return interval_bar(middle, lower, upper, width=24).plain
