"""Puts the audit log together."""

import base64
import binascii
import hmac

from dependency_injector import containers, providers
from paideia.audit.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.audit.ed25519 import Ed25519HeadSigner
from adapters.audit.postgres import PostgresAuditUnit
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.resources import MissingSecret, Resources, Settings
from domain.audit.use_cases.get_head import GetHead
from domain.audit.use_cases.list_acts import ListActs
from domain.audit.use_cases.record_acts import RecordActs
from domain.audit.use_cases.verify_acts import VerifyActs
from domain.shared.clock import Clock
from services.audit.consumers import ACTS, IDENTITY_EVENTS, Acts
from services.audit.servicer import AuditServicer
from services.shared.context import Context

# Acts of people who are waiting for nothing: each batch of them costs a transaction, a signature and a write to the log's storage.
_REST_SECONDS = 0.5


class AuditContainer(containers.DeclarativeContainer):
    """`unit` is what a test replaces; `key` are the 32 bytes that heads are signed with, `earlier_keys` the public keys of those before it."""

    engine = providers.Dependency(instance_of=AsyncEngine)
    clock: providers.Dependency[Clock] = providers.Dependency()
    key = providers.Dependency(instance_of=bytes)
    earlier_keys = providers.Dependency(instance_of=tuple, default=())

    unit = providers.Factory(PostgresAuditUnit, engine)
    signer = providers.Singleton(Ed25519HeadSigner, key, earlier_keys)
    servicer = providers.Factory(
        AuditServicer,
        list_acts=providers.Factory(ListActs, new_unit=unit.provider),
        verify_acts=providers.Factory(VerifyActs, new_unit=unit.provider, signer=signer),
        get_head=providers.Factory(GetHead, new_unit=unit.provider),
        signer=signer,
    )
    acts = providers.Factory(Acts, record_acts=providers.Factory(RecordActs, new_unit=unit.provider, signer=signer, clock=clock))


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("audit")
    container = AuditContainer(
        engine=providers.Object(engine),
        clock=providers.Object(resources.clock),
        key=providers.Object(_key(resources.settings)),
        earlier_keys=_earlier_keys(resources.settings),
    )
    try:
        container.signer()
    except ValueError:
        raise ValueError("the secret audit_public_keys_previous must be lines of base64url of 32 bytes") from None
    consumer = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "audit",
        [ACTS, IDENTITY_EVENTS],
        container.acts(rest=_REST_SECONDS),
        resources.producer(),
        leisurely=True,
    )

    async def ready() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    return Context(
        name="audit",
        add_to_server=lambda server: add_AuditServiceServicer_to_server(container.servicer(), server),
        ready=ready,
        jobs=(consumer.run,),
        publishes=True,
    )


def _key(settings: Settings) -> bytes:
    """The secret audit_key; an installation that has none yet signs with a key derived from the mesh's."""
    try:
        key = base64.b64decode(settings.secret("audit_key"), validate=True)
    except MissingSecret:
        return hmac.digest(settings.secret("mesh_key").encode(), b"audit heads", "sha256")
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("the secret audit_key must be base64 of 32 bytes")
    return key


def _earlier_keys(settings: Settings) -> tuple[str, ...]:
    """The public keys of earlier values of audit_key, one a line, the latest first."""
    try:
        return tuple(settings.secret("audit_public_keys_previous").split())
    except MissingSecret:
        return ()
