"""The commands `paideia model ...`: train response models, judge them, and roll them out."""

import typer

from cli import model_registry, model_training


def register(app: typer.Typer) -> None:
    model = typer.Typer(no_args_is_help=True, help="Models that predict right answers: train and judge them, and roll them out.")
    model.command()(model_training.train)
    model.command()(model_training.compare)
    model.command("register")(model_registry.register_model)
    model.command("list")(model_registry.list_models)
    for command in (
        model_registry.show,
        model_registry.stage,
        model_registry.rollback,
        model_registry.predict,
        model_registry.explain,
    ):
        model.command()(command)
    app.add_typer(model, name="model", rich_help_panel="Studies")
