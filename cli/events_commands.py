"""`paideia events topics | tail | lag | replay | dlq list | dlq show | dlq replay`: the log of events, its consumers, its dead letters."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cli.event_log import DEAD_LETTERS, Entry, EventLog, LogFailed, dead_letters_of
from stack.home import find_home
from stack.record import read_record

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
BootstrapOption = Annotated[
    str,
    typer.Option(
        "--bootstrap", envvar="PAIDEIA_KAFKA_BOOTSTRAP", help="The broker, if not that of the stack.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TopicArgument = Annotated[str, typer.Argument(help="Such as user.attempts.")]

FAILED, WRONG = 1, 2


def register(app: typer.Typer) -> None:
    events = typer.Typer(
        no_args_is_help=True,
        help="The log of events: its topics, what passes, how far its consumers are, and what they could not handle.",
    )
    for command in (topics, tail, lag, replay):
        events.command()(command)
    letters = typer.Typer(
        no_args_is_help=True,
        help="Dead letters: events that a consumer failed to handle, or whose type it does not know. See why, mend the cause, replay them.",
    )
    letters.command("list")(list_letters)
    letters.command("show")(show_letter)
    letters.command("replay")(replay_letters)
    events.add_typer(letters, name="dlq")
    app.add_typer(events, name="events", rich_help_panel="The stack on this machine")


def topics(home: HomeOption = None, bootstrap: BootstrapOption = "", as_json: JsonOption = False) -> None:
    """List the topics, and about how many events each holds."""
    with _log(home, bootstrap, as_json) as log:
        found = [
            {"topic": name, "partitions": partitions, "events": sum(high - low for low, high in log.extent(name))}
            for name, partitions in log.topics().items()
        ]
    if as_json:
        _print_json({"topics": found})
    else:
        _print_table(("topic", "partitions", "events (about)"), [tuple(each.values()) for each in found])


def tail(
    topic: TopicArgument,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many of the newest.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    home: HomeOption = None,
    bootstrap: BootstrapOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show the newest events of a topic; with --json, one object a line."""
    with _log(home, bootstrap, as_json) as log:
        entries = log.read(topic, last=lines, follow=follow)
        if not follow:
            newest = sorted(entries, key=lambda each: each.sent_at)
            entries = iter(newest[max(0, len(newest) - lines) :])
        for each in entries:
            if as_json:
                print(json.dumps(each.as_json()), flush=True)
            else:
                print(f"{each.sent_at:%Y-%m-%d %H:%M:%S} {each.partition}/{each.offset} {each.key} {_short(each)}", flush=True)


