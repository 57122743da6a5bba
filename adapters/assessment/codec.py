"""Items, answers and what tests are made of as JSON: every dataclass is an object whose `type` says which, so that reading needs no
schema.

What is written stays: a name in `_TYPES` never changes its meaning, and a new field of a dataclass has a default.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any

import orjson

from domain.assessment.model import answers, items
from domain.assessment.testing import balance, banks, blueprints, norms, sessions

_TYPES: dict[str, type[Any]] = {
    each.__name__: each
    for each in (
        items.Option,
        items.ChoiceInteraction,
        items.NumericInteraction,
        items.ShortTextInteraction,
        items.OrderingInteraction,
        items.MatchingInteraction,
        items.Gap,
        items.ClozeInteraction,
        items.Body,
        items.ChoiceKey,
        items.NumericKey,
        items.ShortTextKey,
        items.OrderingKey,
        items.MatchingKey,
        items.ClozeKey,
        items.Key,
        items.Item,
        answers.ChoiceAnswer,
        answers.NumericAnswer,
        answers.ShortTextAnswer,
        answers.OrderingAnswer,
        answers.MatchingAnswer,
        answers.ClozeAnswer,
        banks.CalibratedItem,
        balance.ContentArea,
        norms.Prior,
        norms.NormalNorm,
        norms.TableNorm,
        blueprints.Randomesque,
        blueprints.SympsonHetter,
        blueprints.AdaptiveForm,
        blueprints.FixedForm,
        blueprints.Retakes,
        blueprints.PoolItem,
        blueprints.Blueprint,
        sessions.Score,
        sessions.Selection,
        sessions.AreaResult,
        sessions.Result,
    )
}
_NAMES = {kind: (name, tuple(each.name for each in fields(kind))) for name, kind in _TYPES.items()}
# Neither is a dataclass, and both are made of what these attributes say.
for _kind, _attributes in ((blueprints.Visibility, ("value",)), (timedelta, ("days", "seconds", "microseconds"))):
    _TYPES[_kind.__name__] = _kind
    _NAMES[_kind] = (_kind.__name__, _attributes)


def encode(value: object) -> str:
    return orjson.dumps(_plain(value)).decode()


def decode(text: str) -> Any:
    return _restored(orjson.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        # As pairs: an author's key may be called `type`, too.
        return {"type": "map", "entries": [[key, _plain(each)] for key, each in value.items()]}
    if (known := _NAMES.get(type(value))) is not None:
        return {"type": known[0]} | {name: _plain(getattr(value, name)) for name in known[1]}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_restored(each) for each in value)
    if not isinstance(value, dict):
        return value
    kind = value.pop("type")
    if kind == "map":
        return {key: _restored(each) for key, each in value["entries"]}
    return _TYPES[kind](**{name: _restored(each) for name, each in value.items()})
