import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.inference.v1 import inference_service_pb2 as pb
from prometheus_client import REGISTRY

from adapters.inference.kafka import envelope
from domain.inference.history import NEWEST
from domain.shared.errors import InvalidInput
from tests.rpc.inference.conftest import Inference, LogMessage, attempt, predict_request, register_request, stage_request


async def test_what_the_log_tells_moves_the_next_prediction(inference: Inference) -> None:
    await inference.live("next")
    before = await inference("PredictResponses", predict_request("hard", "unheard-of"), "TEACHER")
    assert (before.model, before.history_size) == ("models/next", 0)
    assert [each.item_known for each in before.predictions] == [True, False]
    events = [attempt(n, item="both") for n in range(1, 7)]
    await inference.hear(*events)
    await inference.hear(*events)
    after = await inference("PredictResponses", predict_request("hard", "unheard-of"))
    assert after.history_size == 6, "each answer counts once"
    for old, new in zip(before.predictions, after.predictions, strict=True):
        assert 0 < old.correct_probability < new.correct_probability < 1
    other = await inference("PredictResponses", predict_request("hard", learner="bob"))
    assert other.predictions[0] == before.predictions[0], "others are where they were"


async def test_a_batch_says_of_each_learner_what_is_said_of_them_alone(inference: Inference) -> None:
    await inference.live("next")
    await inference.hear(attempt(1), attempt(2, False, learner="bob"), attempt(3, item="hard"))
    items = [pb.ItemToPredict(item="items/easy"), pb.ItemToPredict(item="items/new", skills=["skills/halving"])]
    asked = pb.BatchPredictResponsesRequest(learners=[f"learners/{each}" for each in ("bob", "eve", "ada")], items=items)
    answer = await inference("BatchPredictResponses", asked)
    assert [(each.learner, each.history_size) for each in answer.learners] == [
        ("learners/bob", 1),
        ("learners/eve", 0),
        ("learners/ada", 2),
    ]
    for each in answer.learners:
        alone = await inference("PredictResponses", pb.PredictResponsesRequest(learner=each.learner, items=items))
        assert [one.correct_probability for one in each.predictions] == pytest.approx(
            [one.correct_probability for one in alone.predictions], abs=1e-12
        )
    metadata = inference.calls.as_service(context="scheduler")
    assert await inference.stub.BatchPredictResponses(asked, metadata=metadata) == answer


async def test_an_explanation_adds_up(inference: Inference) -> None:
    await inference.live("next", kind="boosting")
    await inference.hear(attempt(1), attempt(2, False, item="hard"))
    asked = pb.ExplainPredictionRequest(learner="learners/ada", item=pb.ItemToPredict(item="items/easy"))
    told = await inference("ExplainPrediction", asked, "TEACHER")
    assert told.base_probability + sum(each.effect for each in told.factors) == pytest.approx(told.correct_probability)
    assert (told.model, told.history_size) == ("models/next", 2)
    predicted = await inference("PredictResponses", predict_request("easy"))
    assert predicted.predictions[0].correct_probability == told.correct_probability
    assert f"{told.correct_probability:.0%}" in told.text


async def test_while_no_model_serves_the_caller_is_told_so_and_a_draft_can_be_asked_by_name(inference: Inference) -> None:
    await inference("RegisterModel", register_request("draft"))
    with pytest.raises(AioRpcError) as refusal:
        await inference("PredictResponses", predict_request())
    assert refusal.value.code() is StatusCode.FAILED_PRECONDITION
    assert (await inference("PredictResponses", predict_request(model="draft"))).model == "models/draft"


async def test_a_model_whose_artifact_is_gone_is_unavailable_and_comes_back_with_it(inference: Inference) -> None:
    await inference.live("next")
    kept = dict(inference.artifacts.artifacts)
    inference.artifacts.artifacts.clear()
    with pytest.raises(AioRpcError) as refusal:
        await inference("PredictResponses", predict_request())
    assert refusal.value.code() is StatusCode.UNAVAILABLE
    inference.artifacts.artifacts.update(kept)
    assert (await inference("PredictResponses", predict_request())).model == "models/next"


async def test_models_in_the_shadow_predict_silently_and_all_is_told(inference: Inference) -> None:
    await inference.hear(attempt(1), attempt(2, False))
    await inference.live("old")
    for name, kind in (("tree", "boosting"), ("net", "dkt")):
        await inference("RegisterModel", register_request(name, kind=kind))
        await inference("StageModel", stage_request(name, "SHADOW", 1.0))
    served = await inference("PredictResponses", predict_request("easy", "hard"))
    assert inference.store.states["north"].events == (), "nobody waits for them"
    await inference.container.shadowing().work_off()
    (event,) = inference.store.states["north"].events
    assert (served.model, event.items, event.history_size) == ("models/old", ("easy", "hard"), 2)
    assert event.predicted == tuple(each.correct_probability for each in served.predictions)
    assert [model.id for model, _ in event.beside] == ["net", "tree"]
    for model, predicted in event.beside:
        named = await inference("PredictResponses", predict_request("easy", "hard", model=model.id))
        assert predicted == pytest.approx([each.correct_probability for each in named.predictions])
    sent = envelope("north", event)
    assert (sent.topic, sent.key) == ("ml.training_events", "learners/ada")


