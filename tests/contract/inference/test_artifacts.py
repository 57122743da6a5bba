"""Where artifacts lie, in memory and in an S3 store, and the shelf that serves models from them."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from adapters.inference.memory import AtOnce, MemoryArtifacts
from adapters.inference.s3 import S3Artifacts
from adapters.inference.shelf import MOST_MODELS, ArtifactDamaged, CachedShelf, Threads
from domain.inference.artifact import digest_of
from domain.inference.model import RegisteredModel
from domain.inference.ports import ArtifactStore
from domain.shared.errors import Unavailable
from tests.unit.inference.making import artifact, registered


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    if request.param == "memory":
        return MemoryArtifacts()
    s3 = request.getfixturevalue("s3")
    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    return S3Artifacts(client, s3.bucket)


def model(kind: str = "logistic") -> RegisteredModel:
    return replace(registered(kind=kind), digest=digest_of(artifact(kind)))


async def test_an_artifact_comes_back_and_a_repeat_changes_nothing(store: ArtifactStore) -> None:
    north = f"north-{uuid4()}"
    for _ in range(2):
        await store.put(north, "abc", artifact())
    assert await store.get(north, "abc") == artifact()
    with pytest.raises(Unavailable):
        await store.get(f"south-{uuid4()}", "abc")


async def test_a_store_that_is_away_says_so() -> None:
    nowhere = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(connect_timeout=1, retries={"max_attempts": 1}),
    )
    with pytest.raises(Unavailable):
        await S3Artifacts(nowhere, "models").get("north", "abc")


class Counting(MemoryArtifacts):
    def __init__(self) -> None:
        super().__init__()
        self.gets = 0

    async def get(self, organization: str, digest: str) -> bytes:
        self.gets += 1
        await asyncio.sleep(0)
        return await super().get(organization, digest)


async def test_a_model_is_fetched_once_however_many_ask() -> None:
    store, compute = Counting(), Threads()
    shelf = CachedShelf(store, compute)
    await store.put("north", model().digest, artifact())
    found = await asyncio.gather(*(shelf.get("north", model()) for _ in range(20)))
    assert (store.gets, len(set(map(id, found)))) == (1, 1)
    await compute.close()


async def test_what_failed_is_tried_again_and_a_caller_who_gives_up_spoils_it_for_nobody() -> None:
    store = Counting()
    shelf = CachedShelf(store, AtOnce())
    with pytest.raises(Unavailable):
        await shelf.get("north", model())
    await store.put("north", model().digest, artifact())
    first = asyncio.create_task(shelf.get("north", model()))
    await asyncio.sleep(0)
    first.cancel()
    assert (await shelf.get("north", model())).kind == "logistic"


async def test_an_artifact_that_was_changed_in_the_store_is_never_used() -> None:
    store = MemoryArtifacts()
    await store.put("north", model().digest, artifact("boosting"))
    with pytest.raises(ArtifactDamaged):
        await CachedShelf(store, AtOnce()).get("north", model())


async def test_a_shelf_has_its_limits() -> None:
    store = Counting()
    shelf = CachedShelf(store, AtOnce())
    for number in range(MOST_MODELS + 1):
        await store.put(f"org-{number}", model().digest, artifact())
        await shelf.get(f"org-{number}", model())
    await shelf.get(f"org-{MOST_MODELS}", model())
    assert store.gets == MOST_MODELS + 1
    await shelf.get("org-0", model())
    assert store.gets == MOST_MODELS + 2
