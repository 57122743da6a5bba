"""The commands `paideia fit ...`: fit models to response files."""

import typer

from cli.fit_irt import fit_irt
from cli.fit_memory import fit_bkt, fit_fsrs


def register(app: typer.Typer) -> None:
    fit = typer.Typer(
        help="Fit models to a file of responses: parameters, how well they fit, and a report.", no_args_is_help=True
    )
    fit.command("bkt")(fit_bkt)
    fit.command("irt")(fit_irt)
    fit.command("fsrs")(fit_fsrs)
    app.add_typer(fit, name="fit", rich_help_panel="Studies")
