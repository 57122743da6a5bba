from domain.shared.caller import Caller, Role


def sees_drafts(caller: Caller) -> bool:
    """Whether the caller sees courses as their authors do; learners see what was published."""
    return bool(caller.roles - {Role.LEARNER})
