"""`paideia fit bkt` and `paideia fit fsrs`.

The laboratory is imported by the commands that use it: it loads matplotlib and pyarrow, for which no other command should wait.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.fit_sharing import OutOption, ResponsesOption, end, give, progress, read, told
from cli.stack_commands import JsonOption

if TYPE_CHECKING:
    from lab.fitting.artifact import Document


def fit_bkt(
    responses: ResponsesOption,
    forget: Annotated[bool, typer.Option("--forget", help="Let mastery be lost, too.")] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit knowledge tracing: prior, learn, guess and slip of every skill, and how well they predict unseen learners.

    An answer to an item with several skills counts for each of them, and is predicted and judged once. With --out, writes bkt.json and
    bkt.html.

    Exit code 0: fitted. 2: it could not be done. 3: fitted, but the file has bad rows, which were left out.
    """
    from lab.fitting.artifact import source_of
    from lab.fitting.bkt import FOLDS, study_bkt
    from lab.fitting.reports import bkt_report

    log = read(responses)
    with told(), progress("fitting", FOLDS + 1) as done:
        study = study_bkt(log, forget=forget, after_each=done)
        document = study.document(source_of(responses))
    give("bkt", document, lambda: bkt_report(study, document["version"]), out, as_json)
    if not as_json:
        named = ["skill", "prior", "learn", "guess", "slip", *(["forget"] if forget else [])]
        rows = [(name, *(each[field] for field in named[1:])) for name, each in document["model"]["skills"].items()]
        _show(document, "unseen_learners", "unseen_learners_by_share_of_right_answers", "each skill's share right", named, rows)
    end(log)


def fit_fsrs(
    responses: ResponsesOption,
    time_zone: Annotated[str, typer.Option(help="The learners' time zone, such as Europe/Berlin.")] = "UTC",
    day_begins: Annotated[int, typer.Option(min=0, max=23, help="The hour at which a day begins.")] = 4,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit forgetting: the 21 weights of FSRS-6, and how well they predict recall of unseen learners.

    The file needs the column occurred_at. A column rating (1 again, 2 hard, 3 good, 4 easy) is used where it has a value; else right is
    good and wrong is again. With --out, writes fsrs.json and fsrs.html.

    Exit code 0: fitted. 2: it could not be done. 3: fitted, but the file has bad rows, which were left out.
    """
    from lab.fitting.artifact import source_of
    from lab.fitting.fsrs import FOLDS, study_fsrs
    from lab.fitting.reports import WEIGHT_NAMES, fsrs_report

    log = read(responses)
    with told(), progress("fitting", FOLDS + 1) as done:
        study = study_fsrs(log, zone=_zone(time_zone), day_begins=day_begins, after_each=done)
        document = study.document(source_of(responses))
    give("fsrs", document, lambda: fsrs_report(study, document["version"]), out, as_json)
    if not as_json:
        weights = zip(WEIGHT_NAMES, document["model"]["weights"], document["statistics"]["standard_deviations"], strict=True)
        rows = [(f"w{number} {name}", weight, deviation) for number, (name, weight, deviation) in enumerate(weights)]
        _show(document, "unseen", "unseen_by_default_weights", "default weights", ["weight", "fitted", "±"], rows)
    end(log)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; names are like Europe/Berlin") from None


def _show(
    document: "Document", quality: str, rival: str, rival_name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    console = Console()
    console.print(f"version {document['version']}", highlight=False)
    table = Table("predictions of what was not fitted on", "answers", "AUC", "log-loss", "calibration error")
    for label, name in (("fitted", quality), (rival_name, rival)):
        table.add_row(label, *(str(each) for each in document["statistics"][name].values()))
    console.print(table)
    table = Table(*columns)
    for row in rows:
        table.add_row(*("–" if each is None else f"{each:.4g}" if isinstance(each, float) else escape(str(each)) for each in row))
    console.print(table)
