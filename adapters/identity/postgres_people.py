"""Profiles, classes, guardians and invitations in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Row, Text, any_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.personal_keys import OrganizationKeys
from adapters.identity.postgres_people_tables import class_members, classes, guardians, invitations, profiles
from adapters.identity.postgres_sealed import SealedPeople, of_invitations
from adapters.identity.postgres_tables import Repository, users
from domain.identity.classes import Class, ClassAlreadyExists, ClassNotFound, Member, Part
from domain.identity.invitations import Invitation, InvitationNotFound
from domain.identity.model import UserNotFound
from domain.identity.people import Accessibility, Guardianship, Profile
from domain.identity.people_ports import (
    ClassRepository,
    GuardianRepository,
    InvitationRepository,
    ProfileRepository,
)
from domain.shared.caller import Role
from domain.shared.ids import canonical_uuid
from domain.shared.page import Page, PageRequest


class PostgresProfiles(Repository, ProfileRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys) -> None:
        super().__init__(connection, keys.organization)
        self._people = SealedPeople(connection, keys)

    async def get(self, user_id: str) -> Profile:
        joined = users.outerjoin(
            profiles, (profiles.c.organization_id == users.c.organization_id) & (profiles.c.user_id == users.c.id)
        )
        query = select(users, *(each for each in profiles.c if each.name != "organization_id")).select_from(joined)
        query = query.where(self.mine(users), users.c.id == user_id)
        row = (await self.connection.execute(query.with_for_update(of=users))).one_or_none()
        if row is None:
            raise UserNotFound(f"no user {user_id}")
        display_name, _ = await self._people.opened(row)
        if row.user_id is None:
            return Profile(user_id, display_name)
        accessibility = Accessibility(row.reduced_motion, row.high_contrast, row.dyslexia_font, row.extra_time)
        return Profile(user_id, display_name, row.locale, row.time_zone, accessibility)

    async def save(self, profile: Profile) -> None:
        this = (self.mine(users), users.c.id == profile.user)
        data_key = (await self.connection.execute(select(users.c.data_key).where(*this).with_for_update())).scalar_one_or_none()
        name = await self._people.name_row(profile.user, profile.display_name, data_key)
        await self.connection.execute(update(users).where(*this).values(name))
        values = {
            "locale": profile.locale,
            "time_zone": profile.time_zone,
            "reduced_motion": profile.accessibility.reduced_motion,
            "high_contrast": profile.accessibility.high_contrast,
            "dyslexia_font": profile.accessibility.dyslexia_font,
            "extra_time": profile.accessibility.extra_time,
        }
        await self.connection.execute(
            insert(profiles)
            .values(organization_id=self.organization, user_id=profile.user, **values)
            .on_conflict_do_update(index_elements=["organization_id", "user_id"], set_=values)
        )


class PostgresClasses(Repository, ClassRepository):
    async def add(self, new: Class) -> None:
        added = await self.connection.execute(
            insert(classes)
            .values(
                organization_id=self.organization,
                id=new.id,
                display_name=new.display_name,
                created_at=new.created_at,
                archived_at=new.archived_at,
            )
            .on_conflict_do_nothing()
        )
        if not added.rowcount:
            raise ClassAlreadyExists(f"there is a class {new.id} already")

    async def get(self, class_id: str) -> Class:
        query = select(classes).where(self.mine(classes), classes.c.id == class_id).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise ClassNotFound(class_id)
        return _class(row)

    async def save(self, changed: Class) -> None:
        await self.connection.execute(
            update(classes)
            .where(self.mine(classes), classes.c.id == changed.id)
            .values(display_name=changed.display_name, archived_at=changed.archived_at)
        )

    async def page(self, request: PageRequest, of: str | None = None) -> Page[Class]:
        query = select(classes).where(self.mine(classes)).order_by(classes.c.id).limit(request.size + 1)
        if of is not None:
            own = select(class_members.c.class_id).where(
                self.mine(class_members), class_members.c.user_id == of, class_members.c.part == Part.TEACHER
            )
            query = query.where(classes.c.id.in_(own))
        if request.after is not None:
            query = query.where(classes.c.id > request.after[0])
        found = [_class(row) for row in await self.connection.execute(query)]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def enrol(self, class_id: str, members: Sequence[Member]) -> frozenset[str]:
        if not members:
            return frozenset()
        rows = [
            {
                "organization_id": self.organization,
                "class_id": class_id,
                "user_id": each.user,
                "part": each.part,
                "since": each.since,
            }
            for each in sorted(members, key=lambda member: member.user)
        ]
        statement = insert(class_members).on_conflict_do_nothing().returning(class_members.c.user_id)
        return frozenset((await self.connection.execute(statement, rows)).scalars())

    async def withdraw(self, class_id: str, user_ids: Sequence[str]) -> frozenset[str]:
        statement = (
            delete(class_members)
            .where(self._of(class_id), class_members.c.user_id == any_(literal(list(user_ids), ARRAY(Text))))
            .returning(class_members.c.user_id)
        )
        return frozenset((await self.connection.execute(statement)).scalars())

    async def size(self, class_id: str) -> int:
        query = select(func.count()).select_from(class_members).where(self._of(class_id))
        size: int = (await self.connection.execute(query)).scalar_one()
        return size

    async def members(self, class_id: str, request: PageRequest) -> Page[Member]:
        query = select(class_members).where(self._of(class_id)).order_by(class_members.c.user_id).limit(request.size + 1)
        if request.after is not None:
            query = query.where(class_members.c.user_id > request.after[0])
        found = [Member(row.user_id, Part(row.part), row.since) for row in await self.connection.execute(query)]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].user,) if len(found) > request.size else None)

    async def teachers(self, class_id: str) -> frozenset[str]:
        query = select(class_members.c.user_id).where(self._of(class_id), class_members.c.part == Part.TEACHER)
        return frozenset((await self.connection.execute(query)).scalars())

    async def has(self, class_id: str, user_id: str, part: Part) -> bool:
        query = select(literal(1)).where(self._of(class_id), class_members.c.user_id == user_id, class_members.c.part == part)
        return (await self.connection.execute(query)).first() is not None

    async def taught_by(self, user_id: str) -> frozenset[str]:
        own, others = class_members.alias("own"), class_members.alias("others")
        query = (
            select(others.c.user_id)
            .select_from(
                own.join(classes, (classes.c.organization_id == own.c.organization_id) & (classes.c.id == own.c.class_id)).join(
                    others, (others.c.organization_id == own.c.organization_id) & (others.c.class_id == own.c.class_id)
                )
            )
            .where(
                own.c.organization_id == self.organization,
                own.c.user_id == user_id,
                own.c.part == Part.TEACHER,
                others.c.part == Part.LEARNER,
                classes.c.archived_at.is_(None),
            )
            .distinct()
        )
        return frozenset((await self.connection.execute(query)).scalars())

    def _of(self, class_id: str) -> Any:
        return self.mine(class_members) & (class_members.c.class_id == class_id)


class PostgresGuardians(Repository, GuardianRepository):
    async def link(self, guardianship: Guardianship) -> bool:
        made = await self.connection.execute(
            insert(guardians)
            .values(
                organization_id=self.organization,
                guardian_id=guardianship.guardian,
                learner_id=guardianship.learner,
                since=guardianship.since,
            )
            .on_conflict_do_nothing()
        )
        return bool(made.rowcount)

    async def unlink(self, guardian: str, learner: str) -> bool:
        gone = await self.connection.execute(
            delete(guardians).where(self.mine(guardians), guardians.c.guardian_id == guardian, guardians.c.learner_id == learner)
        )
        return bool(gone.rowcount)

    async def guardians_of(self, learner: str) -> Sequence[Guardianship]:
        query = select(guardians).where(self.mine(guardians), guardians.c.learner_id == learner)
        rows = await self.connection.execute(query.order_by(guardians.c.guardian_id))
        return [Guardianship(row.guardian_id, row.learner_id, row.since) for row in rows]

    async def wards_of(self, guardian: str) -> frozenset[str]:
        query = select(guardians.c.learner_id).where(self.mine(guardians), guardians.c.guardian_id == guardian)
        return frozenset((await self.connection.execute(query)).scalars())


class PostgresInvitations(Repository, InvitationRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._addresses = of_invitations(keys)

    async def add(self, invitation: Invitation) -> None:
        await self.connection.execute(insert(invitations).values(await self._row(invitation)))

    async def get(self, invitation_id: str) -> Invitation:
        try:
            by_id = invitations.c.id == UUID(invitation_id)
        except ValueError:
            raise InvitationNotFound(f"no invitation {invitation_id}") from None
        query = select(invitations).where(self.mine(invitations), by_id).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise InvitationNotFound(f"no invitation {invitation_id}")
        return await self._invitation(row)

    async def find(self, digest: bytes) -> Invitation | None:
        query = select(invitations).where(self.mine(invitations), invitations.c.digest == digest).with_for_update()
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else await self._invitation(row)

    async def open_for(self, email: str, now: datetime) -> Sequence[Invitation]:
        query = select(invitations).where(
            self.mine(invitations),
            invitations.c.email_index == any_(literal(await self._keys.indexes(email), ARRAY(LargeBinary))),
            invitations.c.accepted_at.is_(None),
            invitations.c.revoked_at.is_(None),
            invitations.c.expires_at > now,
        )
        rows = await self.connection.execute(query.order_by(invitations.c.id).with_for_update())
        return [await self._invitation(row) for row in rows]

    async def save(self, invitation: Invitation) -> None:
        await self.connection.execute(
            update(invitations)
            .where(self.mine(invitations), invitations.c.id == UUID(invitation.id))
            .values(await self._row(invitation))
        )

    async def page(self, request: PageRequest) -> Page[Invitation]:
        query = select(invitations).where(self.mine(invitations)).order_by(invitations.c.id).limit(request.size + 1)
        if request.after is not None:
            query = query.where(invitations.c.id > UUID(canonical_uuid(request.after[0], "page_token")))
        found = [await self._invitation(row) for row in await self.connection.execute(query)]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def _row(self, invitation: Invitation) -> dict[str, Any]:
        return {
            "organization_id": self.organization,
            "id": UUID(invitation.id),
            "email": "",
            "email_index": await self._keys.index(invitation.email),
            "sealed_email": await self._addresses.seal(invitation.email, invitation.id),
            "roles": sorted(invitation.roles),
            "class_id": invitation.class_id,
            "invited_by": invitation.invited_by,
            "digest": invitation.digest,
            "created_at": invitation.created_at,
            "sent_at": invitation.sent_at,
            "expires_at": invitation.expires_at,
            "accepted_at": invitation.accepted_at,
            "revoked_at": invitation.revoked_at,
        }

    async def _invitation(self, row: Row[Any]) -> Invitation:
        return Invitation(
            id=str(row.id),
            email=await self._addresses.open(row.sealed_email, row.email, str(row.id)),
            roles=frozenset(Role(each) for each in row.roles),
            class_id=row.class_id,
            invited_by=row.invited_by,
            digest=row.digest,
            created_at=row.created_at,
            sent_at=row.sent_at,
            expires_at=row.expires_at,
            accepted_at=row.accepted_at,
            revoked_at=row.revoked_at,
        )


def _class(row: Row[Any]) -> Class:
    return Class(row.id, row.display_name, row.created_at, row.archived_at)
