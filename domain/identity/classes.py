"""Classes: who teaches whom."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.identity.model import User, checked_name
from domain.shared.caller import Role
from domain.shared.errors import AlreadyExists, InvalidInput, NotAllowedNow, NotFound
from domain.shared.ids import chosen_id

MOST_MEMBERS_AT_ONCE = 1_000
MOST_MEMBERS = 5_000


class ClassNotFound(NotFound):
    reason = "CLASS_NOT_FOUND"

    def __init__(self, class_id: str) -> None:
        super().__init__(f"no class {class_id}")


class ClassAlreadyExists(AlreadyExists):
    reason = "CLASS_ALREADY_EXISTS"


class ClassArchived(NotAllowedNow):
    reason = "CLASS_ARCHIVED"


class ClassFull(NotAllowedNow):
    reason = "CLASS_FULL"

    def __init__(self, class_id: str) -> None:
        super().__init__(f"class {class_id} would have more than {MOST_MEMBERS} members: divide it")


class Part(StrEnum):
    """What somebody does in a class."""

    TEACHER = "TEACHER"
    LEARNER = "LEARNER"

    @property
    def role(self) -> Role:
        """The role that a user needs for it."""
        return Role(self.value)


@dataclass(frozen=True, slots=True)
class Class:
    """A group of learners with its teachers. An archived one is kept for its history: nobody sees anything through it any more."""

    id: str
    display_name: str
    created_at: datetime
    archived_at: datetime | None = None

    @classmethod
    def create(cls, class_id: str, display_name: str, now: datetime) -> "Class":
        """Raises InvalidInput."""
        name = checked_name(display_name, "class.display_name", required=True)
        return cls(chosen_id(class_id, "class_id"), name, now)

    def renamed(self, display_name: str) -> "Class":
        return replace(self, display_name=checked_name(display_name, "class.display_name", required=True))

    def archive(self, now: datetime) -> "Class":
        self.check_open()
        return replace(self, archived_at=now)

    def check_open(self) -> None:
        if self.archived_at is not None:
            raise ClassArchived(f"class {self.id} is archived since {self.archived_at.isoformat()}")


@dataclass(frozen=True, slots=True)
class Member:
    """`directory_withheld` is told of them, not kept here."""

    user: str
    part: Part
    since: datetime
    directory_withheld: bool = False


def check_members(ids: tuple[str, ...], found: dict[str, User], part: Part) -> None:
    """Raises InvalidInput naming the first of these users who is not there, was deactivated, or lacks the role for the part."""
    for at, each in enumerate(ids):
        user = found.get(each)
        if user is None or not user.active:
            raise InvalidInput.of(f"users[{at}]", f"there is no active user {each}")
        if part.role not in user.roles:
            raise InvalidInput.of(f"users[{at}]", f"user {each} needs the role {part.role}")
