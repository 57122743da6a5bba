"""Compares trained models that are given as artifacts."""

from collections.abc import Mapping

from domain.inference.response_model import ResponseModel
from domain.inference.trained import TrainedModel, version_of
from domain.shared.errors import InvalidInput
from lab.response_models.dataset import learner_logs
from lab.response_models.splitting import is_unseen
from lab.response_models.study import Comparison, compare
from lab.responses import ResponseLog


def read_model(name: str, artifact: bytes) -> TrainedModel:
    """Raises ValueError saying what is wrong with the artifact."""
    try:
        return TrainedModel.unpacked(artifact)
    except InvalidInput as error:
        raise ValueError(f"{name}: {error.message}") from error


def compare_artifacts(artifacts: Mapping[str, bytes], log: ResponseLog) -> tuple[Comparison, dict[str, str]]:
    """Judges the models by name on those learners of the log whom none of them was trained on; returns their versions, too.

    Raises ValueError for an artifact that cannot be read, and if there is no such learner.
    """
    trained = {name: read_model(name, each) for name, each in artifacts.items()}
    logs = learner_logs(log)
    unseen = [each for each in logs if all(is_unseen(each.learner, one.unseen) for one in trained.values())]
    if not unseen:
        raise ValueError("there is no learner whom none of the models was trained on: train them with the same --seed")
    names = {each.learner for each in unseen}
    models: dict[str, ResponseModel] = {name: each.model for name, each in trained.items()}
    seen = [each for each in logs if each.learner not in names]
    versions = {name: version_of(trained[name].kind, artifact) for name, artifact in artifacts.items()}
    return compare(models, seen, unseen), versions
