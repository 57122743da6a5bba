"""A course, a bank and blueprints for the tests of tests, and how a test is taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from uuid import UUID, uuid4

from adapters.assessment.re2 import Re2PatternMatcher
from domain.assessment.model.answers import NumericAnswer
from domain.assessment.model.items import Item, NumericInteraction, NumericKey
from domain.assessment.model.responses import Response, Submission
from domain.assessment.ports import AttemptListener, CatalogContent, HeldItems, SittingUnit
from domain.assessment.testing.balance import ContentArea
from domain.assessment.testing.banks import BankVersion, CalibratedItem, ResponseModel
from domain.assessment.testing.blueprints import AdaptiveForm, Blueprint
from domain.assessment.testing.plans import Plan, Plans
from domain.assessment.testing.pools import with_pool
from domain.assessment.testing.sessions import Session
from domain.assessment.use_cases.answer_test_item import AnswerTestItem
from domain.assessment.use_cases.create_blueprint import CreateBlueprint
from domain.assessment.use_cases.finish_test import FinishTest
from domain.assessment.use_cases.get_bank import GetBank
from domain.assessment.use_cases.get_bank_version import GetBankVersion
from domain.assessment.use_cases.get_blueprint import GetBlueprint
from domain.assessment.use_cases.get_test_session import GetTestSession
from domain.assessment.use_cases.list_bank_versions import ListBankVersions
from domain.assessment.use_cases.list_banks import ListBanks
from domain.assessment.use_cases.list_blueprints import ListBlueprints
from domain.assessment.use_cases.list_test_sessions import ListTestSessions
from domain.assessment.use_cases.publish_bank_version import PublishBankVersion
from domain.assessment.use_cases.retire_blueprint import RetireBlueprint
from domain.assessment.use_cases.sitting import Sittings
from domain.assessment.use_cases.start_test import StartTest
from domain.psychometrics.irt import probability
from domain.shared.clock import Clock
from services.assessment.testing_servicer import SittingUseCases
from tests.unit.assessment.examples import item
from tests.unit.assessment.fakes import NOW, FakeCatalog

SKILLS = ("adding", "comparing", "reducing")
RIGHT, WRONG = NumericAnswer("1"), NumericAnswer("0")


def course_items(count: int) -> list[Item]:
    """Items `q0`, `q1`, ... whose right answer is 1, of three skills in turn."""
    return [
        replace(item(NumericInteraction(), NumericKey("1"), f"q{number}"), skills=(SKILLS[number % 3],))
        for number in range(count)
    ]


def calibrated(count: int, seed: int = 1) -> tuple[CalibratedItem, ...]:
    random = Random(seed)
    return tuple(
        CalibratedItem(f"q{number}", random.uniform(0.8, 2.2), random.uniform(-2.5, 2.5), random.choice([0.0, 0.1, 0.2]))
        for number in range(count)
    )


def bank(count: int, seed: int = 1) -> BankVersion:
    return BankVersion.of("numbers", ResponseModel.THREE, "fit-1", calibrated(count, seed), NOW)


USUAL = Blueprint(
    "placement",
    "Placement",
    "exam",
    AdaptiveForm(max_length=12, min_length=4, standard_error=0.4),
    bank="numbers",
    bank_version=bank(30).version,
)
BALANCED = replace(
    USUAL, areas=(ContentArea("adding", 0.3, 0.5), ContentArea("comparing", min_count=2), ContentArea("reducing", max_count=4))
)


def plan_of(blueprint: Blueprint, count: int = 30, seed: int = 1) -> Plan:
    blueprint.check()
    published = {each.id: each for each in course_items(count)}
    return Plan.of(with_pool(blueprint, bank(count, seed) if blueprint.bank else None, published, NOW))


def response_to(session: Session, correct: bool, now: datetime = NOW) -> Response:
    """An answer to the session's current item."""
    step = session.current
    assert step is not None
    random = Random(f"{session.id}/{session.answered_count}")
    submission = Submission(
        str(UUID(int=random.getrandbits(128))), session.learner, "exam", step.item, RIGHT, test_session=session.id
    )
    given = RIGHT if correct else WRONG
    return Response(
        submission.id, session.learner, "exam", step.item, step.revision, given, float(correct), correct, (), "", 0, "", None, now, now,
        session.id, True,
    )  # fmt: skip


def taken(
    plan: Plan, answers: Callable[[int], bool], session_id: str = "", resumed: Callable[[Session], Session] = lambda s: s
) -> Session:
    """A whole test: `answers` says whether the n-th answer is right, `resumed` what becomes of the session between two answers."""
    session = plan.advanced(Session.of(session_id or str(uuid4()), "ada", plan.blueprint, NOW), NOW)
    while session.open:
        session = resumed(session)
        session = plan.advanced(session.with_answer(response_to(session, answers(session.answered_count))), NOW)
    return session


def simulated(plan: Plan, ability: float, random: Random) -> Session:
    """A whole test of a simulated learner, who answers as the items' parameters say."""
    session = plan.advanced(Session.of(str(UUID(int=random.getrandbits(128))), "ada", plan.blueprint, NOW), NOW)
    while session.open:
        assert plan.items is not None
        assert session.current is not None
        right = random.random() < probability(plan.items.take([plan.places[session.current.item]]), ability)[0]
        session = plan.advanced(session.with_answer(response_to(session, right)), NOW)
    return session


def use_cases(
    new_unit: Callable[[str], SittingUnit], catalog: CatalogContent, held: HeldItems, listener: AttemptListener, clock: Clock
) -> SittingUseCases:
    sittings = Sittings(new_unit, Plans(), clock)
    return SittingUseCases(
        publish_bank_version=PublishBankVersion(new_unit, clock),
        get_bank_version=GetBankVersion(new_unit),
        list_bank_versions=ListBankVersions(new_unit),
        get_bank=GetBank(new_unit),
        list_banks=ListBanks(new_unit),
        create_blueprint=CreateBlueprint(new_unit, catalog, held, clock),
        get_blueprint=GetBlueprint(new_unit),
        list_blueprints=ListBlueprints(new_unit),
        retire_blueprint=RetireBlueprint(new_unit, clock),
        start_test=StartTest(sittings),
        get_session=GetTestSession(sittings),
        answer_item=AnswerTestItem(sittings, listener, Re2PatternMatcher()),
        finish_test=FinishTest(sittings),
        list_sessions=ListTestSessions(sittings),
    )


@dataclass
class Examination:
    """The use cases over one store, and a clock that tests turn. The course `exam` of an organization has 30 items."""

    new_unit: Callable[[str], SittingUnit]
    held: HeldItems
    listener: AttemptListener
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.catalog = FakeCatalog()
        self.act = self.another()

    def another(self) -> SittingUseCases:
        """The use cases as another process would have them: nothing in memory is shared."""
        return use_cases(self.new_unit, self.catalog, self.held, self.listener, lambda: self.now)

    def publish(self, organization: str, items: Sequence[Item] | None = None) -> None:
        self.catalog.publish(organization, "exam", *(items or course_items(30)))
