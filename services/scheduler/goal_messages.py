"""Between the messages of goals and their plans and the domain."""

from paideia.scheduler.v1 import scheduler_service_pb2 as pb

from domain.scheduler.goal import MINUTES_PER_ITEM
from domain.scheduler.goal_plan import ASSUMPTION, GoalPlan, PlannedDay, PlannedSkill, Projection
from domain.scheduler.model import Goal
from domain.scheduler.use_cases.plan_goal import GoalRequest
from domain.shared.errors import InvalidInput
from services.shared.names import id_in
from services.shared.times import timestamp, when

MOST_SKILLS = 1_000
_DEFAULT_TARGET = 0.9


def goal_in(message: pb.Goal) -> Goal:
    """Returns the goal, or raises InvalidInput naming the field."""
    if not message.HasField("deadline"):
        raise InvalidInput.of("goal.deadline", "is required")
    target = message.target_mastery or _DEFAULT_TARGET
    if not 1.0 <= message.minutes_a_day <= 1_440.0:
        raise InvalidInput.of("goal.minutes_a_day", "must be from 1 to 1,440")
    if not 0.5 <= target <= 0.99:
        raise InvalidInput.of("goal.target_mastery", "must be from 0.5 to 0.99, or 0 for 0.9")
    if len(message.skills) > MOST_SKILLS:
        raise InvalidInput.of("goal.skills", f"must be at most {MOST_SKILLS:,}")
    skills = tuple(id_in(each, "skills", f"goal.skills[{number}]") for number, each in enumerate(message.skills))
    return Goal(when(message.deadline, "goal.deadline"), message.minutes_a_day, target, skills)


def plan_request(request: pb.PlanGoalRequest) -> GoalRequest:
    if not request.HasField("goal"):
        raise InvalidInput.of("goal", "is required")
    minutes = request.minutes_per_item or MINUTES_PER_ITEM
    if not 0.1 <= minutes <= 120.0:
        raise InvalidInput.of("minutes_per_item", f"must be from 0.1 to 120, or 0 for {MINUTES_PER_ITEM}")
    return GoalRequest(
        id_in(request.learner, "learners", "learner"), id_in(request.course, "courses", "course"), goal_in(request.goal), minutes
    )


def goal_message(goal: Goal) -> pb.Goal:
    return pb.Goal(
        deadline=timestamp(goal.deadline),
        minutes_a_day=goal.minutes_a_day,
        target_mastery=goal.target,
        skills=[f"skills/{each}" for each in goal.skills],
    )


def plan_message(plan: GoalPlan) -> pb.GoalPlan:
    return pb.GoalPlan(
        goal=goal_message(plan.goal),
        now=_projection(plan.now),
        at_deadline=_projection(plan.at_deadline),
        reachable=plan.reachable,
        minutes_a_day_needed=plan.minutes_a_day_needed,
        days=[_day(each) for each in plan.days],
        skills=[_skill(each) for each in plan.skills],
        assumption=ASSUMPTION,
    )


def _projection(projection: Projection) -> pb.Projection:
    return pb.Projection(mean=projection.mean, lower=projection.lower, upper=projection.upper)


def _day(day: PlannedDay) -> pb.PlannedDay:
    return pb.PlannedDay(
        day=day.day,
        start_time=timestamp(day.starts_at),
        reviews=day.reviews,
        practice=[pb.PlannedPractice(skill=f"skills/{skill}", items=items) for skill, items in day.practice],
        mastery=_projection(day.mastery),
    )


def _skill(skill: PlannedSkill) -> pb.PlannedSkill:
    return pb.PlannedSkill(
        skill=f"skills/{skill.skill}",
        title=skill.title,
        now=_projection(skill.now),
        at_deadline=_projection(skill.at_deadline),
        items_needed=skill.items_needed,
        items_planned=skill.items_planned,
    )
