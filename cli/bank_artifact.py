"""From the artifact of `paideia fit irt` to the request that publishes its bank."""

import json
from pathlib import Path
from typing import Any

from cli.api import Json

_PARAMETERS = ("slope", "difficulty", "guess")


class NotABank(Exception):
    """The file is no calibration; the message says what is missing."""


def bank_request(path: Path) -> Json:
    """Returns `model`, `calibration` and `items` of the request, with standard errors where the artifact has them. Raises NotABank."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        model = document["model"]
        known = (document.get("statistics") or {}).get("items") or {}
        items = [_item(name, parameters, known.get(name) or {}) for name, parameters in model["items"].items()]
        return {
            "model": f"RESPONSE_MODEL_{str(model['model']).upper()}",
            "calibration": str(document["version"]),
            "items": items,
        }
    except OSError as error:
        raise NotABank(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotABank(f"{path} is no calibration: it must be an irt.json that 'paideia fit irt' wrote") from None


def _item(name: str, parameters: Json, known: Json) -> Json:
    item: dict[str, Any] = {"item": f"items/{name}", **{each: float(parameters[each]) for each in _PARAMETERS}}
    errors = known.get("standard_errors") or {}
    return item | {f"{each}Error": float(errors[each]) for each in _PARAMETERS if errors.get(each) is not None}
