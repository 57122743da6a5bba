"""What scim2-tester, an independent checker of RFC 7643 and RFC 7644, says of the running face."""

import asyncio

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import CheckResult, Status, check_server

from tests.integrations.partner import Partner


async def test_scim2_tester_finds_no_fault(partner: Partner) -> None:
    await partner.gets_program("scim")

    def check() -> list[CheckResult]:
        headers = {"authorization": f"Bearer {partner.token}"}
        with Client(base_url=f"{partner.url}/scim/v2", headers=headers, trust_env=False) as http:
            return check_server(SyncSCIMClient(http))

    results = await asyncio.to_thread(check)
    wrong = [each for each in results if each.status not in (Status.SUCCESS, Status.SKIPPED, Status.COMPLIANT)]
    assert not wrong, "\n".join(f"{each.status}: {each.title} {each.resource_type}: {each.reason}" for each in wrong)
    assert len(results) > 50
