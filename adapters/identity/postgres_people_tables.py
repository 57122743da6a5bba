"""The tables of people, their classes, invitations and mails, as queries name them."""

from sqlalchemy import Boolean, Column, DateTime, Double, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

_metadata = MetaData()
_MOMENT = DateTime(timezone=True)

profiles = Table(
    "profiles",
    _metadata,
    Column("organization_id", Text),
    Column("user_id", Text),
    Column("locale", Text),
    Column("time_zone", Text),
    Column("reduced_motion", Boolean),
    Column("high_contrast", Boolean),
    Column("dyslexia_font", Boolean),
    Column("extra_time", Double),
)
classes = Table(
    "classes",
    _metadata,
    Column("organization_id", Text),
    Column("id", Text),
    Column("display_name", Text),
    Column("created_at", _MOMENT),
    Column("archived_at", _MOMENT),
)
class_members = Table(
    "class_members",
    _metadata,
    Column("organization_id", Text),
    Column("class_id", Text),
    Column("user_id", Text),
    Column("part", Text),
    Column("since", _MOMENT),
)
guardians = Table(
    "guardians",
    _metadata,
    Column("organization_id", Text),
    Column("guardian_id", Text),
    Column("learner_id", Text),
    Column("since", _MOMENT),
)
invitations = Table(
    "invitations",
    _metadata,
    Column("organization_id", Text),
    Column("id", Uuid),
    Column("email", Text),
    Column("sealed_email", LargeBinary),
    Column("email_index", LargeBinary),
    Column("roles", ARRAY(Text)),
    Column("class_id", Text),
    Column("invited_by", Text),
    Column("digest", LargeBinary),
    Column("created_at", _MOMENT),
    Column("sent_at", _MOMENT),
    Column("expires_at", _MOMENT),
    Column("accepted_at", _MOMENT),
    Column("revoked_at", _MOMENT),
)
mails = Table(
    "mails",
    _metadata,
    Column("organization_id", Text),
    Column("id", Uuid),
    Column("recipient", Text),
    Column("sealed_recipient", LargeBinary),
    Column("recipient_index", LargeBinary),
    Column("template", Text),
    Column("sealed_fields", LargeBinary),
    Column("state", Text),
    Column("attempts", Integer),
    Column("error", Text),
    Column("created_at", _MOMENT),
    Column("next_attempt_at", _MOMENT),
    Column("settled_at", _MOMENT),
)
