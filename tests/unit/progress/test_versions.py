import pytest

from domain.progress.versions import DOCUMENTS, MODELS, ModelVersion, ModelVersionNotFound, ModelVersions
from domain.psychometrics.bkt import Growth, Ranges, Tracing
from domain.psychometrics.response_model import Constants
from domain.shared.errors import InvalidInput
from domain.shared.page import PageRequest

FROZEN = {
    "logistic-2+bkt-2": "0d9861a75b3fa4aa3ab23aaa1af27ac2ac039bc293c22b357790a5c0b30469a6",
    "logistic-3+bkt-3": "8604107c4d4f96689b4974c87baef9c0352fae569ec6ac6ee4d7197676ad21e0",
    "logistic-3+bkt-4": "e1362058e7590ff8bf80d2aa4c2bc140c1e91e14997738d44358da5c1ad320a5",
}


def test_a_version_that_was_ever_live_never_changes() -> None:
    """Attempts name it for ever. If this fails, add a version instead of changing one."""
    assert {each["id"]: ModelVersion.of(each).digest for each in DOCUMENTS} == FROZEN


def test_the_live_version_has_the_constants_that_the_code_has_by_default() -> None:
    live = MODELS.live.document
    assert live["response"]["constants"] == Constants()._asdict()
    assert {name: tuple(each) for name, each in live["tracing"]["ranges"].items()} == Ranges()._asdict()
    assert Growth(14, *(tuple(live["tracing"]["growth"][each]) for each in ("start", "pace"))) == Growth()
    assert (MODELS.live.tracing.parameters.prior == Tracing().parameters.prior).all()
    assert MODELS.live.tracing.new_estimate() == Tracing().new_estimate()


def test_versions_are_listed_newest_first_page_by_page() -> None:
    first = MODELS.page(PageRequest(1))
    rest = MODELS.page(PageRequest(5, first.next))
    assert [each.id for each in (*first.elements, *rest.elements)] == [each["id"] for each in reversed(DOCUMENTS)]
    assert rest.next is None
    with pytest.raises(InvalidInput, match="page_token"):
        MODELS.page(PageRequest(1, ("elsewhere",)))


def test_a_version_that_is_not_here_is_not_found() -> None:
    with pytest.raises(ModelVersionNotFound):
        ModelVersions(DOCUMENTS[:1]).get(DOCUMENTS[1]["id"])


@pytest.mark.parametrize(
    "change",
    [
        {"response": {"family": "deep", "constants": {}}},
        {"response": {"family": "logistic", "constants": {"charm": 1.0}}},
        {"tracing": {"family": "bkt-ensemble", "sets": 48, "ends": [0.05, 0.95], "ranges": {"prior": [0.1]}}},
        {"tracing": {"family": "bkt-ensemble", "sets": 0, "ends": [0.05, 0.95], "ranges": {}}},
        {"tracing": {"family": "bkt-ensemble", "sets": 48, "ends": [0.6, 0.95], "ranges": {}}},
        {"tracing": {**DOCUMENTS[2]["tracing"], "growth": {"sets": 14, "start": [-2.5, 1.5]}}},
        {"tracing": {**DOCUMENTS[2]["tracing"], "growth": {"sets": 45, "start": [-2.5, 1.5], "pace": [0.1, 0.5]}}},
    ],
)
def test_a_document_that_cannot_be_evaluated_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        ModelVersion.of({**DOCUMENTS[1], **change})


def test_a_document_may_hold_parameters_fitted_for_a_skill() -> None:
    """Where no set is by degrees, a skill whose parameters are known leaves no doubt but whether it is mastered."""
    fitted = {"prior": [0.4, 0.4], "learn": [0.1, 0.1], "guess": [0.2, 0.2], "slip": [0.1, 0.1]}
    tracing = {**DOCUMENTS[1]["tracing"], "skills": {"sum": fitted}}
    version = ModelVersion.of({**DOCUMENTS[1], "id": "fitted", "tracing": tracing})
    assert version.tracing.new_estimate("sum") == pytest.approx((0.4, 0.4, 0.4))
    assert version.tracing.new_estimate("add") == MODELS.get(DOCUMENTS[1]["id"]).tracing.new_estimate("add")


def test_versions_of_as_many_sets_mean_the_same_by_each() -> None:
    """A stored state does not say whose it is: it is taken over as it stands by every version of as many sets."""
    kinds: dict[int, int] = {}
    for each in DOCUMENTS:
        growing = each["tracing"].get("growth", {"sets": 0})["sets"]
        assert kinds.setdefault(each["tracing"]["sets"], growing) == growing
