"""How commands reach the platform: the option that says where, and one clear sentence when it does not work."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from cli.api import Api, CannotReach, Refused, find_access
from stack.home import find_home

Result = TypeVar("Result")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

FAILED, WRONG = 1, 2


def with_platform(home: Path | None, work: Callable[[Api], Awaitable[Result]], patience: float = 30.0) -> Result:
    """Runs `work` with a signed-in client. Refusals and failures end the command with a sentence and exit code 1."""

    async def run() -> Result:
        async with Api(find_access(find_home(home).path), patience=patience) as api:
            return await work(api)

    try:
        return asyncio.run(run())
    except (CannotReach, Refused) as error:
        fail(str(error))


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    Console(stderr=True).print(Text(sentence, style="red"), soft_wrap=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def bare(name: str) -> str:
    """The id at the end of a resource name."""
    return name.rpartition("/")[2]
