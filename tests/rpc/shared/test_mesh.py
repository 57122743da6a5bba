"""Mutual TLS between processes: who is let in, who is believed, and certificates that change under calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from paideia.catalog.v1.catalog_service_pb2 import GetPublicationRequest, Publication
from paideia.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    CatalogServiceStub,
    add_CatalogServiceServicer_to_server,
)

from adapters.shared.grpc import Channels
from adapters.shared.mesh import MeshCertificates, UnreadableCertificates, workload_of
from domain.shared.clock import system_clock
from domain.shared.errors import Unauthenticated, Unavailable
from services.host.host import service_of
from services.shared.pipeline import Pipeline
from services.shared.rules import rules_of
from stack.certificates import Certificates
from tests.rpc.serving import MESH_KEY, PlainTokens

PUBLICATION = GetPublicationRequest(course="courses/sql")


class Catalog(CatalogServiceServicer):
    async def GetPublication(self, request: GetPublicationRequest, context: Any) -> Publication:
        await asyncio.sleep(0.005)
        return Publication()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "certificates", settle=lambda: None)
    for name in ("catalog", "scheduler", "paths"):
        made.ensure_workload(name)
    return made


@asynccontextmanager
async def catalog(certificates: Certificates) -> AsyncIterator[str]:
    """Serves as the host does; yields the address."""
    pipeline = Pipeline(PlainTokens(), rules_of(service_of("catalog")), workload_of=workload_of)
    server = grpc.aio.server()
    add_CatalogServiceServicer_to_server(Catalog(), pipeline.around(server))
    port = server.add_secure_port("127.0.0.1:0", MeshCertificates(certificates.workload("catalog")).server_credentials())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def calling(address: str, folder: Path | None, name: str, context: str = "catalog") -> AsyncIterator[Channels]:
    mesh = MeshCertificates(folder) if folder else None
    channels = Channels({context: address}, MESH_KEY, name, system_clock, mesh)
    watching = asyncio.create_task(mesh.watch(channels.renew)) if mesh else None
    try:
        yield channels
    finally:
        if watching:
            watching.cancel()
        await channels.close()


async def ask(channels: Channels, context: str = "catalog") -> Publication:
    method = channels.stub(CatalogServiceStub, context).GetPublication
    return await channels.call(context, method, PUBLICATION, "north", timeout=3)


async def test_a_workload_is_let_in_with_a_token_of_its_own(certificates: Certificates) -> None:
    async with catalog(certificates) as address, calling(address, certificates.workload("scheduler"), "scheduler") as scheduler:
        assert await ask(scheduler) == Publication()


async def test_a_token_is_refused_from_a_workload_that_it_does_not_name(certificates: Certificates) -> None:
    async with catalog(certificates) as address, calling(address, certificates.workload("paths"), "scheduler") as thief:
        with pytest.raises(Unauthenticated, match="workload"):
            await ask(thief)


async def test_nobody_is_let_in_without_a_certificate_of_the_mesh(certificates: Certificates, tmp_path: Path) -> None:
    strange = Certificates(tmp_path / "strange").ensure_workload("scheduler")
    # Its own certificate, but it believes in the authority of the mesh.
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name, source in (("tls.crt", strange), ("tls.key", strange), ("ca.crt", certificates.workload("catalog"))):
        (mixed / name).write_bytes((source / name).read_bytes())
    async with catalog(certificates) as address:
        for folder in (None, strange, mixed):
            async with calling(address, folder, "scheduler") as outsider:
                with pytest.raises(Unavailable):
                    await ask(outsider)


async def test_a_client_does_not_talk_to_another_context_than_it_means(certificates: Certificates) -> None:
    async with (
        catalog(certificates) as address,
        calling(address, certificates.workload("scheduler"), "scheduler", "progress") as deceived,
    ):
        with pytest.raises(Unavailable):
            await ask(deceived, "progress")


async def test_certificates_and_authorities_change_under_calls_and_none_fails(certificates: Certificates) -> None:
    failures: list[Exception] = []
    done = asyncio.Event()
    count = 0

    async def kept(channels: Channels) -> None:
        nonlocal count
        while not done.is_set():
            try:
                await ask(channels)
                count += 1
            except Exception as error:
                failures.append(error)

    async def fresh(address: str) -> None:
        nonlocal count
        while not done.is_set():
            async with calling(address, certificates.workload("paths"), "paths") as channels:
                try:
                    await ask(channels)
                    count += 1
                except Exception as error:
                    failures.append(error)

    async with (
        catalog(certificates) as address,
        calling(address, certificates.workload("scheduler"), "scheduler") as scheduler,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(4):
            group.create_task(kept(scheduler))
        group.create_task(fresh(address))
        for authorities in (False, True, True):
            await asyncio.to_thread(certificates.rotate, authorities)
            await asyncio.sleep(1.3)  # clients look at their files every second
        done.set()
    assert failures == []
    assert count > 50


def test_a_folder_without_certificates_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCertificates, match=str(tmp_path)):
        MeshCertificates(tmp_path)


def test_files_that_cannot_be_read_leave_the_process_with_what_it_has(certificates: Certificates) -> None:
    mesh = MeshCertificates(certificates.workload("catalog"))
    key = certificates.workload("catalog") / "tls.key"
    key.unlink()
    assert mesh.refresh() is False
    key.symlink_to("..data/tls.key")
    certificates.rotate()
    assert mesh.refresh() is True
