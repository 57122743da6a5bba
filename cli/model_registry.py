"""`paideia model register | list | show | stage | rollback | predict | explain`: models that the platform serves."""

import base64
import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.api import Api, Json
from cli.model_training import MODEL
from cli.session import WRONG, HomeOption, JsonOption, bare, fail, print_json, with_platform

ModelArgument = Annotated[str, typer.Argument(help="The model's id.")]
LearnerArgument = Annotated[str, typer.Argument(help="The learner's id.")]
ModelOption = Annotated[str, typer.Option("--model", help="The model to ask; left out, the one that serves the learner.")]


class Stage(StrEnum):
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"


def register_model(
    model: Annotated[str, typer.Argument(help="The id it is to have.")],
    file: Annotated[Path, typer.Option("--from", help="What `paideia model train` wrote: model.paideia or its directory.")],
    description: Annotated[str, typer.Option(help="What people should know of it.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a trained model as a draft, which predicts for nobody yet. It can never be changed."""
    path = file / MODEL if file.is_dir() else file
    try:
        artifact = path.read_bytes()
    except OSError as problem:
        fail(f"{path}: {problem.strerror}", WRONG)
    body: Json = {
        "requestId": str(uuid4()),
        "modelId": model,
        "artifact": base64.b64encode(artifact).decode(),
        "digest": hashlib.sha256(artifact).hexdigest(),
        "description": description,
    }
    made = with_platform(home, lambda api: api.post("/v1/models", body))
    _told(made, as_json, f"{model} is a draft. Next: paideia model stage {model} shadow")


def list_models(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the models with their stages and how they were judged."""

    async def work(api: Api) -> list[Json]:
        found: list[Json] = []
        token = ""
        while True:
            page = await api.get("/v1/models", page_size=200, page_token=token)
            found += page.get("models", [])
            if not (token := page.get("nextPageToken", "")):
                return found

    models = with_platform(home, work)
    if as_json:
        print_json({"models": models})
        return
    table = Table("model", "kind", "stage", "share", "AUC", "replaced", "description", box=None, header_style="dim")
    for each in models:
        quality = each.get("evaluation", {}).get("quality", {})
        cells = bare(each["name"]), each["kind"], _stage_of(each), _share_of(each), str(quality.get("auc", ""))
        table.add_row(*map(escape, (*cells, bare(each.get("replaced", "")), each.get("description", ""))))
    Console(highlight=False).print(table)


def show(model: ModelArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show a model: its stage, how it was judged, and who staged it when."""
    found = with_platform(home, lambda api: api.get(f"/v1/models/{model}"))
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    share = _share_of(found)
    console.print(f"[bold]{escape(model)}[/bold]: {_stage_of(found)}{f' for {share} of the learners' if share else ''}.")
    console.print(
        f"{found['version']}, {int(found['artifactSize']):,} bytes, SHA-256 {found['digest']}", style="dim", soft_wrap=True
    )
    if about := found.get("description", ""):
        console.print(escape(about), style="dim", soft_wrap=True)
    table = Table("judged on learners whom it was not trained on", "", box=None, header_style="dim")
    for name, values in sorted(found.get("evaluation", {}).items()):
        text = ", ".join(f"{key} {value}" for key, value in sorted(values.items())) if isinstance(values, dict) else str(values)
        table.add_row(escape(name), escape(text))
    console.print(table)
    for each in found.get("changes", []):
        by = escape(bare(each.get("user", "")))
        console.print(f"{each['changeTime']}  {_stage_of(each)} {_share_of(each)}  by {by}", style="dim")


def stage(
    model: ModelArgument,
    to: Annotated[Stage, typer.Argument(help="Where it goes; its own stage changes the share.")],
    share: Annotated[float, typer.Option(help="The share of learners, for shadow (0.1 if left out) and canary.")] = 0.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a model on: draft, shadow, canary, live; or retire it."""

    async def work(api: Api) -> Json:
        # Somebody else may have staged it since it was looked at: then nothing is done.
        etag = (await api.get(f"/v1/models/{model}")).get("etag", "")
        body = {"requestId": str(uuid4()), "stage": f"MODEL_STAGE_{to.name}", "share": share, "etag": etag}
        return await api.post(f"/v1/models/{model}:stage", body)

    staged = with_platform(home, work)
    shown = _share_of(staged)
    _told(staged, as_json, f"{model} is {_stage_of(staged)}{f' for {shown} of the learners' if shown else ''} now.")


def rollback(model: ModelArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take a live model back: what it had replaced is live again."""
    done = with_platform(home, lambda api: api.post(f"/v1/models/{model}:rollBack", {"requestId": str(uuid4())}))
    live = bare(done.get("live", {}).get("name", ""))
    _told(done, as_json, f"{model} is retired; {f'{live} is live again' if live else 'nothing had been live before it'}.")


def predict(
    learner: LearnerArgument,
    items: Annotated[list[str], typer.Argument(help="The items' ids.")],
    model: ModelOption = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict how likely a learner is to answer items right."""
    body = {"items": [{"item": f"items/{each}"} for each in items], "model": f"models/{model}" if model else ""}
    found = with_platform(home, lambda api: api.post(f"/v1/learners/{learner}:predictResponses", body))
    if as_json:
        print_json(found)
        return
    table = Table("item", "P(correct)", "", box=None, header_style="dim")
    for each in found["predictions"]:
        note = "" if each.get("itemKnown") else "not trained on"
        table.add_row(escape(bare(each["item"])), f"{each['correctProbability']:.3f}", note)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"by {escape(bare(found['model']))} from {found.get('historySize', 0)} answers", style="dim")


def explain(
    learner: LearnerArgument,
    item: Annotated[str, typer.Argument(help="The item's id.")],
    model: ModelOption = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in plain words what moves a prediction, and by how much."""
    body = {"item": {"item": f"items/{item}"}, "model": f"models/{model}" if model else ""}
    found = with_platform(home, lambda api: api.post(f"/v1/learners/{learner}:explainPrediction", body))
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    console.print(escape(found["text"]))
    table = Table("part", "points", "what is known", box=None, header_style="dim")
    for each in found.get("factors", []):
        table.add_row(escape(each["name"]), f"{100 * each.get('effect', 0.0):+.1f}", escape(each["fact"]))
    console.print(table)
    console.print(f"by {escape(bare(found['model']))} from {found.get('historySize', 0)} answers", style="dim")


def _stage_of(each: Json) -> str:
    return str(each.get("stage", "")).removeprefix("MODEL_STAGE_").lower()


def _share_of(each: Json) -> str:
    share = float(each.get("share", 0.0))
    return f"{share:.1%}" if share else ""


def _told(answer: Json, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(answer)
    else:
        print(sentence)
