"""Identity, put together."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Sequence

import asyncpg
from dependency_injector import containers, providers
from paideia.identity.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.identity.argon2 import Argon2Passwords
from adapters.identity.client_keys import JoseClientKeys
from adapters.identity.grpc import usage_elsewhere
from adapters.identity.guarded_http import GuardedHttp
from adapters.identity.jose import JoseSigner, JoseTokenReader
from adapters.identity.key_vaults import check_key_vaults, key_vaults
from adapters.identity.oidc_client import OidcClient
from adapters.identity.personal_keys import OpenedKeys
from adapters.identity.postgres import PostgresIdentityUnit, PostgresPlatformUnit
from adapters.identity.postgres_sign_ins import PostgresSignIns
from adapters.identity.sealed_ledger import SealedRequestLedger
from adapters.identity.smtp import MailServer, SmtpCarrier, WrongMailServer
from adapters.identity.vault import AesVault, SecretKeyVault
from adapters.identity.webauthn import WebAuthnRelyingParty
from adapters.shared.consumer import ConsumerRuntime
from adapters.shared.personal_files import personal_files
from adapters.shared.postgres_connections import open_engine, open_pool
from adapters.shared.request_ledger import PostgresRequestLedger
from adapters.shared.resources import MissingSecret, Resources, Settings
from domain.identity.model import OrganizationAlreadyExists
from domain.identity.ports import UsageElsewhere
from domain.identity.privacy_ports import PersonalFiles
from domain.identity.sign_ins import SignIns
from domain.identity.use_cases.apply_retention import ApplyRetention
from domain.identity.use_cases.assemble_export import AssembleExport
from domain.identity.use_cases.carry_out_due_jobs import CarryOutDueJobs
from domain.identity.use_cases.change_password import ChangePassword
from domain.identity.use_cases.create_user import CreateUser
from domain.identity.use_cases.create_users import CreateUsers
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.deactivate_user import DeactivateUser
from domain.identity.use_cases.deliver_mails import DeliverMails
from domain.identity.use_cases.found_organization import FoundOrganization
from domain.identity.use_cases.get_organization import GetOrganization
from domain.identity.use_cases.get_usage import GetUsage
from domain.identity.use_cases.get_user import GetUser
from domain.identity.use_cases.list_origin_organizations import ListOriginOrganizations
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.list_users import ListUsers
from domain.identity.use_cases.prove_password import ProvePassword
from domain.identity.use_cases.refresh_session import RefreshSession
from domain.identity.use_cases.rotate_signing_key import RotateSigningKey
from domain.identity.use_cases.seal_plain_rows import SealPlainRows
from domain.identity.use_cases.set_plan import SetPlan
from domain.identity.use_cases.sign_in import SignIn
from domain.identity.use_cases.sign_out import SignOut
from domain.identity.use_cases.take_receipt import TakeReceipt
from domain.identity.use_cases.update_user import UpdateUser
from domain.shared.caller import Role
from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput
from domain.shared.ids import random_id
from services.identity.credentials_use_cases import credential_use_cases
from services.identity.federation_use_cases import federation_use_cases
from services.identity.mail_delivery import CountedCarrier, mail_delivery
from services.identity.people_use_cases import people_use_cases
from services.identity.privacy_jobs import ReceiptConsumer, privacy_jobs
from services.identity.privacy_use_cases import privacy_use_cases
from services.identity.programs_use_cases import program_use_cases
from services.identity.servicer import IdentityServicer
from services.shared.context import Context, Job
from services.shared.privacy import RECEIPTS

_BOOTSTRAP_ROLES = frozenset({Role.ADMIN, Role.AUTHOR, Role.TEACHER, Role.OPERATOR})
_ROTATION_CHECK_SECONDS = 3600
_PLATFORM_CONNECTIONS = 5
_SIGN_IN_CONNECTIONS = 4


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


class IdentityContainer(containers.DeclarativeContainer):
    """`unit`, `platform_unit`, `sign_ins` and `passwords` are what a test replaces. `public_url` is where people's browsers find the
    platform."""

    engine = providers.Dependency(instance_of=AsyncEngine)
    platform_engine = providers.Dependency(instance_of=AsyncEngine)
    sign_in_pool = providers.Dependency(instance_of=asyncpg.Pool)
    clock: providers.Dependency[Clock] = providers.Dependency()
    encryption_key = providers.Dependency(instance_of=bytes)
    public_url = providers.Dependency(instance_of=str, default="http://localhost:8080")
    private_identity_providers = providers.Dependency(instance_of=bool, default=False)

    previous_keys = providers.Dependency(instance_of=tuple, default=())
    vault = providers.Singleton(AesVault, encryption_key, previous_keys)
    key_vault = providers.Singleton(SecretKeyVault, vault)
    personal_keys = providers.Singleton(OpenedKeys, key_vault)
    files: providers.Dependency[PersonalFiles] = providers.Dependency()
    unit = providers.Factory(PostgresIdentityUnit, engine, vault=vault, keys=personal_keys)
    platform_unit = providers.Factory(PostgresPlatformUnit, platform_engine, vault=vault, keys=personal_keys)
    sign_ins: providers.Provider[SignIns] = providers.Singleton(PostgresSignIns, sign_in_pool, personal_keys)
    passwords = providers.Singleton(Argon2Passwords)
    usage_elsewhere: providers.Dependency[Sequence[UsageElsewhere]] = providers.Dependency(default=())
    signer = providers.Singleton(JoseSigner, encryption_key, public_url, previous_keys)
    relying_party = providers.Singleton(WebAuthnRelyingParty, public_url)
    new_id = providers.Object(random_id)
    new_secret = providers.Object(_new_secret)

    current_signing_key = providers.Singleton(
        CurrentSigningKey, new_platform_unit=platform_unit.provider, signer=signer, clock=clock
    )
    list_public_keys = providers.Factory(
        ListPublicKeys, new_platform_unit=platform_unit.provider, current_signing_key=current_signing_key, clock=clock
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
    http = providers.Singleton(GuardedHttp, private=private_identity_providers)
    provider_client = providers.Singleton(OidcClient, http)
    federation = providers.Factory(
        federation_use_cases,
        new_unit=unit.provider,
        client=provider_client,
        current_signing_key=current_signing_key,
        signer=signer,
        vault=vault,
        public_url=public_url,
        private=private_identity_providers,
        new_id=new_id,
        new_secret=new_secret,
        clock=clock,
    )
    programs = providers.Factory(
        program_use_cases,
        new_unit=unit.provider,
        current_signing_key=current_signing_key,
        signer=signer,
        keys=providers.Singleton(JoseClientKeys),
        public_keys=list_public_keys,
        reader=providers.Singleton(JoseTokenReader, public_url),
        public_url=public_url,
        new_id=new_id,
        new_secret=new_secret,
        clock=clock,
    )
    privacy = providers.Factory(
        privacy_use_cases,
        new_unit=unit.provider,
        new_platform_unit=platform_unit.provider,
        files=files,
        new_id=new_id,
        clock=clock,
    )
    take_receipt = providers.Factory(
        TakeReceipt,
        new_unit=unit.provider,
        assemble=providers.Factory(AssembleExport, new_unit=unit.provider, files=files, clock=clock),
        clock=clock,
    )
    duties = providers.Factory(
        privacy_jobs,
        carry_out=providers.Factory(
            CarryOutDueJobs,
            new_unit=unit.provider,
            new_platform_unit=platform_unit.provider,
            files=files,
            clock=clock,
        ),
        retain=providers.Factory(
            ApplyRetention,
            new_unit=unit.provider,
            new_platform_unit=platform_unit.provider,
            new_id=new_id,
            clock=clock,
        ),
        seal=providers.Factory(SealPlainRows, new_unit=unit.provider, new_platform_unit=platform_unit.provider),
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
            sign_ins=sign_ins,
            new_unit=unit.provider,
            new_platform_unit=platform_unit.provider,
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
        list_origin_organizations=providers.Factory(ListOriginOrganizations, new_platform_unit=platform_unit.provider),
        list_public_keys=list_public_keys,
        set_plan=providers.Factory(SetPlan, new_unit=unit.provider, clock=clock),
        get_usage=providers.Factory(GetUsage, new_unit=unit.provider, elsewhere=usage_elsewhere),
        credentials=credentials,
        people=people,
        programs=programs,
        federation=federation,
        privacy=privacy,
    )


async def open_context(resources: Resources) -> Context:
    engine = await resources.engine("identity")
    platform_engine = _engine_beside(engine)
    sign_in_pool = await open_pool(resources.settings.dsn("paideia_identity"), _SIGN_IN_CONNECTIONS)
    container = IdentityContainer(
        engine=engine,
        platform_engine=platform_engine,
        sign_in_pool=sign_in_pool,
        clock=providers.Object(resources.clock),
        encryption_key=_encryption_key(resources.settings),
        previous_keys=_previous_keys(resources.settings),
        files=providers.Object(personal_files(resources.settings)),
        usage_elsewhere=providers.Object(usage_elsewhere(resources.channels)),
        public_url=resources.settings.public_url,
        private_identity_providers=resources.settings.private_identity_providers,
    )
    vaults = key_vaults(resources.settings, container.vault())
    container.key_vault.override(providers.Object(vaults))
    await check_key_vaults(resources.settings, vaults)
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

    receipts = ConsumerRuntime(
        resources.settings.kafka_bootstrap,
        "identity-privacy",
        [RECEIPTS],
        ReceiptConsumer(container.take_receipt()),
        resources.producer(),
    )
    jobs: tuple[Job, ...] = (keep_rotating, receipts.run, *container.duties())
    if resources.settings.smtp_url:
        carrier = CountedCarrier(_mail_carrier(resources.settings))
        jobs += (mail_delivery(container.deliver_mails(carrier=carrier)),)

    async def close() -> None:
        passwords.close()
        await container.http().close()
        await vaults.close()
        await platform_engine.dispose()
        await sign_in_pool.close()

    return Context(
        name="identity",
        add_to_server=lambda server: add_IdentityServiceServicer_to_server(servicer, server),
        ready=ready,
        jobs=jobs,
        ledger=SealedRequestLedger(PostgresRequestLedger(engine), container.vault()),
        publishes=True,
        close=close,
    )


def _engine_beside(engine: AsyncEngine) -> AsyncEngine:
    """An engine with a pool of its own.

    A platform unit may open while its request holds a connection. Were both from one pool, as many requests as it has connections
    would each hold one and wait for another.
    """
    return open_engine(engine.url, _PLATFORM_CONNECTIONS)


def _encryption_key(settings: Settings) -> bytes:
    """Raises ValueError without repeating the secret."""
    try:
        return base64.b64decode(settings.secret("identity_encryption_key"), validate=True)
    except binascii.Error:
        raise ValueError("the secret identity_encryption_key must be base64 of 32 bytes") from None


def _previous_keys(settings: Settings) -> tuple[bytes, ...]:
    """Keys that nothing is sealed with any more but that still open, the latest first, one a line. Raises ValueError without repeating them."""
    try:
        lines = settings.secret("identity_encryption_key_previous").split()
    except MissingSecret:
        return ()
    try:
        return tuple(base64.b64decode(each, validate=True) for each in lines)
    except binascii.Error:
        raise ValueError("the secret identity_encryption_key_previous must be lines of base64 of 32 bytes") from None


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
