from domain.audit.model import PLATFORM, OperatorsOnly
from domain.shared.caller import Caller, Role


def chain_of(caller: Caller, platform: bool) -> str:
    """Returns whose chain the caller asks for. Raises OperatorsOnly."""
    if not platform:
        return caller.organization
    if Role.OPERATOR not in caller.roles:
        raise OperatorsOnly
    return PLATFORM
