"""One person across identity's tables: what there is of them, and their erasure."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Text, any_, delete, func, insert, literal, or_, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.personal_keys import OrganizationKeys
from adapters.identity.postgres_people_tables import invitations, mails
from adapters.identity.postgres_privacy_tables import erased_people, privacy_jobs, request_ledger, under_hold
from adapters.identity.postgres_sealed import SealedPeople, of_links
from adapters.identity.postgres_tables import Repository, links, passwords, sessions, users
from adapters.identity.sealed_ledger import opened_answer
from adapters.shared.erased_people import digest_of
from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.model import User, UserNotFound
from domain.identity.privacy import JobKind, JobState
from domain.identity.privacy_ports import PersonRepository
from domain.shared.personal_data import Records

OWN: Mapping[str, tuple[str, ...]] = {
    "profiles": ("user_id",),
    "sessions": ("user_id",),
    "passkeys": ("user_id",),
    "totp_factors": ("user_id",),
    "recovery_codes": ("user_id",),
    "passwords": ("user_id",),
    "links": ("user_id",),
    "verified_emails": ("user_id",),
    "challenges": ("user_id",),
    "class_members": ("user_id",),
    "guardians": ("guardian_id", "learner_id"),
    "consents": ("user_id",),
    "federated_identities": ("user_id",),
    "federated_sessions": ("user_id",),
}
"""Tables whose rows are a person's and go with their row in `users`, by the columns that say whose."""

NAMED: Sequence[tuple[str, str]] = (
    ("invitations", "invited_by"),
    ("consents", "by_user"),
    ("programs", "sponsor"),
    ("privacy_jobs", "requested_by"),
    ("holds", "user_id"),
    ("holds", "placed_by"),
    ("holds", "released_by"),
)
"""Tables whose rows are somebody else's and name who acted."""

_LEFT_OUT = (
    "organization_id",
    "sealed_secret",
    "digest",
    "hash",
    "public_key",
    "credential_id",
    "sealed_email",
    "email_index",
    "email",
    "last_step",
)
"""Columns that are no information for the person: secrets, what they are found by, and the address, which is told once."""
_LEDGER_AT_ONCE = 1_000


