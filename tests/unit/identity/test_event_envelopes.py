"""What identity's events say on the wire of the call that caused them."""

from datetime import UTC, datetime

import pytest
from paideia.identity.v1 import events_pb2 as pb

from adapters.identity.kafka import envelopes
from adapters.shared.topics import knows
from domain.identity.events import Notice, SecurityNoticed, SessionRevoked
from domain.shared.network import current_forwarded_for

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("forwarded", "network"),
    [("10.0.0.1, 192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("", ""), ("192.0.2.77, unknown", "")],
)
def test_an_event_says_which_network_its_cause_came_from(forwarded: str, network: str) -> None:
    before = current_forwarded_for.set(forwarded)
    signed_in, ended = envelopes([SecurityNoticed("ada", NOW, Notice.SIGNED_IN), SessionRevoked("ada", NOW, "s")], "north")
    current_forwarded_for.reset(before)
    assert pb.SecurityNoticed.FromString(signed_in.payload).network == network
    assert pb.SessionRevoked.FromString(ended.payload).network == network
    assert "77" not in signed_in.payload.decode(errors="replace")


def test_notices_go_where_only_the_audit_log_reads() -> None:
    noticed, ended = envelopes([SecurityNoticed("ada", NOW, Notice.SIGNED_IN), SessionRevoked("ada", NOW, "s")], "north")
    assert (noticed.topic, ended.topic) == ("audit.acts", "identity.events")
    assert knows(noticed.topic, noticed.type)
    # What releases before this one have published is still known where they did.
    assert knows("identity.events", noticed.type)
