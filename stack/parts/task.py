"""A command that ends by itself, such as the migrations: others wait for its success."""

from dataclasses import dataclass

from stack.part import Command, PlainPart


@dataclass
class Task(PlainPart):
    name: str
    what: Command
    after: tuple[str, ...] = ()
    address: str = ""
    runs_once: bool = True

    def command(self) -> Command:
        return self.what
