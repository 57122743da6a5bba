"""The use cases of privacy, put together."""

from dataclasses import dataclass

from domain.identity.ports import NewPlatformUnit, NewUnit
from domain.identity.privacy_ports import PersonalFiles
from domain.identity.use_cases.cancel_erasure import CancelErasure
from domain.identity.use_cases.get_privacy_job import GetPrivacyJob
from domain.identity.use_cases.get_privacy_settings import GetPrivacySettings
from domain.identity.use_cases.list_consents import ListConsents
from domain.identity.use_cases.list_privacy_jobs import ListPrivacyJobs
from domain.identity.use_cases.list_purposes import ListPurposes
from domain.identity.use_cases.publish_purpose import PublishPurpose
from domain.identity.use_cases.record_consent import RecordConsent
from domain.identity.use_cases.request_erasure import RequestErasure
from domain.identity.use_cases.request_export import RequestExport
from domain.identity.use_cases.rotate_keys import RotateKeys
from domain.identity.use_cases.set_directory_information import SetDirectoryInformation
from domain.identity.use_cases.update_privacy_settings import UpdatePrivacySettings
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class PrivacyUseCases:
    """What the rpcs of privacy call."""

    request_export: RequestExport
    request_erasure: RequestErasure
    cancel_erasure: CancelErasure
    get_job: GetPrivacyJob
    list_jobs: ListPrivacyJobs
    publish_purpose: PublishPurpose
    list_purposes: ListPurposes
    record_consent: RecordConsent
    list_consents: ListConsents
    get_settings: GetPrivacySettings
    update_settings: UpdatePrivacySettings
    set_directory_information: SetDirectoryInformation
    rotate_keys: RotateKeys


def privacy_use_cases(
    *, new_unit: NewUnit, new_platform_unit: NewPlatformUnit, files: PersonalFiles, new_id: NewId, clock: Clock
) -> PrivacyUseCases:
    return PrivacyUseCases(
        request_export=RequestExport(new_unit, new_id, clock),
        request_erasure=RequestErasure(new_unit, new_id, clock),
        cancel_erasure=CancelErasure(new_unit, clock),
        get_job=GetPrivacyJob(new_unit, files),
        list_jobs=ListPrivacyJobs(new_unit),
        publish_purpose=PublishPurpose(new_unit, clock),
        list_purposes=ListPurposes(new_unit),
        record_consent=RecordConsent(new_unit, clock),
        list_consents=ListConsents(new_unit),
        get_settings=GetPrivacySettings(new_unit),
        update_settings=UpdatePrivacySettings(new_unit),
        set_directory_information=SetDirectoryInformation(new_unit, clock),
        rotate_keys=RotateKeys(new_unit, new_platform_unit),
    )
