"""The use cases of programs and of provisioning, put together."""

from dataclasses import dataclass

from domain.identity.ports import NewSecret, NewUnit, TokenSigner
from domain.identity.programs_ports import ClientKeys, TokenReader
from domain.identity.provisioning import Kind
from domain.identity.use_cases.change_provisioned import ChangeProvisioned
from domain.identity.use_cases.create_program import CreateProgram
from domain.identity.use_cases.create_provisioned import CreateProvisioned
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.delete_provisioned import DeleteProvisioned
from domain.identity.use_cases.disable_program import DisableProgram
from domain.identity.use_cases.get_program import GetProgram
from domain.identity.use_cases.get_provisioned import GetProvisioned
from domain.identity.use_cases.introspect_program_token import IntrospectProgramToken
from domain.identity.use_cases.issue_program_token import IssueProgramToken
from domain.identity.use_cases.list_programs import ListPrograms
from domain.identity.use_cases.list_provisioned import ListProvisioned
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.new_credential import NewCredential
from domain.identity.use_cases.prove_client import ProveClient
from domain.identity.use_cases.provisioned_directory import Directories
from domain.identity.use_cases.provisioned_groups import ProvisionedGroups
from domain.identity.use_cases.provisioned_users import ProvisionedUsers
from domain.identity.use_cases.revoke_program_token import RevokeProgramToken
from domain.identity.use_cases.rotate_program_secret import RotateProgramSecret
from domain.identity.use_cases.update_program import UpdateProgram
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class ProgramUseCases:
    """What the rpcs of programs and of provisioning call."""

    clock: Clock
    create_program: CreateProgram
    get_program: GetProgram
    list_programs: ListPrograms
    update_program: UpdateProgram
    rotate_program_secret: RotateProgramSecret
    disable_program: DisableProgram
    issue_program_token: IssueProgramToken
    introspect_program_token: IntrospectProgramToken
    revoke_program_token: RevokeProgramToken
    create_provisioned: CreateProvisioned
    get_provisioned: GetProvisioned
    list_provisioned: ListProvisioned
    change_provisioned: ChangeProvisioned
    delete_provisioned: DeleteProvisioned


def program_use_cases(
    *,
    new_unit: NewUnit,
    current_signing_key: CurrentSigningKey,
    signer: TokenSigner,
    keys: ClientKeys,
    public_keys: ListPublicKeys,
    reader: TokenReader,
    public_url: str,
    new_id: NewId,
    new_secret: NewSecret,
    clock: Clock,
) -> ProgramUseCases:
    credential = NewCredential(keys, new_id, new_secret, clock)
    issuer = public_url.rstrip("/")
    audiences = frozenset({issuer, *(f"{issuer}/oauth/{each}" for each in ("token", "introspect", "revoke"))})
    prove = ProveClient(keys, audiences, clock)
    directories: Directories = {Kind.USER: ProvisionedUsers(new_id), Kind.GROUP: ProvisionedGroups(new_id)}
    return ProgramUseCases(
        clock=clock,
        create_program=CreateProgram(new_unit, credential, clock),
        get_program=GetProgram(new_unit),
        list_programs=ListPrograms(new_unit),
        update_program=UpdateProgram(new_unit, clock),
        rotate_program_secret=RotateProgramSecret(new_unit, credential, clock),
        disable_program=DisableProgram(new_unit, clock),
        issue_program_token=IssueProgramToken(new_unit, current_signing_key, signer, prove, clock),
        introspect_program_token=IntrospectProgramToken(new_unit, public_keys, reader, prove, clock),
        revoke_program_token=RevokeProgramToken(new_unit, public_keys, reader, prove, clock),
        create_provisioned=CreateProvisioned(new_unit, directories, clock),
        get_provisioned=GetProvisioned(new_unit, directories),
        list_provisioned=ListProvisioned(new_unit, directories),
        change_provisioned=ChangeProvisioned(new_unit, directories, clock),
        delete_provisioned=DeleteProvisioned(new_unit, directories, clock),
    )
