"""The `paideia` command. Every module `cli/<something>_commands.py` adds its commands by its own `register(app)`."""

import importlib
import pkgutil

import typer

import cli


def build() -> typer.Typer:
    """Returns the application with the commands of every module."""
    app = typer.Typer(
        name="paideia",
        help="Runs and uses Paideia, the platform that decides what each learner should practise next.\n\n"
        "Begin with: paideia up, then paideia load fractions, then paideia practice.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,  # they may hold a password
        rich_markup_mode="rich",
    )
    for module in sorted(each.name for each in pkgutil.iter_modules(cli.__path__) if each.name.endswith("_commands")):
        importlib.import_module(f"cli.{module}").register(app)
    return app


def main() -> None:
    build()()


if __name__ == "__main__":
    main()
