"""Between the messages of policies and their domain."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from paideia.scheduler.v1 import policies_pb2 as pb

from domain.scheduler.policies import PolicyChange, PolicyDraft, PolicyVersion, plain
from domain.scheduler.use_cases.stage_policy import StageOrder
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid, chosen_id
from domain.shared.rollout import Stage
from services.shared.etags import revision_in
from services.shared.names import id_in
from services.shared.times import timestamp

LARGEST_DEFINITION = 128 * 1024
_STAGES: dict[Stage, pb.PolicyStage] = {stage: getattr(pb, f"POLICY_STAGE_{stage.name}") for stage in Stage}
_STAGE_OF = {number: stage for stage, number in _STAGES.items()}


def request_id_in(request: pb.CreatePolicyRequest | pb.StagePolicyRequest | pb.RollBackPolicyRequest) -> str:
    return canonical_uuid(request.request_id, "request_id")


def policy_draft(request: pb.CreatePolicyRequest) -> PolicyDraft:
    policy = request.policy
    return PolicyDraft(
        id=chosen_id(request.policy_id, "policy_id"),
        definition=_definition(policy.definition),
        course=id_in(policy.course, "courses", "policy.course") if policy.course else "",
        description=policy.description,
    )


def stage_order(request: pb.StagePolicyRequest) -> StageOrder:
    if request.stage not in _STAGE_OF:
        raise InvalidInput.of("stage", f"must be one of {', '.join(stage.name for stage in Stage)}")
    return StageOrder(
        request_id=request_id_in(request),
        policy=id_in(request.name, "policies"),
        stage=_STAGE_OF[request.stage],
        share=request.share,
        revision=revision_in(request.etag, "policy"),
    )


def policy_message(version: PolicyVersion, changes: Sequence[PolicyChange] = ()) -> pb.Policy:
    standing = version.standing
    return pb.Policy(
        name=_name(version.id),
        course=f"courses/{version.course}" if version.course else "",
        description=version.description,
        definition=ParseDict(plain(version.policy.to_document()), Struct()),
        digest=version.digest,
        stage=_STAGES[standing.stage],
        share=standing.share,
        replaced=_name(standing.replaced) if standing.replaced else "",
        built_in=version.built_in,
        create_time=timestamp(version.created_at),
        etag=str(standing.revision),
        changes=[_change(each) for each in changes],
    )


def _change(change: PolicyChange) -> pb.PolicyChange:
    return pb.PolicyChange(
        stage=_STAGES[change.after.stage],
        share=change.after.share,
        user=f"users/{change.by}",
        change_time=timestamp(change.at),
    )


def _name(policy_id: str) -> str:
    return f"policies/{policy_id}"


def _definition(message: Struct) -> dict[str, Any]:
    if message.ByteSize() > LARGEST_DEFINITION:
        raise InvalidInput.of("policy.definition", f"must have at most {LARGEST_DEFINITION:,} bytes")
    try:
        definition: dict[str, Any] = MessageToDict(message)
    except ValueError:  # JSON has no NaN and no infinity
        raise InvalidInput.of("policy.definition", "must have finite numbers only") from None
    return definition
