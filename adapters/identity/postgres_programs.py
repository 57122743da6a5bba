"""Programs in PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    any_,
    delete,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from adapters.identity.postgres_tables import Repository
from domain.identity.programs import Credential, CredentialKind, Program, ProgramAlreadyExists, ProgramNotFound
from domain.identity.programs_ports import ProgramRepository
from domain.shared.caller import Role
from domain.shared.page import Page, PageRequest

_metadata = MetaData()
_MOMENT = DateTime(timezone=True)
_FORGOTTEN_AT_ONCE = 20

programs = Table(
    "programs",
    _metadata,
    Column("organization_id", Text),
    Column("id", Text),
    Column("display_name", Text),
    Column("roles", ARRAY(Text)),
    Column("scopes", ARRAY(Text)),
    Column("sponsor", Text),
    Column("created_at", _MOMENT),
    Column("disabled_at", _MOMENT),
    Column("last_used_at", _MOMENT),
    Column("counted_from", _MOMENT),
    Column("counted", Integer),
)
credentials = Table(
    "program_credentials",
    _metadata,
    Column("organization_id", Text),
    Column("id", Uuid(as_uuid=False)),
    Column("program_id", Text),
    Column("kind", Text),
    Column("digest", LargeBinary),
    Column("public_key", Text),
    Column("created_at", _MOMENT),
    Column("expires_at", _MOMENT),
    Column("last_used_at", _MOMENT),
)
assertions = Table(
    "program_assertions",
    _metadata,
    Column("organization_id", Text),
    Column("program_id", Text),
    Column("digest", LargeBinary),
    Column("expires_at", _MOMENT),
)

revoked_tokens = Table(
    "revoked_tokens",
    _metadata,
    Column("organization_id", Text),
    Column("token_id", Uuid(as_uuid=False)),
    Column("expires_at", _MOMENT),
)


class PostgresPrograms(Repository, ProgramRepository):
    async def add(self, program: Program) -> None:
        added = await self.connection.execute(
            insert(programs).values(organization_id=self.organization, **_values(program)).on_conflict_do_nothing()
        )
        if not added.rowcount:
            raise ProgramAlreadyExists(f"there is a program {program.id} already")
        await self._save_credentials(program)

    async def get(self, program_id: str) -> Program:
        query = select(programs).where(self.mine(programs), programs.c.id == program_id).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise ProgramNotFound(program_id)
        return (await self._with_credentials([row]))[0]

    async def find(self, program_id: str) -> Program | None:
        row = (
            await self.connection.execute(select(programs).where(self.mine(programs), programs.c.id == program_id))
        ).one_or_none()
        return None if row is None else (await self._with_credentials([row]))[0]

    async def save(self, program: Program) -> None:
        await self.connection.execute(
            update(programs).where(self.mine(programs), programs.c.id == program.id).values(_values(program))
        )
        await self._save_credentials(program)

    async def page(self, request: PageRequest) -> Page[Program]:
        query = select(programs).where(self.mine(programs)).order_by(programs.c.id).limit(request.size + 1)
        if request.after is not None:
            query = query.where(programs.c.id > request.after[0])
        rows = (await self.connection.execute(query)).all()
        shown = tuple(await self._with_credentials(rows[: request.size]))
        return Page(shown, (shown[-1].id,) if len(rows) > request.size else None)

    async def spend_assertion(self, program_id: str, digest: bytes, until: datetime, now: datetime) -> bool:
        old = select(assertions.c.program_id, assertions.c.digest).where(self.mine(assertions), assertions.c.expires_at <= now)
        old = old.order_by(assertions.c.expires_at).limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
        await self.connection.execute(
            delete(assertions).where(self.mine(assertions), tuple_(assertions.c.program_id, assertions.c.digest).in_(old))
        )
        spent = await self.connection.execute(
            insert(assertions)
            .values(organization_id=self.organization, program_id=program_id, digest=digest, expires_at=until)
            .on_conflict_do_nothing()
        )
        return bool(spent.rowcount)

    async def revoke_token(self, token_id: str, until: datetime, now: datetime) -> bool:
        old = select(revoked_tokens.c.token_id).where(self.mine(revoked_tokens), revoked_tokens.c.expires_at <= now)
        old = old.order_by(revoked_tokens.c.expires_at).limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
        await self.connection.execute(delete(revoked_tokens).where(self.mine(revoked_tokens), revoked_tokens.c.token_id.in_(old)))
        revoked = await self.connection.execute(
            insert(revoked_tokens)
            .values(organization_id=self.organization, token_id=token_id, expires_at=until)
            .on_conflict_do_nothing()
        )
        return bool(revoked.rowcount)

    async def is_token_revoked(self, token_id: str) -> bool:
        query = select(literal(1)).where(self.mine(revoked_tokens), revoked_tokens.c.token_id == token_id)
        return (await self.connection.execute(query)).first() is not None

    async def _save_credentials(self, program: Program) -> None:
        kept = literal([each.id for each in program.credentials], ARRAY(Uuid(as_uuid=False)))
        dropped = (credentials.c.program_id == program.id) & ~(credentials.c.id == any_(kept))
        await self.connection.execute(delete(credentials).where(self.mine(credentials), dropped))
        for each in program.credentials:
            changing = {"expires_at": each.expires_at, "last_used_at": each.last_used_at}
            await self.connection.execute(
                insert(credentials)
                .values(
                    organization_id=self.organization,
                    id=each.id,
                    program_id=program.id,
                    kind=each.kind,
                    digest=each.digest,
                    public_key=each.public_key,
                    created_at=each.created_at,
                    **changing,
                )
                .on_conflict_do_update(index_elements=["organization_id", "id"], set_=changing)
            )

    async def _with_credentials(self, rows: Iterable[Row[Any]]) -> Sequence[Program]:
        found = list(rows)
        ids = literal([each.id for each in found], ARRAY(Text))
        query = select(credentials).where(self.mine(credentials), credentials.c.program_id == any_(ids))
        of: dict[str, list[Credential]] = {each.id: [] for each in found}
        for row in await self.connection.execute(query.order_by(credentials.c.created_at, credentials.c.id)):
            of[row.program_id].append(_credential(row))
        return [_program(each, tuple(of[each.id])) for each in found]


def _values(program: Program) -> dict[str, Any]:
    return {
        "id": program.id,
        "display_name": program.display_name,
        "roles": sorted(program.roles),
        "scopes": sorted(program.scopes),
        "sponsor": program.sponsor,
        "created_at": program.created_at,
        "disabled_at": program.disabled_at,
        "last_used_at": program.last_used_at,
        "counted_from": program.window,
        "counted": program.issued,
    }


def _program(row: Row[Any], held: tuple[Credential, ...]) -> Program:
    return Program(
        row.id,
        row.display_name,
        frozenset(map(Role, row.roles)),
        frozenset(row.scopes),
        row.sponsor,
        row.created_at,
        held,
        row.disabled_at,
        row.last_used_at,
        row.counted_from,
        row.counted,
    )


def _credential(row: Row[Any]) -> Credential:
    return Credential(
        row.id, CredentialKind(row.kind), row.created_at, row.digest, row.public_key, row.expires_at, row.last_used_at
    )
