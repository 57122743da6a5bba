"""Identity's gRPC face for exports, erasures, consents, retention and the renewal of keys."""

from typing import Any

import grpc
from paideia.identity.v1 import privacy_pb2 as pb
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceServicer

from services.identity import privacy_messages as messages
from services.identity.credentials_servicer import signed_in
from services.identity.privacy_use_cases import PrivacyUseCases
from services.shared.call import caller
from services.shared.masks import fields_in
from services.shared.names import id_in
from services.shared.paging import next_token, page_request

Context = grpc.aio.ServicerContext[Any, Any]


class PrivacyRpcs(IdentityServiceServicer):
    """The rpcs of privacy, for the servicer of the whole service to inherit; it has `privacy`."""

    privacy: PrivacyUseCases

    async def RequestExport(self, request: pb.RequestExportRequest, context: Context) -> pb.PrivacyJob:
        user = id_in(request.user, "users", "user")
        return messages.job_message(await self.privacy.request_export(caller(context), user))

    async def RequestErasure(self, request: pb.RequestErasureRequest, context: Context) -> pb.PrivacyJob:
        user = id_in(request.user, "users", "user")
        return messages.job_message(await self.privacy.request_erasure(signed_in(context), caller(context), user))

    async def CancelErasure(self, request: pb.CancelErasureRequest, context: Context) -> pb.PrivacyJob:
        job_id = id_in(request.name, "privacyJobs")
        return messages.job_message(await self.privacy.cancel_erasure(caller(context), job_id))

    async def GetPrivacyJob(self, request: pb.GetPrivacyJobRequest, context: Context) -> pb.PrivacyJob:
        job, link = await self.privacy.get_job(caller(context), id_in(request.name, "privacyJobs"))
        return messages.job_message(job, link)

    async def ListPrivacyJobs(self, request: pb.ListPrivacyJobsRequest, context: Context) -> pb.ListPrivacyJobsResponse:
        page = await self.privacy.list_jobs(caller(context), page_request(request.page_size, request.page_token))
        return pb.ListPrivacyJobsResponse(privacy_jobs=map(messages.job_message, page.elements), next_page_token=next_token(page))

    async def PublishPurpose(self, request: pb.PublishPurposeRequest, context: Context) -> pb.Purpose:
        purpose = id_in(request.purpose.name, "purposes", "purpose.name")
        return messages.purpose_message(await self.privacy.publish_purpose(caller(context), purpose, request.purpose.text))

    async def ListPurposes(self, request: pb.ListPurposesRequest, context: Context) -> pb.ListPurposesResponse:
        found = await self.privacy.list_purposes(caller(context))
        return pb.ListPurposesResponse(purposes=map(messages.purpose_message, found))

    async def RecordConsent(self, request: pb.RecordConsentRequest, context: Context) -> pb.Consent:
        user, purpose = id_in(request.user, "users", "user"), id_in(request.purpose, "purposes", "purpose")
        consent = await self.privacy.record_consent(caller(context), user, purpose, request.version, given=request.given)
        return messages.consent_message(consent, counts=True)

    async def ListConsents(self, request: pb.ListConsentsRequest, context: Context) -> pb.ListConsentsResponse:
        found = await self.privacy.list_consents(caller(context), id_in(request.parent, "users", "parent"))
        return pb.ListConsentsResponse(consents=messages.history_messages(found))

    async def GetPrivacySettings(self, request: pb.GetPrivacySettingsRequest, context: Context) -> pb.PrivacySettings:
        organization = messages.organization_in(request.name)
        return messages.settings_message(organization, await self.privacy.get_settings(caller(context), organization))

    async def UpdatePrivacySettings(self, request: pb.UpdatePrivacySettingsRequest, context: Context) -> pb.PrivacySettings:
        organization = messages.organization_in(request.settings.name, "settings.name")
        fields = fields_in(request.update_mask, messages.SETTINGS_FIELDS)
        changes = messages.settings_changes(request.settings, fields)
        changed = await self.privacy.update_settings(caller(context), organization, changes)
        return messages.settings_message(organization, changed)

    async def SetDirectoryInformation(self, request: pb.SetDirectoryInformationRequest, context: Context) -> pb.DirectoryChoice:
        user, choice = id_in(request.user, "users", "user"), messages.directory_from(request.directory_information)
        withheld = await self.privacy.set_directory_information(caller(context), user, choice)
        return messages.choice_message(user, choice, withheld=withheld)

    async def RotateKeys(self, request: pb.RotateKeysRequest, context: Context) -> pb.RotateKeysResponse:
        step = await self.privacy.rotate_keys(messages.place_in(request.page_token), afresh=request.reencrypt)
        return pb.RotateKeysResponse(
            organization=f"organizations/{step.organization}" if step.organization else "",
            done=step.done,
            remaining=step.remaining,
            next_page_token=messages.place_token(step.next),
        )
