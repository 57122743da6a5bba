"""An identity provider provisions people: what becomes of them on the platform."""

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as identity

from domain.identity.events import SessionRevoked, SightChanged, UserDeactivated
from domain.identity.provisioning_attributes import GROUP, USER, Attribute
from domain.shared.caller import Role
from domain.shared.plans import Plan, Quota, limit_of
from integrations.scim import schemas
from tests.integrations.partner import Partner

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
EVE = {
    "schemas": [schemas.USER],
    "userName": "eve@example.org",
    "externalId": "7",
    "name": {"givenName": "Eve", "familyName": "Moss"},
}


async def created(partner: Partner, **changes: Any) -> dict[str, Any]:
    answer = await partner.scim("POST", "/Users", EVE | changes)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def patched(partner: Partner, path: str, *operations: dict[str, Any], **headers: str) -> Any:
    return await partner.scim("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)


async def test_a_user_is_created_found_and_known_to_the_platform(partner: Partner) -> None:
    await partner.gets_program("scim", "identity.read")
    made = await created(partner, roles=[{"value": "teacher", "primary": True}], title="Dr")
    assert made["displayName"] == "Eve Moss"
    assert made["emails"] == [{"value": "eve@example.org", "primary": True}]
    assert "title" not in made
    assert made["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    known = await partner.north.stub.GetUser(
        identity.GetUserRequest(name=f"users/{made['id']}"), metadata=(("authorization", f"Bearer {partner.token}"),)
    )
    assert (known.display_name, known.email, list(known.roles)) == ("Eve Moss", "eve@example.org", [auth.ROLE_TEACHER])
    for text in (
        'userName eq "EVE@example.org"',
        'externalId eq "7" and active eq true',
        'emails.value sw "eve"',
        f'id eq "{made["id"]}"',
    ):
        found = (await partner.scim("GET", f"/Users?filter={text}")).json()
        assert [each["id"] for each in found["Resources"]] == [made["id"]], text
        assert found["totalResults"] == 1


async def test_a_user_who_was_there_before_is_linked_and_not_made_twice(partner: Partner) -> None:
    await partner.gets_program("scim")
    found = (await partner.scim("GET", '/Users?filter=userName eq "bob@example.org"')).json()["Resources"]
    assert [each["id"] for each in found] == ["bob"]
    again = await partner.scim("POST", "/Users", EVE | {"userName": "bob@example.org"})
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    answer = await patched(partner, "/Users/bob", {"op": "Add", "path": "externalId", "value": "b-1"})
    assert answer.json()["externalId"] == "b-1"
    assert (await partner.scim("GET", '/Users?filter=externalId eq "b-1"')).json()["totalResults"] == 1


async def test_deactivation_ends_sessions_at_once_and_keeps_the_user(partner: Partner) -> None:
    await partner.gets_program("scim")
    bob = await partner.north.signs_in()
    answer = await patched(partner, "/Users/bob", {"op": "Replace", "path": "active", "value": "False"})
    assert answer.json()["active"] is False
    with pytest.raises(AioRpcError) as refused:
        await bob.refreshes()
    assert refused.value.code() is StatusCode.UNAUTHENTICATED
    events = partner.north.memory.events("north")
    assert [each.session for each in events if isinstance(each, SessionRevoked)] == [bob.session]
    assert [each.user for each in events if isinstance(each, UserDeactivated)] == ["bob"]
    assert (await patched(partner, "/Users/bob", {"op": "replace", "value": {"active": True}})).json()["active"] is True
    await partner.north.signs_in()


async def test_who_is_deleted_is_gone_for_the_provider_and_comes_back_as_the_same_person(partner: Partner) -> None:
    await partner.gets_program("scim")
    made = await created(partner)
    assert (await partner.scim("DELETE", f"/Users/{made['id']}")).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        assert (await partner.scim(method, f"/Users/{made['id']}", EVE if method == "PUT" else None)).status_code == 404
    assert (await partner.scim("GET", "/Users")).json()["totalResults"] == 2
    assert not partner.north.memory.tenants["north"].users[made["id"]].active
    other = await partner.scim("POST", "/Users", EVE | {"externalId": "somebody else"})
    assert other.status_code == 409
    back = await created(partner)
    assert (back["id"], back["active"]) == (made["id"], True)


async def test_the_last_administrator_and_operators_are_out_of_reach(partner: Partner) -> None:
    await partner.gets_program("scim")
    answer = await patched(partner, "/Users/ada", {"op": "replace", "path": "active", "value": False})
    assert answer.status_code == 403
    users = partner.north.memory.tenants["north"].users

    users["bob"] = replace(users["bob"], roles=frozenset({Role.LEARNER, Role.OPERATOR}))
    answer = await patched(partner, "/Users/bob", {"op": "replace", "path": "displayName", "value": "Mine"})
    assert answer.status_code == 403
    assert all(each["value"] != "OPERATOR" for each in (await partner.scim("GET", "/Users/bob")).json().get("roles", []))
    assert (await partner.scim("POST", "/Users", EVE | {"roles": [{"value": "OPERATOR"}]})).status_code == 400


async def test_a_condition_keeps_two_from_overwriting_each_other(partner: Partner) -> None:
    await partner.gets_program("scim")
    first = await partner.scim("GET", "/Users/bob")
    etag = first.headers["etag"]
    assert first.json()["meta"]["version"] == etag
    assert (await partner.scim("GET", "/Users/bob", **{"if-none-match": etag})).status_code == 304
    change = {"op": "replace", "path": "displayName", "value": "Robert"}
    assert (await patched(partner, "/Users/bob", change, **{"if-match": etag})).status_code == 200
    assert (await patched(partner, "/Users/bob", change | {"value": "Bobby"}, **{"if-match": etag})).status_code == 412
    assert (await partner.scim("DELETE", "/Users/bob", **{"if-match": etag})).status_code == 412
    ada = await partner.administrator()
    await ada.call(
        "UpdateUser", user=identity.User(name="users/bob", display_name="Rob"), update_mask=FieldMask(paths=["display_name"])
    )
    assert (await partner.scim("GET", "/Users/bob")).json()["displayName"] == "Rob"


async def test_a_group_is_a_class_and_its_teachers_see_its_learners(partner: Partner) -> None:
    await partner.gets_program("scim")
    eve = await created(partner, roles=[{"value": "TEACHER"}])
    body = {"schemas": [schemas.GROUP], "displayName": "7b", "members": [{"value": "bob"}, {"value": eve["id"]}]}
    group = (await partner.scim("POST", "/Groups", body)).json()
    assert {each["value"] for each in group["members"]} == {"bob", eve["id"]}
    parts = partner.north.memory.tenants["north"].people.members
    assert {user: member.part for (_, user), member in parts.items()} == {"bob": "LEARNER", eve["id"]: "TEACHER"}
    assert any(isinstance(each, SightChanged) for each in partner.north.memory.events("north"))
    assert (await partner.scim("GET", "/Users/bob")).json()["groups"][0]["value"] == group["id"]
    path = f"/Groups/{group['id']}"
    answer = await patched(partner, path, {"op": "Remove", "path": "members", "value": [{"value": "bob"}]})
    assert [each["value"] for each in answer.json()["members"]] == [eve["id"]]
    wrong = await patched(partner, path, {"op": "add", "path": "members", "value": [{"value": "nobody"}]})
    assert (wrong.status_code, wrong.json()["scimType"]) == (400, "invalidValue")
    listed = (await partner.scim("GET", "/Groups?excludedAttributes=members")).json()["Resources"]
    assert [sorted(each) for each in listed] == [["displayName", "id", "meta", "schemas"]]
    assert (await partner.scim("DELETE", path)).status_code == 204
    assert (await partner.scim("GET", path)).status_code == 404
    assert "groups" not in (await partner.scim("GET", f"/Users/{eve['id']}")).json()


async def test_a_list_comes_in_pages_and_a_search_in_a_body(partner: Partner) -> None:
    await partner.gets_program("scim")
    for at in range(5):
        await created(partner, userName=f"user{at}", externalId=str(at))
    seen: list[str] = []
    for start in (1, 4, 7):
        page = (await partner.scim("GET", f"/Users?startIndex={start}&count=3")).json()
        assert (page["totalResults"], page["startIndex"]) == (7, start)
        seen += [each["id"] for each in page["Resources"]]
    assert len(set(seen)) == 7
    assert (await partner.scim("GET", "/Users?count=0")).json()["itemsPerPage"] == 0
    asked = {"schemas": [schemas.LIST], "filter": 'userName sw "user"', "count": 2, "attributes": ["userName", "name.givenName"]}
    found = (await partner.scim("POST", "/Users/.search", asked)).json()
    assert (found["totalResults"], found["itemsPerPage"]) == (5, 2)
    assert all(set(each) == {"schemas", "id", "userName", "name"} for each in found["Resources"])
    assert found["Resources"][0]["name"] == {"givenName": "Eve"}


async def test_a_list_is_sorted_and_its_pages_neither_overlap_nor_leave_anybody_out(partner: Partner) -> None:
    await partner.gets_program("scim")
    for at, family in enumerate(("moss", "Abel", "moss", "", "Zola")):
        await created(partner, userName=f"user{at}", externalId=str(at), name={"familyName": family}, active=at != 2)

    async def names(query: str) -> list[str]:
        seen: list[str] = []
        for start in (1, 3, 5, 7):
            page = (await partner.scim("GET", f"/Users?startIndex={start}&count=2&{query}")).json()
            assert page["totalResults"] == 5 or "filter" not in query
            seen += [each["userName"] for each in page["Resources"]]
        return seen

    among = 'filter=userName sw "user"'
    up, down = await names(f"{among}&sortBy=NAME.familyName"), await names(f"{among}&sortBy=name.familyName&sortOrder=Descending")
    assert ([up[0], *up[3:]], set(up[1:3])) == (["user1", "user4", "user3"], {"user0", "user2"})
    assert ([*down[:2], down[4]], set(down[2:4])) == (["user3", "user4", "user1"], {"user0", "user2"})
    assert (await names(f"{among}&sortBy=active"))[0] == "user2"
    assert (await names("sortBy=emails&sortOrder=descending"))[-1] == "bob@example.org"
    everybody = await names("sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName&sortOrder=descending")
    assert everybody == sorted(everybody, key=str.lower, reverse=True)
    assert await names("sortBy=title") == await names("")
    asked = {"sortBy": "meta.created", "sortOrder": "descending", "count": 1, "filter": 'userName sw "user"'}
    assert (await partner.scim("POST", "/Users/.search", asked)).json()["totalResults"] == 5
    for name in ("b", "A", "c"):
        await partner.scim("POST", "/Groups", {"displayName": name})
    groups = (await partner.scim("GET", "/Groups?sortBy=displayName")).json()["Resources"]
    assert [each["displayName"] for each in groups] == ["A", "b", "c"]


async def test_another_organization_sees_nothing_and_another_scope_opens_nothing(partner: Partner) -> None:
    await partner.gets_program("scim")
    made = await created(partner)
    await partner.gets_program("scim", organization="south")
    assert (await partner.scim("GET", f"/Users/{made['id']}")).status_code == 404
    assert (await partner.scim("GET", '/Users?filter=externalId eq "7"')).json()["totalResults"] == 0
    answer = await partner.scim("POST", "/Groups", {"displayName": "x", "members": [{"value": made["id"]}]})
    assert answer.status_code == 400
    ada = await partner.administrator()
    await ada.call("DisableProgram", name="programs/partner-north")
    partner.token = partner.token[:-2] + "xx"
    assert (await partner.scim("GET", "/Users")).status_code == 401


async def test_a_program_without_the_scope_is_refused(partner: Partner) -> None:
    await partner.gets_program("identity.read", "identity.write")
    answer = await partner.scim("GET", "/Users")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/scim+json")
    assert "scim" in answer.json()["detail"]


async def test_refusals_are_in_the_words_of_the_standard(partner: Partner) -> None:
    await partner.gets_program("scim")
    cases: list[tuple[Any, int, str]] = [
        (await partner.scim("GET", "/Users?filter=userName"), 400, "invalidFilter"),
        (await partner.scim("GET", "/Users?filter=" + "(" * 1_000), 400, "invalidFilter"),
        (await partner.scim("GET", "/Users?count=many"), 400, "invalidValue"),
        (await partner.scim("GET", "/Users?startIndex=" + "9" * 400), 400, "invalidValue"),
        (await partner.scim("POST", "/Users", []), 400, "invalidSyntax"),
        (await partner.scim("POST", "/Users", {"displayName": "x"}), 400, "invalidValue"),
        (await partner.scim("POST", "/Users", {"userName": "x", "emails": [{"value": "no address"}]}), 400, "invalidValue"),
        (await partner.scim("POST", "/Users", {"userName": "x\u0000"}), 400, "invalidValue"),
        (await patched(partner, "/Users/bob", {"op": "replace", "path": "id", "value": "x"}), 400, "mutability"),
        (await patched(partner, "/Users/bob", {"op": "replace", "path": "nothing", "value": "x"}), 400, "invalidPath"),
        (await patched(partner, "/Users/bob", {"op": "remove"}), 400, "noTarget"),
        (await partner.scim("PATCH", "/Users/bob", {"Operations": "x"}), 400, "invalidSyntax"),
        (await partner.scim("GET", "/Users/nobody"), 404, ""),
        (await partner.scim("GET", "/Robots"), 404, ""),
        (await partner.scim("DELETE", "/Users"), 405, ""),
        (await partner.scim("POST", "/.search", {}), 501, ""),
        (await partner.scim("GET", "/Users?sortBy=nothing"), 400, "invalidValue"),
        (await partner.scim("GET", "/Users?sortBy=name"), 400, "invalidValue"),
        (await partner.scim("GET", "/Users?sortBy=emails.nothing"), 400, "invalidValue"),
        (await partner.scim("GET", "/Users?sortBy=" + "x." * 2_000), 400, "invalidValue"),
        (await partner.scim("GET", "/Users?sortBy=userName&sortOrder=up"), 400, "invalidValue"),
        (await partner.scim("POST", "/Users/.search", {"sortBy": 7}), 400, "invalidSyntax"),
        (await partner.scim("GET", "/Schemas?filter=id eq 1"), 403, ""),
    ]
    for at, (answer, status, kind) in enumerate(cases):
        assert answer.headers["content-type"] == "application/scim+json", at
        found = answer.json()
        assert (found["schemas"], found["status"], found.get("scimType", "")) == ([schemas.ERROR], str(status), kind), (at, found)
    headers = {"authorization": f"Bearer {partner.token}"}
    url = "/scim/v2/Users"
    for content, type_, status in ((b"{", "application/json", 400), (b"NaN", "application/json", 400), (b"x", "text/plain", 415)):
        answer = await partner.http.post(url, content=content, headers=headers | {"content-type": type_})
        assert answer.status_code == status
    half = b'{"userName": "\\ud800"}'
    for content, status in (
        (half, 400),
        (b"[" * 200_000, 400),
        (b" " * 1_100_000, 413),
        (b'{"a":' * 300 + b"1" + b"}" * 300, 400),
    ):
        answer = await partner.http.post(url, content=content, headers=headers | {"content-type": "application/scim+json"})
        assert answer.status_code == status, content[:20]
    nobody = await partner.http.get(url)
    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"].startswith("Bearer ")


def _published(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        each["name"]: (
            "string" if each["type"] == "reference" else each["type"],
            each["multiValued"],
            each["mutability"] == "readOnly",
            each["required"],
            each.get("caseExact", False),
            set(_published(each.get("subAttributes", []))),
        )
        for each in attributes
    }


def _kept(attributes: tuple[Attribute, ...]) -> dict[str, Any]:
    return {
        each.name: (
            each.kind,
            each.many,
            each.read_only,
            each.required or each.always,
            each.exact,
            {sub.name for sub in each.subs},
        )
        for each in attributes
        if each.name not in ("id", "meta")
    }


def test_what_is_published_is_what_is_kept() -> None:
    user, group = schemas.schemas("")
    assert _published(user["attributes"]) == _kept(USER)
    assert _published(group["attributes"]) == _kept(GROUP)


async def test_beyond_the_plan_nobody_comes_in_and_the_provider_is_not_told_to_hurry(partner: Partner) -> None:
    await partner.gets_program("scim", "identity.read")
    tenant = partner.north.memory.tenants["north"]
    assert tenant.organization is not None
    tenant.organization = replace(tenant.organization, plan=Plan.TRIAL)
    room = limit_of(Quota.PEOPLE, Plan.TRIAL) - len(tenant.users)
    for at in range(room):
        await created(partner, userName=f"p{at}@example.org", externalId=str(at + 100))
    full = await partner.scim("POST", "/Users", EVE)
    assert (full.status_code, full.json()["status"]) == (429, "429")
    assert "50 people" in full.json()["detail"]
    assert "retry-after" not in full.headers
    asleep = await created(partner, active=False)
    woken = await patched(partner, f"/Users/{asleep['id']}", {"op": "replace", "path": "active", "value": True})
    assert woken.status_code == 429
