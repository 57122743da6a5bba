"""A partner's program before the faces of programs and of provisioning."""

from tests.integrations.partner import partner  # noqa: F401  # a fixture
from tests.rpc.identity.conftest import north  # noqa: F401  # a fixture
