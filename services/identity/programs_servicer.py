"""Identity's gRPC face for partners' programs."""

from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.identity.v1 import programs_pb2 as pb
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from domain.identity.programs import (
    LONGEST_ASSERTION,
    LONGEST_SECRET,
    USUAL_OVERLAP,
    ClientId,
    Credential,
    Program,
    ProgramDraft,
)
from domain.identity.sessions import ACCESS_TOKEN_LIFE
from domain.identity.use_cases.prove_client import ClientProof
from domain.shared.caller import Caller
from domain.shared.errors import InvalidInput
from services.identity.credentials_servicer import signed_in
from services.identity.messages import role_numbers, roles_from
from services.identity.programs_use_cases import ProgramUseCases
from services.shared.call import caller
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request
from services.shared.times import duration, span, timestamp

Call: TypeAlias = "ServicerContext[Any, Any]"

_LONGEST_TOKEN = 8192
_FIELDS = frozenset({"display_name", "roles", "scopes"})


class ProgramsRpcs(IdentityServiceServicer):
    """The rpcs of programs, for the servicer of the whole service to inherit; it has `programs`."""

    programs: ProgramUseCases

    async def CreateProgram(self, request: pb.CreateProgramRequest, context: Call) -> pb.ProgramSecret:
        me = caller(context)
        program, secret = await self.programs.create_program(
            signed_in(context), me.roles, request.program_id, _draft(request.program, _FIELDS), request.public_key
        )
        return pb.ProgramSecret(program=self._message(me, program), client_secret=secret)

    async def GetProgram(self, request: pb.GetProgramRequest, context: Call) -> pb.Program:
        me = caller(context)
        return self._message(me, await self.programs.get_program(me, id_in(request.name, "programs")))

    async def ListPrograms(self, request: pb.ListProgramsRequest, context: Call) -> pb.ListProgramsResponse:
        me = caller(context)
        page = await self.programs.list_programs(me, page_request(request.page_size, request.page_token))
        shown = [self._message(me, each) for each in page.elements]
        return pb.ListProgramsResponse(programs=shown, next_page_token=next_token(page))

    async def UpdateProgram(self, request: pb.UpdateProgramRequest, context: Call) -> pb.Program:
        me = caller(context)
        program_id = id_in(request.program.name, "programs", "program.name")
        changes = _draft(request.program, fields_in(request.update_mask, _FIELDS))
        return self._message(me, await self.programs.update_program(signed_in(context), me.roles, program_id, changes))

    async def RotateProgramSecret(self, request: pb.RotateProgramSecretRequest, context: Call) -> pb.ProgramSecret:
        overlap = span(request.overlap, "overlap") if request.HasField("overlap") else USUAL_OVERLAP
        program, secret = await self.programs.rotate_program_secret(
            signed_in(context), id_in(request.name, "programs"), overlap, request.public_key
        )
        return pb.ProgramSecret(program=self._message(caller(context), program), client_secret=secret)

    async def DisableProgram(self, request: pb.DisableProgramRequest, context: Call) -> pb.Program:
        me = caller(context)
        return self._message(me, await self.programs.disable_program(me, id_in(request.name, "programs")))

    async def IssueProgramToken(self, request: pb.IssueProgramTokenRequest, context: Call) -> pb.IssueProgramTokenResponse:
        token = await self.programs.issue_program_token(_proof(request), tuple(request.scopes))
        return pb.IssueProgramTokenResponse(
            access_token=token.access_token, expires_in=duration(ACCESS_TOKEN_LIFE), scopes=sorted(token.scopes)
        )

    async def IntrospectProgramToken(
        self, request: pb.IntrospectProgramTokenRequest, context: Call
    ) -> pb.IntrospectProgramTokenResponse:
        token = await self.programs.introspect_program_token(_proof(request), _presented(request.token))
        if token is None:
            return pb.IntrospectProgramTokenResponse()
        return pb.IntrospectProgramTokenResponse(
            active=True,
            scopes=sorted(token.scopes),
            client_id=token.client_id,
            subject=token.user,
            issue_time=timestamp(token.issued_at),
            expire_time=timestamp(token.expires_at),
            token_id=token.id,
        )

    async def RevokeProgramToken(self, request: pb.RevokeProgramTokenRequest, context: Call) -> pb.RevokeProgramTokenResponse:
        await self.programs.revoke_program_token(_proof(request), _presented(request.token))
        return pb.RevokeProgramTokenResponse()

    def _message(self, me: Caller, program: Program) -> pb.Program:
        return pb.Program(
            name=f"programs/{program.id}",
            display_name=program.display_name,
            roles=role_numbers(program.roles),
            scopes=sorted(program.scopes),
            client_id=str(ClientId(me.organization, program.id)),
            sponsor=f"users/{program.sponsor}",
            credentials=map(_credential, program.good_credentials(self.programs.clock())),
            create_time=timestamp(program.created_at),
            last_use_time=None if program.last_used_at is None else timestamp(program.last_used_at),
            disable_time=None if program.disabled_at is None else timestamp(program.disabled_at),
        )


def _draft(program: pb.Program, fields: frozenset[str]) -> ProgramDraft:
    roles = roles_from(program.roles, "program.roles") if "roles" in fields else frozenset()
    return ProgramDraft(program.display_name, roles, frozenset(program.scopes), fields)


def _presented(token: str) -> str:
    if not 1 <= len(token) <= _LONGEST_TOKEN:
        raise InvalidInput.of("token", f"must be 1 to {_LONGEST_TOKEN} characters")
    return token


def _proof(
    request: pb.IssueProgramTokenRequest | pb.IntrospectProgramTokenRequest | pb.RevokeProgramTokenRequest,
) -> ClientProof:
    """Raises InvalidInput unless there is one proof, of a length that a proof can have."""
    if bool(request.client_secret) is bool(request.client_assertion):
        raise InvalidInput.of("client_secret", "must be given, or else client_assertion; not both")
    if len(request.client_secret) > LONGEST_SECRET:
        raise InvalidInput.of("client_secret", f"must be at most {LONGEST_SECRET} characters")
    if len(request.client_assertion) > LONGEST_ASSERTION:
        raise InvalidInput.of("client_assertion", f"must be at most {LONGEST_ASSERTION} characters")
    if request.client_secret and not request.client_id:
        raise InvalidInput.of("client_id", "must not be empty")
    return ClientProof(request.client_id, request.client_secret, request.client_assertion)


def _credential(credential: Credential) -> pb.ProgramCredential:
    return pb.ProgramCredential(
        id=credential.id,
        kind=f"PROGRAM_CREDENTIAL_KIND_{credential.kind}",
        create_time=timestamp(credential.created_at),
        expire_time=None if credential.expires_at is None else timestamp(credential.expires_at),
        last_use_time=None if credential.last_used_at is None else timestamp(credential.last_used_at),
    )
