from dataclasses import dataclass

from domain.progress.versions import ModelVersion, ModelVersions
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListModelVersions:
    """The versions of the model that can be evaluated, newest first."""

    models: ModelVersions

    async def __call__(self, request: PageRequest) -> Page[ModelVersion]:
        return self.models.page(request)
