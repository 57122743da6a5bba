from domain.identity.links import Link, LinkRefused, LinkToken
from domain.identity.model import User
from domain.identity.ports import IdentityUnit


async def user_of_link(unit: IdentityUnit, token: LinkToken) -> tuple[User, Link]:
    """Returns the link as it is once the user is held, so that of two with links of one user the second sees what the first did.

    Raises LinkRefused if there is none.
    """
    found = await unit.links.find(token.digest)
    if found is None:
        raise LinkRefused
    user = await unit.users.get(found.user)
    link = await unit.links.find(token.digest)
    if link is None:
        raise LinkRefused
    return user, link
