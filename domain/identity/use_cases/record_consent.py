from dataclasses import dataclass

from domain.identity.consents import Consent, GuardianDecides, PurposeChanged, PurposeNotFound
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.ports import NewUnit
from domain.identity.use_cases.privacy_rights import check_may_see
from domain.shared.caller import Caller, Role
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RecordConsent:
    """Only the newest text can be agreed to; any version's consent can be withdrawn, and a learner can always withdraw their own."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, user_id: str, purpose_id: str, version: int, *, given: bool) -> Consent:
        """Raises UserNotFound, PurposeNotFound, PurposeChanged, GuardianDecides."""
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            await check_may_see(unit, caller, user_id)
            await unit.users.get(user_id)
            purpose = await unit.consents.newest(purpose_id)
            if purpose is None or not 1 <= version <= purpose.version:
                raise PurposeNotFound(f"{purpose_id} of version {version}")
            if given and version != purpose.version:
                raise PurposeChanged(
                    f"the text of {purpose_id} is of version {purpose.version} now: have it read, then repeat this"
                )
            alone = caller.user == user_id and Role.ADMIN not in caller.roles
            if given and alone and await unit.guardians.guardians_of(user_id):
                raise GuardianDecides
            consent = Consent(user_id, purpose_id, version, given, caller.user, now)
            await unit.consents.add(consent)
            notice = Notice.CONSENT_GIVEN if given else Notice.CONSENT_WITHDRAWN
            await unit.events.add([SecurityNoticed(user_id, now, notice)])
            await unit.commit()
        return consent
