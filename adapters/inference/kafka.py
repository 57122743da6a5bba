"""The event of predictions on the wire."""

from google.protobuf.timestamp_pb2 import Timestamp
from paideia.inference.v1 import events_pb2

from domain.inference.model import PredictionsCompared
from domain.shared.events import EventEnvelope
from domain.shared.ids import random_id
from domain.shared.trace import current_traceparent

TOPIC = "ml.training_events"


def envelope(organization: str, event: PredictionsCompared) -> EventEnvelope:
    predict_time = Timestamp()
    predict_time.FromDatetime(event.at)
    payload = events_pb2.PredictionsCompared(
        learner=f"learners/{event.learner}",
        items=[f"items/{each}" for each in event.items],
        history_size=event.history_size,
        served_model=f"models/{event.served.id}",
        served_stage=event.served.standing.stage.name,
        served=event.predicted,
        shadows=[
            events_pb2.ShadowPredictions(model=f"models/{model.id}", predicted=predicted) for model, predicted in event.beside
        ],
        predict_time=predict_time,
    )
    return EventEnvelope(
        id=random_id(),
        type=events_pb2.PredictionsCompared.DESCRIPTOR.full_name,
        topic=TOPIC,
        organization=organization,
        key=f"learners/{event.learner}",
        occurred_at=event.at,
        payload=payload.SerializeToString(),
        traceparent=current_traceparent.get(),
    )