async def test_a_shadow_that_cannot_predict_stops_nobody(inference: Inference) -> None:
    await inference.live("old")
    for name, kind in (("broken", "boosting"), ("fine", "dkt")):
        made = await inference("RegisterModel", register_request(name, kind=kind))
        await inference("StageModel", stage_request(name, "SHADOW", 1.0))
        if name == "broken":
            del inference.artifacts.artifacts["north", made.digest]
    count = {"model": "broken", "stage": "shadow_failed"}
    before = REGISTRY.get_sample_value("paideia_predictions_total", count) or 0
    job = asyncio.create_task(inference.container.shadowing().run())
    await inference("PredictResponses", predict_request())
    async with asyncio.timeout(10):
        while not inference.store.states["north"].events:
            await asyncio.sleep(0.01)
    job.cancel()
    (event,) = inference.store.states["north"].events
    assert [model.id for model, _ in event.beside] == ["fine"]
    assert REGISTRY.get_sample_value("paideia_predictions_total", count) == before + 1


async def test_a_canary_is_compared_with_the_live_model_it_may_replace(inference: Inference) -> None:
    await inference.live("old")
    await inference.canary("next", kind="boosting")
    learners = [f"learner-{n}" for n in range(20)]
    models = {each: (await inference("PredictResponses", predict_request(learner=each))).model for each in learners}
    assert set(models.values()) == {"models/old", "models/next"}
    await inference.container.shadowing().work_off()
    told = inference.store.states["north"].events
    assert {each.learner for each in told} == {each for each in learners if models[each] == "models/next"}
    assert all([model.id for model, _ in each.beside] == ["old"] for each in told)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"learner": "ada"}, "learner"),
        ({"items": []}, "items"),
        ({"items": [pb.ItemToPredict(item="items/a")] * 2}, "once"),
        ({"items": [pb.ItemToPredict(item=f"items/{n}") for n in range(501)]}, "500"),
        ({"items": [pb.ItemToPredict(item="half")]}, "items.item"),
        ({"items": [pb.ItemToPredict(item="items/a", skills=["skills/b"] * 2)]}, "items.skills"),
        ({"items": [pb.ItemToPredict(item="items/a", skills=[f"skills/{n}" for n in range(21)])]}, "20"),
        ({"model": "next"}, "model"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_a_question_that_cannot_be_answered_names_its_field(inference: Inference, fields: dict, names: str) -> None:
    asked = {"learner": "learners/ada", "items": [pb.ItemToPredict(item="items/a")]} | fields
    with pytest.raises(AioRpcError) as refusal:
        await inference("PredictResponses", pb.PredictResponsesRequest(**asked))
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
    assert names in refusal.value.details()


@pytest.mark.parametrize(
    ("learners", "items", "names"),
    [
        ([], 1, "learners"),
        (["ada", "ada"], 1, "once"),
        ([f"l{n}" for n in range(201)], 1, "200"),
        ([f"l{n}" for n in range(101)], 100, "10,000"),
    ],
    ids=["none", "twice", "many", "product"],
)
async def test_a_batch_has_its_limits(inference: Inference, learners: list[str], items: int, names: str) -> None:
    asked = pb.BatchPredictResponsesRequest(
        learners=[f"learners/{each}" for each in learners], items=[pb.ItemToPredict(item=f"items/{n}") for n in range(items)]
    )
    with pytest.raises(AioRpcError) as refusal:
        await inference("BatchPredictResponses", asked)
    assert refusal.value.code() is StatusCode.INVALID_ARGUMENT
    assert names in refusal.value.details()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("PredictResponses", predict_request()),
        ("BatchPredictResponses", pb.BatchPredictResponsesRequest()),
        ("ExplainPrediction", pb.ExplainPredictionRequest(learner="learners/root")),
    ],
    ids=["predict", "batch", "explain"],
)
async def test_learners_are_told_no_predictions(inference: Inference, method: str, message: object) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await inference(method, message, "LEARNER")
    assert refusal.value.code() is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    "value",
    [
        b"\xff",
        b"",
        attempt(1, id="no uuid").SerializeToString(),
        attempt(1, learner="a b").SerializeToString(),
        attempt(1, item="").SerializeToString(),
    ],
    ids=["no message", "empty", "id", "learner", "item"],
)
async def test_a_message_that_cannot_be_read_is_for_the_dead_letters(inference: Inference, value: bytes) -> None:
    with pytest.raises(InvalidInput):
        await inference.container.user_attempts()([LogMessage(value)])


async def test_a_learner_of_many_answers_is_predicted_from_the_newest(inference: Inference) -> None:
    await inference.live("next")
    await inference.hear(*(attempt(n, n % 3 == 0, item="both") for n in range(1, 1_001)))
    assert (await inference("PredictResponses", predict_request())).history_size == NEWEST
