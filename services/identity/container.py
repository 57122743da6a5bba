"""Identity, put together."""

import asyncio
import base64
import binascii
import secrets

from dependency_injector import containers, providers
from paideia.identity.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.identity.argon2 import Argon2Passwords
from adapters.identity.jose import JoseSigner
from adapters.identity.postgres import PostgresIdentityUnit, PostgresPlatformUnit
from adapters.identity.smtp import MailServer, SmtpCarrier, WrongMailServer
from adapters.identity.vault import AesVault
from adapters.identity.webauthn import WebAuthnRelyingParty
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import MissingSecret, Resources, Settings
from domain.identity.model import OrganizationAlreadyExists
from domain.identity.use_cases.change_password import ChangePassword
from domain.identity.use_cases.create_user import CreateUser
from domain.identity.use_cases.create_users import CreateUsers
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.deactivate_user import DeactivateUser
from domain.identity.use_cases.deliver_mails import DeliverMails
from domain.identity.use_cases.found_organization import FoundOrganization
from domain.identity.use_cases.get_organization import GetOrganization
from domain.identity.use_cases.get_user import GetUser
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.list_users import ListUsers
from domain.identity.use_cases.prove_password import ProvePassword
from domain.identity.use_cases.refresh_session import RefreshSession
from domain.identity.use_cases.rotate_signing_key import RotateSigningKey
from domain.identity.use_cases.sign_in import SignIn
from domain.identity.use_cases.sign_out import SignOut
from domain.identity.use_cases.update_user import UpdateUser
from domain.shared.caller import Role
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput
from domain.shared.ids import random_id
from services.identity.credentials_use_cases import credential_use_cases
from services.identity.mail_delivery import CountedCarrier, mail_delivery
from services.identity.people_use_cases import people_use_cases
from services.identity.servicer import IdentityServicer
from services.shared.context import Context, Job

_BOOTSTRAP_ROLES = frozenset({Role.ADMIN, Role.AUTHOR, Role.TEACHER, Role.OPERATOR})
_ROTATION_CHECK_SECONDS = 3600
_PLATFORM_CONNECTIONS = 5


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


