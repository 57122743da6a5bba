"""The gRPC face of paths: messages in, use case, message out."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from grpc.aio import ServicerContext
from paideia.paths.v1 import paths_service_pb2 as pb
from paideia.paths.v1.paths_service_pb2_grpc import PathsServiceServicer

from domain.paths.use_cases.archive_path import ArchivePath
from domain.paths.use_cases.create_path import CreatePath
from domain.paths.use_cases.get_path import GetPath
from domain.paths.use_cases.list_path_revisions import ListPathRevisions
from domain.paths.use_cases.list_paths import ListPaths
from domain.paths.use_cases.override_step import OverrideStep
from domain.paths.use_cases.update_path import UpdatePath
from services.paths import messages
from services.shared.call import caller
from services.shared.etags import revision_in
from services.shared.names import id_in
from services.shared.paging import next_token

Call: TypeAlias = "ServicerContext[Any, Any]"


@dataclass(frozen=True)
class PathsUseCases:
    """What the servicer serves; the container fills it by name."""

    create_path: CreatePath
    get_path: GetPath
    list_paths: ListPaths
    update_path: UpdatePath
    override_step: OverrideStep
    archive_path: ArchivePath
    list_path_revisions: ListPathRevisions


class PathsServicer(PathsServiceServicer):
    def __init__(self, use_cases: PathsUseCases) -> None:
        self._use = use_cases

    async def CreatePath(self, request: pb.CreatePathRequest, context: Call) -> pb.Path:
        return messages.path_message(await self._use.create_path(caller(context), messages.path_in(request)))

    async def GetPath(self, request: pb.GetPathRequest, context: Call) -> pb.Path:
        learner, path_id = messages.ids_of(request.name)
        return messages.path_message(await self._use.get_path(caller(context), learner, path_id))

    async def ListPaths(self, request: pb.ListPathsRequest, context: Call) -> pb.ListPathsResponse:
        learner = None if request.parent == "learners/-" else id_in(request.parent, "learners", "parent")
        course = id_in(request.course, "courses", "course") if request.course else None
        wanted = messages.page_of(request.page_size, request.page_token)
        page = await self._use.list_paths(caller(context), wanted, learner, course, request.show_archived)
        return pb.ListPathsResponse(
            paths=[messages.path_message(each, whole=False) for each in page.elements], next_page_token=next_token(page)
        )

    async def UpdatePath(self, request: pb.UpdatePathRequest, context: Call) -> pb.Path:
        learner, path_id = messages.ids_of(request.path.name, "path.name")
        edition = revision_in(request.path.etag, "path", "path.etag")
        change = messages.change_in(request)
        return messages.path_message(await self._use.update_path(caller(context), learner, path_id, change, edition))

    async def OverrideStep(self, request: pb.OverrideStepRequest, context: Call) -> pb.Path:
        learner, path_id = messages.ids_of(request.name)
        command = messages.command_in(request)
        return messages.path_message(await self._use.override_step(caller(context), learner, path_id, command))

    async def ArchivePath(self, request: pb.ArchivePathRequest, context: Call) -> pb.Path:
        learner, path_id = messages.ids_of(request.name)
        edition = revision_in(request.etag, "path")
        return messages.path_message(await self._use.archive_path(caller(context), learner, path_id, edition))

    async def ListPathRevisions(self, request: pb.ListPathRevisionsRequest, context: Call) -> pb.ListPathRevisionsResponse:
        learner, path_id = messages.ids_of(request.parent, "parent")
        wanted = messages.revisions_page_of(request.page_size, request.page_token)
        page = await self._use.list_path_revisions(caller(context), learner, path_id, wanted)
        return pb.ListPathRevisionsResponse(
            revisions=map(messages.revision_message, page.elements), next_page_token=next_token(page)
        )