def lag(
    group: Annotated[str, typer.Argument(help="Such as progress; all consumer groups if left out.")] = "",
    home: HomeOption = None,
    bootstrap: BootstrapOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show how far each consumer group is behind, and since when its oldest unhandled event waits."""
    with _log(home, bootstrap, as_json) as log:
        names = [each for each in log.topics() if not each.endswith(DEAD_LETTERS)]
        known = log.groups()
        if group and group not in known:
            _fail(f"there is no consumer group {group}; there are: {', '.join(known) or 'none'}", as_json)
        found = log.lags([group] if group else known, names)
        working = {name: log.is_working(name) for name in {each.group for each in found}}
    rows = [
        {
            "group": each.group,
            "working": working[each.group],
            "topic": each.topic,
            "partition": each.partition,
            "handled": each.handled,
            "end": each.end,
            "lag": each.messages,
            "waits_since": each.waits_since.isoformat() if each.waits_since else "",
        }
        for each in found
    ]
    if as_json:
        _print_json({"lags": rows})
    elif not rows:
        print("no consumer group has handled anything yet")
    else:
        _print_table(tuple(rows[0]), [tuple(each.values()) for each in rows])


def replay(
    topic: TopicArgument,
    group: Annotated[str, typer.Option("--group", "-g", help="The consumer group that is to handle the events again.")],
    since: Annotated[
        str, typer.Option("--from", help="A moment, such as 2026-09-01T08:00:00Z (UTC unless it says), or `beginning`.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come again.")] = False,
    home: HomeOption = None,
    bootstrap: BootstrapOption = "",
    as_json: JsonOption = False,
) -> None:
    """Have a consumer group handle a topic again, from a moment on. Its processes must be stopped meanwhile.

    An event that the group has counted is not counted again: this is for a consumer that begins with an empty store, or has lost a part.
    """
    moment = _moment(since, as_json)
    with _log(home, bootstrap, as_json) as log:
        if not dry_run and log.is_working(group):
            _fail(f"the group {group} is working: stop its processes first", as_json)
        places = log.places_at(topic, moment)
        if not dry_run:
            log.move(group, topic, [start for start, _ in places])
    count = sum(end - start for start, end in places)
    if as_json:
        partitions = [{"partition": number, "from": start, "end": end} for number, (start, end) in enumerate(places)]
        _print_json({"topic": topic, "group": group, "events": count, "moved": not dry_run, "partitions": partitions})
    else:
        print(f"{group} {'would handle' if dry_run else 'will handle'} {count} events of {topic} again")


def _moment(text: str, as_json: bool) -> datetime | None:
    if text == "beginning":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"--from must be a moment such as 2026-09-01T08:00:00Z, or `beginning`, not {text!r}", as_json, WRONG)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > datetime.now(UTC):
        _fail("--from must not be in the future", as_json, WRONG)
    return moment


def list_letters(
    topic: Annotated[str, typer.Argument(help="Such as user.attempts; all topics if left out.")] = "",
    home: HomeOption = None,
    bootstrap: BootstrapOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the dead letters: where each was, who could not handle it and why."""
    with _log(home, bootstrap, as_json) as log:
        names = [dead_letters_of(topic)] if topic else [each for each in log.topics() if each.endswith(DEAD_LETTERS)]
        done = {name: log.replayed_up_to(name) for name in names}
        letters = [_letter(each, each.offset < done[each.topic]) for each in log.read(*names)] if names else []
    if as_json:
        _print_json({"dead_letters": letters})
    elif not letters:
        print("no dead letters")
    else:
        columns = ("topic", "offset", "event", "key", "consumer", "reason", "error", "replayed")
        _print_table(columns, [tuple(each[column] for column in columns) for each in letters])


def show_letter(
    topic: TopicArgument,
    offset: Annotated[int, typer.Argument(min=0, help="As listed.")],
    home: HomeOption = None,
    bootstrap: BootstrapOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter whole."""
    with _log(home, bootstrap, as_json) as log:
        entry = log.entry(dead_letters_of(topic), offset)
    if as_json:
        _print_json(entry.as_json())
    else:
        Console().print_json(data=entry.as_json())


def replay_letters(
    topic: TopicArgument,
    offset: Annotated[int | None, typer.Option(min=0, help="Only this one.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    home: HomeOption = None,
    bootstrap: BootstrapOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send dead letters to their topic again. Safe to repeat: consumers count an event once."""
    if (offset is None) is not everything:
        _fail("say either --offset N or --all", as_json, WRONG)
    with _log(home, bootstrap, as_json) as log:
        name = dead_letters_of(topic)
        if offset is not None:
            count = log.replay([log.entry(name, offset)])
        else:
            done = log.replayed_up_to(name)
            letters = [each for each in log.read(name) if each.offset >= done]
            count = log.replay(letters)
            if letters:
                log.mark_replayed(name, letters[-1].offset + 1)
    _print_json({"replayed": count}) if as_json else print(f"replayed: {count}")


@contextmanager
def _log(home: Path | None, bootstrap: str, as_json: bool) -> Iterator[EventLog]:
    if not bootstrap:
        record = read_record(find_home(home).record)
        part = record.parts.get("broker") if record else None
        bootstrap = part.address if part else ""
    if not bootstrap:
        _fail("no stack runs here: start it with `paideia up`, or name a broker with --bootstrap", as_json)
    log = EventLog(bootstrap)
    try:
        yield log
    except LogFailed as error:
        _fail(str(error), as_json)
    except KeyboardInterrupt:
        return
    finally:
        log.close()


def _letter(entry: Entry, replayed: bool) -> dict[str, Any]:
    return {
        "topic": entry.headers.get("dlq_topic", entry.topic.removesuffix(DEAD_LETTERS)),
        "offset": entry.offset,
        "event": entry.headers.get("ce_id", ""),
        "key": entry.key,
        "consumer": entry.headers.get("dlq_group", ""),
        "reason": entry.headers.get("dlq_reason", "POISON"),
        "error": entry.headers.get("dlq_error", ""),
        "time": entry.headers.get("dlq_time", ""),
        "replayed": replayed,
    }


def _short(entry: Entry) -> str:
    content = entry.content()
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _print_table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:  # a name that is cut off names nothing
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(str(each) for each in row))
    Console().print(table)


def _print_json(what: dict[str, Any]) -> None:
    print(json.dumps(what, indent=2))


def _fail(text: str, as_json: bool, code: int = FAILED) -> NoReturn:
    if as_json:
        _print_json({"error": text})
    else:
        print(text, file=sys.stderr)
    raise typer.Exit(code)