class IdentityContainer(containers.DeclarativeContainer):
    """`unit`, `platform_unit` and `passwords` are what a test replaces. `public_url` is where people's browsers find the platform."""

    engine = providers.Dependency(instance_of=AsyncEngine)
    platform_engine = providers.Dependency(instance_of=AsyncEngine)
    clock: providers.Dependency[Clock] = providers.Dependency()
    encryption_key = providers.Dependency(instance_of=bytes)
    public_url = providers.Dependency(instance_of=str, default="http://localhost:8080")

    vault = providers.Singleton(AesVault, encryption_key)
    unit = providers.Factory(PostgresIdentityUnit, engine, vault=vault)
    platform_unit = providers.Factory(PostgresPlatformUnit, platform_engine, vault=vault)
    passwords = providers.Singleton(Argon2Passwords)
    signer = providers.Singleton(JoseSigner, encryption_key)
    relying_party = providers.Singleton(WebAuthnRelyingParty, public_url)
    new_id = providers.Object(random_id)
    new_secret = providers.Object(_new_secret)

    current_signing_key = providers.Factory(
        CurrentSigningKey, new_platform_unit=platform_unit.provider, signer=signer, clock=clock
    )
    rotate_signing_key = providers.Factory(RotateSigningKey, new_platform_unit=platform_unit.provider, signer=signer, clock=clock)
    prove_password = providers.Factory(
        ProvePassword, new_unit=unit.provider, new_platform_unit=platform_unit.provider, passwords=passwords, clock=clock
    )
    found_organization = providers.Factory(FoundOrganization, new_unit=unit.provider, passwords=passwords, clock=clock)
    credentials = providers.Factory(
        credential_use_cases,
        new_unit=unit.provider,
        new_platform_unit=platform_unit.provider,
        prove_password=prove_password,
        current_signing_key=current_signing_key,
        passwords=passwords,
        signer=signer,
        vault=vault,
        relying_party=relying_party,
        new_id=new_id,
        new_secret=new_secret,
        clock=clock,
    )
    deliver_mails = providers.Factory(DeliverMails, new_platform_unit=platform_unit.provider, clock=clock)
    people = providers.Factory(
        people_use_cases, new_unit=unit.provider, passwords=passwords, new_id=new_id, new_secret=new_secret, clock=clock
    )
    servicer = providers.Factory(
        IdentityServicer,
        found_organization=found_organization,
        get_organization=providers.Factory(GetOrganization, new_unit=unit.provider),
        create_user=providers.Factory(CreateUser, new_unit=unit.provider, passwords=passwords, clock=clock),
        create_users=providers.Factory(CreateUsers, new_unit=unit.provider, clock=clock),
        get_user=providers.Factory(GetUser, new_unit=unit.provider),
        list_users=providers.Factory(ListUsers, new_unit=unit.provider),
        update_user=providers.Factory(UpdateUser, new_unit=unit.provider),
        deactivate_user=providers.Factory(DeactivateUser, new_unit=unit.provider, clock=clock),
        change_password=providers.Factory(
            ChangePassword, new_unit=unit.provider, prove_password=prove_password, passwords=passwords, clock=clock
        ),
        sign_in=providers.Factory(
            SignIn,
            new_unit=unit.provider,
            prove_password=prove_password,
            current_signing_key=current_signing_key,
            passwords=passwords,
            signer=signer,
            new_id=new_id,
            new_secret=new_secret,
            clock=clock,
        ),
        refresh_session=providers.Factory(
            RefreshSession,
            new_unit=unit.provider,
            current_signing_key=current_signing_key,
            signer=signer,
            new_secret=new_secret,
            clock=clock,
        ),
        sign_out=providers.Factory(SignOut, new_unit=unit.provider, clock=clock),
        list_public_keys=providers.Factory(
            ListPublicKeys, new_platform_unit=platform_unit.provider, current_signing_key=current_signing_key, clock=clock
        ),
        credentials=credentials,
        people=people,
    )


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("identity")
    platform_engine = _engine_beside(engine)
    container = IdentityContainer(
        engine=engine,
        platform_engine=platform_engine,
        clock=providers.Object(resources.clock),
        encryption_key=_encryption_key(resources.settings),
        public_url=resources.settings.public_url,
    )
    await _bootstrap(container.found_organization(), resources.settings)
    servicer: IdentityServicer = container.servicer()
    rotate: RotateSigningKey = container.rotate_signing_key()
    passwords: Argon2Passwords = container.passwords()

    async def ready() -> None:
        async with container.platform_unit() as unit:
            await unit.signing_keys.all()

    async def keep_rotating() -> None:
        while True:
            await rotate()
            await asyncio.sleep(_ROTATION_CHECK_SECONDS)

    jobs: tuple[Job, ...] = (keep_rotating,)
    if resources.settings.smtp_url:
        carrier = CountedCarrier(_mail_carrier(resources.settings))
        jobs += (mail_delivery(container.deliver_mails(carrier=carrier)),)

    async def close() -> None:
        passwords.close()
        await platform_engine.dispose()

    return Context(
        name="identity",
        add_to_server=lambda server: add_IdentityServiceServicer_to_server(servicer, server),
        ready=ready,
        jobs=jobs,
        ledger=PostgresRequestLedger(engine),
        publishes=True,
        close=close,
    )


def _engine_beside(engine: AsyncEngine) -> AsyncEngine:
    """An engine with a pool of its own.

    A platform unit may open while its request holds a connection. Were both from one pool, as many requests as it has connections
    would each hold one and wait for another.
    """
    return create_async_engine(
        engine.url,
        pool_size=_PLATFORM_CONNECTIONS,
        max_overflow=0,
        pool_timeout=5,
        connect_args={"timeout": 5, "command_timeout": 30},
    )


def _encryption_key(settings: Settings) -> bytes:
    """Raises ValueError without repeating the secret."""
    try:
        return base64.b64decode(settings.secret("identity_encryption_key"), validate=True)
    except binascii.Error:
        raise ValueError("the secret identity_encryption_key must be base64 of 32 bytes") from None


def _mail_carrier(settings: Settings) -> SmtpCarrier:
    """Raises ValueError naming the setting."""
    try:
        password = settings.secret("smtp_password")
    except MissingSecret:
        password = ""  # a mail server that lets everybody in, as the one on the same machine does
    try:
        server = MailServer.parse(settings.smtp_url, password)
    except WrongMailServer as error:
        raise ValueError(f"PAIDEIA_SMTP_URL: {error}") from error
    return SmtpCarrier(server, settings.mail_from, settings.public_url)


async def _bootstrap(found_organization: FoundOrganization, settings: Settings) -> None:
    """Founds the organization that the settings name, once: of processes that start together, one does."""
    organization = settings.bootstrap_organization
    if not organization:
        return
    try:
        await found_organization(
            organization, organization, settings.bootstrap_admin, settings.secret("admin_password"), _BOOTSTRAP_ROLES
        )
    except OrganizationAlreadyExists:
        return
    except InvalidInput as error:
        raise ValueError(f"the first organization cannot be founded as it is set: {error.message}") from error
