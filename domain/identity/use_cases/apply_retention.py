from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.identity.credential_ports import UnreadableSecret
from domain.identity.ports import IdentityUnit, NewPlatformUnit, NewUnit
from domain.identity.privacy import BY_RETENTION, JobKind, PrivacyJob
from domain.identity.privacy_settings import PrivacySettings
from domain.shared.clock import Clock
from domain.shared.ids import NewId

ANSWERS_KEPT = timedelta(days=7)
"""How long the answer to a `request_id` is kept: it may name a person."""
_AT_ONCE = 500
_ORGANIZATIONS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ApplyRetention:
    """Removes what every organization has kept for as long as it wants to. Running it twice, or in two processes, does no harm."""

    new_unit: NewUnit
    new_platform_unit: NewPlatformUnit
    new_id: NewId
    clock: Clock

    async def __call__(self) -> int:
        """Returns how many records it removed, accounts whose erasure it asked for included."""
        removed, after = 0, ""
        while True:
            async with self.new_platform_unit() as platform:
                organizations = await platform.directory.organizations(after, _ORGANIZATIONS_AT_ONCE)
            for organization in organizations:
                after = organization
                # One whose key is lost is left as it is; the others go on.
                with suppress(UnreadableSecret):
                    while count := await self._step(organization):
                        removed += count
            if len(organizations) < _ORGANIZATIONS_AT_ONCE:
                return removed

    async def _step(self, organization: str) -> int:
        """A transaction of a bounded size; 0 when there is nothing left to remove."""
        now = self.clock()
        async with self.new_unit(organization) as unit:
            settings = await unit.retention.settings()
            count = await unit.retention.forget_mails(now - timedelta(days=settings.mail_days), _AT_ONCE)
            count += await unit.retention.forget_sessions(now - timedelta(days=settings.sign_in_days), _AT_ONCE)
            count += await unit.retention.forget_answers(now - ANSWERS_KEPT, _AT_ONCE)
            count += await unit.sealing.forget_unused()
            count += await self._ask_to_erase(unit, settings, now)
            await unit.commit()
        return count

    async def _ask_to_erase(self, unit: IdentityUnit, settings: PrivacySettings, now: datetime) -> int:
        if not settings.inactive_account_days:
            return 0
        inactive = await unit.persons.inactive_since(now - timedelta(days=settings.inactive_account_days), _AT_ONCE)
        for user in inactive:
            await unit.privacy_jobs.add(PrivacyJob(self.new_id(), JobKind.ERASURE, user, BY_RETENTION, now, now + settings.grace))
        return len(inactive)
