"""The command `paideia policy evaluate`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.fit_sharing import fail, progress
from cli.session import JsonOption

POOR_OVERLAP = 4


def evaluate(
    log: Annotated[Path, typer.Option(help="Decisions with their outcomes, .parquet or .jsonl.")],
    policy: Annotated[str, typer.Option(help="live (the built-in policy), or a JSON file with a definition.")],
    reward: Annotated[
        str, typer.Option(help="gain: how far the answer moved mastery of the item's skills; correct: whether it was right.")
    ] = "gain",
    clip: Annotated[float, typer.Option(min=1.0, help="The greatest weight of a decision.")] = 50.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Estimate from a log what another policy would have earned, or refuse if the log cannot tell.

    Exit code 0: estimated. 2: the log or the policy cannot be read. 4: poor overlap, nothing is estimated.
    """
    from lab.evaluation.evaluating import CannotTell, follow
    from lab.simulation.naming import CannotSimulate

    try:
        followed = follow(log, policy, reward)
        with progress("following decisions", followed.decisions) as show:
            found = followed.estimates(clip, seed, show)
    except CannotTell as refusal:
        Console(stderr=True).print(f"[yellow]{refusal}[/yellow]", highlight=False, soft_wrap=True)
        raise typer.Exit(POOR_OVERLAP) from None
    except CannotSimulate as refusal:
        fail(str(refusal))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(
        f"{found['decisions']:,} decisions of {found['learners']:,} learners, worth {found['effective_size']:,.0f} of this policy's; "
        f"weights above {found['clip']:g} cut: {found['clipped']:.2%}; mean weight {found['support']['value']:.3f}."
    )
    table = Table("", f"mean {found['reward']} a decision", "95 % interval", box=None, header_style="dim")
    for name, label in (
        ("logged", "as logged"),
        ("ips", "policy, inverse propensity"),
        ("snips", "policy, self-normalized"),
        ("doubly_robust", "policy, doubly robust"),
    ):
        of = found[name]
        table.add_row(label, f"{of['value']:.4f}", f"{of['lower']:.4f} to {of['upper']:.4f}")
    console.print(table)