class PostgresPersons(Repository, PersonRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys, vault: Vault) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._vault = vault
        self._people = SealedPeople(connection, keys)

    async def records(self, user_id: str) -> Records:
        user = await self._user(user_id)
        found: dict[str, list[str]] = {"user": [json.dumps(_plain(user), ensure_ascii=False)]}
        for name, columns in OWN.items():
            rows = await self.connection.execute(text(_export(name, columns)), self._whose(user_id))
            found[name] = list(rows.scalars())
        indexes = await self._addresses(user)
        for name, statement in (("invitations", _INVITATIONS), ("mails", _MAILS)):
            rows = await self.connection.execute(text(statement), {"organization": self.organization, "indexes": indexes})
            found[name] = list(rows.scalars())
        return {name: rows for name, rows in found.items() if rows}

    async def erase(self, user_id: str, pseudonym: str, now: datetime) -> Mapping[str, int]:
        try:
            user = await self._user(user_id)
        except UserNotFound:
            return {}
        counts: dict[str, int] = {"users": 1}
        for name, columns in OWN.items():
            counted = await self.connection.execute(text(_count(name, columns)), self._whose(user_id))
            counts[name] = counted.scalar_one()
        indexes = literal(await self._addresses(user), ARRAY(LargeBinary))
        for kind in (mails.c.recipient_index, invitations.c.email_index):
            gone = delete(kind.table).where(self.mine(kind.table), kind == any_(indexes))
            counts[kind.table.name] = (await self.connection.execute(gone)).rowcount
        counts["request_ledger"] = await self._forget_answers(user)
        counts["provisioned_resources"] = (
            await self.connection.execute(text(_FORGET_PROVISIONED), self._whose(user_id))
        ).rowcount
        for name, by in NAMED:
            renamed = await self.connection.execute(text(_rename(name, by)), self._whose(user_id) | {"pseudonym": pseudonym})
            counts[f"{name}.{by}"] = renamed.rowcount
        of_others = (self.mine(privacy_jobs), privacy_jobs.c.user_id == user_id)
        await self.connection.execute(update(privacy_jobs).where(*of_others).values(user_id=pseudonym))
        await self.connection.execute(
            postgresql.insert(erased_people)
            .values(organization_id=self.organization, digest=digest_of(self.organization, user_id))
            .on_conflict_do_nothing()
        )
        # The person's key goes with the row; what it sealed elsewhere, in a backup for example, opens no more without one from before.
        await self.connection.execute(delete(users).where(self.mine(users), users.c.id == user_id))
        blank = User(pseudonym, "", None, user.roles, user.created_at, user.deactivated_at or now)
        await self.connection.execute(insert(users).values(await self._people.row(blank)))
        return {name: count for name, count in counts.items() if count}

    async def inactive_since(self, moment: datetime, most: int) -> Sequence[str]:
        seen = select(sessions.c.id).where(
            sessions.c.organization_id == users.c.organization_id,
            sessions.c.user_id == users.c.id,
            func.coalesce(sessions.c.last_used_at, sessions.c.started_at) >= moment,
        )
        asked = select(privacy_jobs.c.id).where(
            privacy_jobs.c.organization_id == users.c.organization_id,
            privacy_jobs.c.user_id == users.c.id,
            privacy_jobs.c.kind == JobKind.ERASURE,
            or_(privacy_jobs.c.state != JobState.CANCELLED, privacy_jobs.c.finished_at >= moment),
        )
        query = (
            select(users.c.id)
            .join(passwords, (passwords.c.organization_id == users.c.organization_id) & (passwords.c.user_id == users.c.id))
            .where(
                self.mine(users),
                users.c.created_at < moment,
                ~users.c.roles.overlap(literal(["ADMIN", "OPERATOR"], ARRAY(Text))),
                ~seen.exists(),
                ~asked.exists(),
                ~under_hold(users.c.organization_id, users.c.id),
            )
        )
        return list((await self.connection.execute(query.order_by(users.c.id).limit(most))).scalars())

    async def _user(self, user_id: str) -> User:
        query = select(users).where(self.mine(users), users.c.id == user_id).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise UserNotFound(f"no user {user_id}")
        return await self._people.user(row)

    async def _addresses(self, user: User) -> list[bytes]:
        """What the person's address is found by, and those that they were to prove."""
        known = {user.email} if user.email is not None else set()
        addresses = of_links(self._keys)
        for row in await self.connection.execute(select(links).where(self.mine(links), links.c.user_id == user.id)):
            known.add(await addresses.open(row.sealed_email, row.email, bytes(row.digest).hex()))
        return [index for each in sorted(known) for index in await self._keys.indexes(each)]

    async def _forget_answers(self, user: User) -> int:
        """Removes remembered answers that name the person. They are kept for days, so they are looked through one by one."""
        needles = [f"users/{user.id}".encode(), f"learners/{user.id}".encode()]
        needles += [each.encode() for each in (user.email, user.display_name) if each]
        columns = (request_ledger.c.request_id, request_ledger.c.answer)
        query = select(*columns).where(self.mine(request_ledger)).order_by(request_ledger.c.request_id).limit(_LEDGER_AT_ONCE)
        found, after = [], None
        while rows := (
            await self.connection.execute(query if after is None else query.where(request_ledger.c.request_id > after))
        ).all():
            after = rows[-1].request_id
            found += [row.request_id for row in rows if self._names(bytes(row.answer), str(row.request_id), needles)]
        if found:
            await self.connection.execute(
                delete(request_ledger).where(self.mine(request_ledger), request_ledger.c.request_id.in_(found))
            )
        return len(found)

    def _names(self, answer: bytes, request_id: str, needles: Sequence[bytes]) -> bool:
        try:
            opened = opened_answer(self._vault, answer, request_id)
        except UnreadableSecret:
            return False  # nobody reads it any more
        return any(each in opened for each in needles)

    def _whose(self, user_id: str) -> dict[str, Any]:
        return {"organization": self.organization, "person": user_id}


_FORGET_PROVISIONED = "DELETE FROM provisioned_resources WHERE organization_id = :organization AND kind = 'User' AND id = :person"
_INVITATIONS = (
    "SELECT (to_jsonb(t) - ARRAY['organization_id','digest','sealed_email','email_index','email'])::text "
    "FROM invitations t WHERE organization_id = :organization AND email_index = ANY(CAST(:indexes AS bytea[]))"
)
_MAILS = (
    "SELECT jsonb_build_object('template', template, 'created_at', created_at, 'state', state, 'settled_at', settled_at)::text "
    "FROM mails WHERE organization_id = :organization AND recipient_index = ANY(CAST(:indexes AS bytea[]))"
)


def _where(columns: tuple[str, ...]) -> str:
    return f"organization_id = :organization AND ({' OR '.join(f'{each} = :person' for each in columns)})"


def _export(name: str, columns: tuple[str, ...]) -> str:
    left_out = ", ".join(f"'{each}'" for each in _LEFT_OUT)
    return f"SELECT (to_jsonb(t) - ARRAY[{left_out}])::text FROM {name} t WHERE {_where(columns)}"  # noqa: S608  # names are ours


def _count(name: str, columns: tuple[str, ...]) -> str:
    return f"SELECT count(*) FROM {name} WHERE {_where(columns)}"  # noqa: S608  # names are ours


def _rename(name: str, by: str) -> str:
    return f"UPDATE {name} SET {by} = :pseudonym WHERE organization_id = :organization AND {by} = :person"  # noqa: S608  # names are ours


def _plain(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "display_name": user.display_name,
        "email": user.email,
        "roles": sorted(user.roles),
        "created_at": user.created_at.isoformat(),
        "deactivated_at": None if user.deactivated_at is None else user.deactivated_at.isoformat(),
        "directory_information": user.directory,
    }
