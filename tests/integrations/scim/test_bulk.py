"""Many changes in one request: what each comes to, and what is refused as a whole."""

import json
from typing import Any

import grpc
import pytest
from scim2_models import BulkResponse, Context, Group, User

from integrations.scim import bulk, schemas
from integrations.scim.schemas import LONGEST_BODY, MOST_OPERATIONS
from integrations.shared.identity import Identity, Refusal
from tests.integrations.partner import Partner

REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def posts(bulk_id: str, name: str, **more: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": {"schemas": [schemas.USER], "userName": name, **more}}


def posts_group(bulk_id: str, *members: str, name: str = "7b") -> dict[str, Any]:
    data = {"schemas": [schemas.GROUP], "displayName": name, "members": [{"value": each} for each in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


async def sent(partner: Partner, *operations: Any, **more: Any) -> list[dict[str, Any]]:
    answer = await partner.scim("POST", "/Bulk", {"schemas": [REQUEST], "Operations": list(operations)} | more)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    BulkResponse[User[Any] | Group].model_validate(found, scim_ctx=Context.BULK_RESPONSE)
    listed: list[dict[str, Any]] = found["Operations"]
    return listed


async def sent_raw(partner: Partner, operations: list[Any]) -> list[dict[str, Any]]:
    """Written as ASCII, for no UTF-8 says half a surrogate pair."""
    content = json.dumps({"Operations": operations})
    headers = {"authorization": f"Bearer {partner.token}", "content-type": "application/scim+json"}
    answer = await partner.http.post("/scim/v2/Bulk", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["Operations"]
    return listed


def statuses(answers: list[dict[str, Any]]) -> list[str]:
    return [each["status"] for each in answers]


async def test_a_class_and_its_learners_come_in_one_request_in_whatever_order(partner: Partner) -> None:
    await partner.gets_program("scim")
    answers = await sent(
        partner,
        posts_group("class", "bulkId:eve", "bulkId:kim", "bob"),
        posts("eve", "eve@example.org"),
        posts("kim", "kim@example.org"),
        {
            "method": "patch",
            "path": "/Users/bulkId:eve",
            "data": {"Operations": [{"op": "replace", "path": "displayName", "value": "Eve"}]},
        },
    )
    assert statuses(answers) == ["201", "201", "201", "200"]
    assert [each.get("bulkId") for each in answers] == ["class", "eve", "kim", None]
    group, eve, kim = (each["location"].rpartition("/")[2] for each in answers[:3])
    found = (await partner.scim("GET", f"/Groups/{group}")).json()
    assert {each["value"] for each in found["members"]} == {eve, kim, "bob"}
    shown = await partner.scim("GET", f"/Users/{eve}")
    assert shown.json()["displayName"] == "Eve"
    assert (answers[3]["version"], answers[3]["location"]) == (shown.headers["etag"], shown.headers["location"])


async def test_each_operation_is_done_or_refused_on_its_own(partner: Partner) -> None:
    await partner.gets_program("scim")
    etag = (await partner.scim("GET", "/Users/bob")).headers["etag"]
    rename = {"Operations": [{"op": "replace", "path": "displayName", "value": "Robert"}]}
    answers = await sent(
        partner,
        posts("taken", "bob@example.org"),
        posts("new", "new@example.org"),
        {"method": "PATCH", "path": "/Users/bob", "version": etag, "data": rename},
        {"method": "PATCH", "path": "/Users/bob", "version": etag, "data": rename},
        {"method": "DELETE", "path": "/Users/bulkId:new"},
        {"method": "PUT", "path": "/Users/nobody", "data": {"userName": "nobody"}},
        {"method": "DELETE", "path": "/Users/ada"},
    )
    assert statuses(answers) == ["409", "201", "200", "412", "204", "404", "403"]
    assert (answers[0]["response"]["scimType"], "location" in answers[0]) == ("uniqueness", False)
    assert answers[5]["location"].endswith("/Users/nobody")
    assert all(("response" in each) is (each["status"] >= "400") for each in answers)
    assert (await partner.scim("GET", "/Users")).json()["totalResults"] == 2


async def test_after_as_many_errors_as_are_allowed_nothing_more_is_done(partner: Partner) -> None:
    await partner.gets_program("scim")
    wrong = {"method": "DELETE", "path": "/Users/nobody"}
    answers = await sent(partner, wrong, posts("a", "a@example.org"), wrong, posts("b", "b@example.org"), failOnErrors=2)
    assert statuses(answers) == ["404", "201", "404"]
    assert (await partner.scim("GET", '/Users?filter=userName eq "b@example.org"')).json()["totalResults"] == 0


WRONG: list[tuple[list[Any], list[str]]] = [
    ([posts("a", "a@example.org", nickName="bulkId:b"), posts("b", "b@example.org", nickName="bulkId:a")], ["409", "409"]),
    ([posts_group("a", "bulkId:a")], ["409"]),
    ([posts_group("g", "bulkId:taken"), posts("taken", "bob@example.org")], ["409", "409"]),
    ([posts_group("g", "bulkId:nothing")], ["400"]),
    ([posts_group("g", "bulkId:\ud800")], ["400"]),
    ([posts("", "a@example.org")], ["400"]),
    ([{"method": "GET", "path": "/Users/bob"}], ["405"]),
    ([{"path": "/Users/bob"}], ["405"]),
    ([{"method": "POST", "path": "/Users/bob", "bulkId": "x", "data": {"userName": "x"}}], ["405"]),
    ([{"method": "DELETE", "path": "/Users"}], ["405"]),
    ([{"method": "POST", "path": "/Robots", "bulkId": "x", "data": {"a": 1}}], ["404"]),
    ([{"method": "DELETE", "path": "/Users/bob/name"}], ["404"]),
    ([{"method": "POST", "path": "/Bulk", "bulkId": "x", "data": {"a": 1}}], ["404"]),
    ([{"method": "POST", "path": "/Users", "bulkId": "x"}], ["400"]),
    ([{"method": "PATCH", "path": "/Users/bob", "data": {"Operations": "all"}}], ["400"]),
    ([posts("deep", "a@example.org", title=[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]])], ["400"]),
]


async def test_what_is_wrong_with_one_operation_is_its_own_status(partner: Partner) -> None:
    await partner.gets_program("scim")
    for at, (operations, expected) in enumerate(WRONG):
        answers = await sent_raw(partner, [*operations, posts("right", f"right{at}@example.org")])
        assert statuses(answers) == [*expected, "201"], operations
        assert all(each["response"]["schemas"] == [schemas.ERROR] for each in answers[:-1])


async def test_what_is_no_bulk_request_is_refused_as_a_whole(partner: Partner) -> None:
    await partner.gets_program("scim")
    config = (await partner.scim("GET", "/ServiceProviderConfig")).json()["bulk"]
    assert config == {"supported": True, "maxOperations": MOST_OPERATIONS, "maxPayloadSize": LONGEST_BODY}
    many = [posts(str(at), f"{at}@example.org") for at in range(MOST_OPERATIONS + 1)]
    cases: list[tuple[dict[str, Any], int]] = [
        ({"Operations": many}, 413),
        ({"Operations": []}, 400),
        ({"Operations": ["x"]}, 400),
        ({}, 400),
        ({"Operations": many[:1], "failOnErrors": 0}, 400),
        ({"Operations": many[:1], "failOnErrors": "many"}, 400),
        ({"Operations": many[:1] * 2}, 400),
        ({"Operations": [many[0] | {"bulkId": 7}]}, 400),
    ]
    for body, status in cases:
        answer = await partner.scim("POST", "/Bulk", body)
        assert (answer.status_code, answer.json()["status"]) == (status, str(status)), body
    over = await partner.scim("POST", "/Bulk", {"Operations": many})
    assert all(str(limit) in over.json()["detail"] for limit in (MOST_OPERATIONS, LONGEST_BODY))
    large = await partner.scim("POST", "/Bulk", {"Operations": many[:1], "padding": "x" * LONGEST_BODY})
    assert (large.status_code, str(LONGEST_BODY) in large.json()["detail"]) == (413, True)
    assert (await partner.scim("GET", "/Bulk")).status_code == 405
    assert (await partner.scim("GET", "/Users")).json()["totalResults"] == 2


async def test_nobody_and_a_program_without_the_scope_are_refused_before_anything_is_done(partner: Partner) -> None:
    await partner.gets_program("identity.read")
    answer = await partner.scim("POST", "/Bulk", {"Operations": [posts("a", "a@example.org")]})
    assert answer.status_code == 403
    partner.token = partner.token[:-2] + "xx"
    answer = await partner.scim("POST", "/Bulk", {"Operations": [posts("a", "a@example.org")]})
    assert answer.status_code == 401


async def test_while_identity_is_away_what_is_left_is_answered_without_being_tried(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await partner.gets_program("scim")
    tried = 0
    call = Identity.call

    async def breaks(self: Identity, rpc: str, *given: Any, **named: Any) -> Any:
        nonlocal tried
        tried += 1
        if tried > 1:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "")
        return await call(self, rpc, *given, **named)

    monkeypatch.setattr(Identity, "call", breaks)
    many = [posts(str(at), f"{at}@example.org") for at in range(5)]
    assert statuses(await sent(partner, *many)) == ["201", "503", "503", "503", "503"]
    assert tried == 2
    answer = await partner.scim("POST", "/Bulk", {"Operations": many})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_what_there_is_no_time_for_is_answered_so(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    await partner.gets_program("scim")
    monkeypatch.setattr(bulk, "_SECONDS", -1.0)
    assert statuses(await sent(partner, posts("a", "a@example.org"))) == ["503"]
    assert (await partner.scim("GET", "/Users")).json()["totalResults"] == 2
