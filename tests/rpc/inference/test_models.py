import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.inference.v1 import inference_service_pb2 as pb

from domain.inference.artifact import digest_of
from tests.rpc.inference.conftest import Inference, predict_request, register_request, stage_request
from tests.unit.inference.making import artifact


async def test_a_model_is_registered_staged_and_rolled_back_with_everything_told(inference: Inference) -> None:
    made = await inference("RegisterModel", register_request("old", description="The first."))
    assert (made.name, made.kind, made.stage, made.digest) == ("models/old", "logistic", 1, digest_of(artifact()))
    assert (made.artifact_size, made.description) == (len(artifact()), "The first.")
    assert made.evaluation["quality"]["auc"] == 0.75
    shadow = await inference("StageModel", stage_request("old", "SHADOW", etag=made.etag))
    assert (shadow.stage, shadow.share) == (pb.MODEL_STAGE_SHADOW, 0.1)
    await inference("StageModel", stage_request("old", "CANARY", 0.2))
    await inference("StageModel", stage_request("old", "LIVE"))
    await inference.live("next", kind="boosting")
    done = await inference("RollBackModel", pb.RollBackModelRequest(request_id=made_id(), name="models/next"))
    assert (done.retired.name, done.live.name, done.live.stage) == ("models/next", "models/old", pb.MODEL_STAGE_LIVE)
    found = await inference("GetModel", pb.GetModelRequest(name="models/old"), "TEACHER")
    assert [each.stage for each in found.changes] == [1, 2, 3, 4, 5, 4]
    assert {each.user for each in found.changes} == {"users/root"}


def made_id() -> str:
    return "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"


async def test_models_are_listed_in_pages(inference: Inference) -> None:
    for name in ("b", "a", "c"):
        await inference("RegisterModel", register_request(name))
    first = await inference("ListModels", pb.ListModelsRequest(page_size=2))
    rest = await inference("ListModels", pb.ListModelsRequest(page_size=2, page_token=first.next_page_token))
    assert [[each.name for each in page.models] for page in (first, rest)] == [["models/a", "models/b"], ["models/c"]]
    assert not rest.next_page_token


@pytest.mark.parametrize(
    ("method", "request_of", "code", "field"),
    [
        ("RegisterModel", lambda: register_request(artifact=b""), StatusCode.INVALID_ARGUMENT, "artifact"),
        ("RegisterModel", lambda: register_request(artifact=b"x" * 3_000_001), StatusCode.INVALID_ARGUMENT, "artifact"),
        (
            "RegisterModel",
            lambda: register_request(artifact=b"no", digest=digest_of(b"no")),
            StatusCode.INVALID_ARGUMENT,
            "artifact",
        ),
        ("RegisterModel", lambda: register_request(digest="00"), StatusCode.INVALID_ARGUMENT, "digest"),
        ("RegisterModel", lambda: register_request("a/b"), StatusCode.INVALID_ARGUMENT, "model_id"),
        ("RegisterModel", lambda: register_request(description="x" * 1_001), StatusCode.INVALID_ARGUMENT, "description"),
        ("RegisterModel", lambda: register_request("there"), StatusCode.ALREADY_EXISTS, "there"),
        ("GetModel", lambda: pb.GetModelRequest(name="models/none"), StatusCode.NOT_FOUND, "none"),
        ("GetModel", lambda: pb.GetModelRequest(name="none"), StatusCode.INVALID_ARGUMENT, "name"),
        ("ListModels", lambda: pb.ListModelsRequest(page_size=-1), StatusCode.INVALID_ARGUMENT, "page_size"),
        ("ListModels", lambda: pb.ListModelsRequest(page_token="x"), StatusCode.INVALID_ARGUMENT, "page_token"),
        ("StageModel", lambda: stage_request("none", "SHADOW"), StatusCode.NOT_FOUND, "none"),
        ("StageModel", lambda: stage_request("there", "LIVE"), StatusCode.FAILED_PRECONDITION, "draft"),
        ("StageModel", lambda: stage_request("there", "UNSPECIFIED"), StatusCode.INVALID_ARGUMENT, "stage"),
        ("StageModel", lambda: stage_request("there", "SHADOW", float("nan")), StatusCode.INVALID_ARGUMENT, "share"),
        ("StageModel", lambda: stage_request("there", "SHADOW", etag="9"), StatusCode.ABORTED, "read it again"),
        ("StageModel", lambda: stage_request("there", "SHADOW", etag="x"), StatusCode.INVALID_ARGUMENT, "etag"),
        (
            "RollBackModel",
            lambda: pb.RollBackModelRequest(request_id=made_id(), name="models/there"),
            StatusCode.FAILED_PRECONDITION,
            "live",
        ),
        ("RollBackModel", lambda: pb.RollBackModelRequest(name="models/there"), StatusCode.INVALID_ARGUMENT, "request_id"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_refusals(inference: Inference, method: str, request_of, code: StatusCode, field: str) -> None:
    await inference("RegisterModel", register_request("there"))
    with pytest.raises(AioRpcError) as refusal:
        await inference(method, request_of())
    assert refusal.value.code() is code
    assert field in refusal.value.details()


@pytest.mark.parametrize("method", ["RegisterModel", "StageModel", "RollBackModel"])
async def test_only_administrators_change_models(inference: Inference, method: str) -> None:
    message = {
        "RegisterModel": register_request(),
        "StageModel": stage_request("a", "LIVE"),
        "RollBackModel": pb.RollBackModelRequest(),
    }
    for role in ("LEARNER", "TEACHER", "AUTHOR"):
        with pytest.raises(AioRpcError) as refusal:
            await inference(method, message[method], role)
        assert refusal.value.code() is StatusCode.PERMISSION_DENIED


async def test_another_organization_has_no_such_model(inference: Inference) -> None:
    await inference.live("next")
    for method, message in (
        ("GetModel", pb.GetModelRequest(name="models/next")),
        ("StageModel", stage_request("next", "RETIRED")),
        ("PredictResponses", predict_request(model="next")),
    ):
        with pytest.raises(AioRpcError) as refusal:
            await inference(method, message, organization="south")
        assert refusal.value.code() is StatusCode.NOT_FOUND
