from dataclasses import dataclass

from domain.progress.versions import ModelVersion, ModelVersions


@dataclass(frozen=True, slots=True)
class GetModelVersion:
    """One version of the model, the same for every organization."""

    models: ModelVersions

    async def __call__(self, version: str) -> ModelVersion:
        """Raises ModelVersionNotFound."""
        return self.models.get(version)
