"""REST through the real Envoy: transcoding, refusals, headers, tracing."""

import uuid
from typing import Any

import pytest

from tests.edge.conftest import Front


def details(answer: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(each for each in answer["details"] if each["@type"].endswith(f".{kind}"))


def test_a_get_is_answered_in_camel_case_with_unset_fields_shown(front: Front) -> None:
    reply = front.rest.get("/v1/courses/sql", headers=front.bearer())
    assert reply.status_code == 200
    assert reply.json() == {
        "name": "courses/sql",
        "title": "SQL",
        "description": "",
        "skills": [],
        "publication": "0",
        "publishTime": "2023-11-14T22:13:20Z",
        "itemCount": 0,
    }


def test_a_header_that_grpc_could_not_carry_does_no_harm(front: Front) -> None:
    reply = front.rest.get("/v1/courses/sql", headers={**front.bearer(), "91!J&MJ": "x", "x-odd~name": "y"})
    assert reply.status_code == 200


@pytest.mark.parametrize("mask", ["update_mask", "updateMask"])
def test_a_body_may_be_in_snake_case_or_camel_case(front: Front, mask: str) -> None:
    body = {"requestId": str(uuid.uuid4()), "course": {"title": "New"}, mask: "title"}
    reply = front.rest.patch("/v1/courses/sql", headers=front.bearer("AUTHOR"), json=body)
    assert reply.json() | {"name": "courses/sql", "title": "New", "description": "title"} == reply.json()


@pytest.mark.parametrize("query", ["page_size=2&page_token=x", "pageSize=2&pageToken=x"])
def test_query_parameters_may_be_in_snake_case_or_camel_case(front: Front, query: str) -> None:
    reply = front.rest.get(f"/v1/courses?{query}", headers=front.bearer())
    assert (len(reply.json()["courses"]), reply.json()["nextPageToken"]) == (2, "x")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"course": {"title": "x", "bogus": 1}}', "course.bogus"),
        ('{"bogus": {"title": "x"}}', "bogus"),
        ('{"course": {"skills": [], "publish_Time": "x"}}', "course.publish_Time"),
        ("{bad", "body"),
        ('{"course": {"title": "x"}', "course"),
        ('{"course": {"title": "x"}} x', "body"),
        ('{"course": {"title": "x}}', "course.title"),
        ('{"course": ]}', "course"),
    ],
)
def test_a_body_with_an_unknown_field_or_bad_json_is_refused_with_the_field_named(front: Front, body: str, field: str) -> None:
    reply = front.rest.patch("/v1/courses/sql", headers=front.bearer("AUTHOR"), content=body)
    assert (reply.status_code, reply.json()["code"]) == (400, 3)
    assert [each["field"] for each in details(reply.json(), "BadRequest")["fieldViolations"]] == [field]


def test_an_unknown_field_deep_inside_maps_and_lists_is_found(front: Front) -> None:
    gap = {"numeric": {"value": "1", "units": {"any unit": "1"}, "feedbak": {}}}
    item = {"item": {"key": {"cloze": {"gaps": {"any gap": gap}}}}}
    reply = front.rest.post("/v1/items:batchCreate", headers=front.bearer("AUTHOR"), json={"requests": [{"item": {}}, item]})
    assert reply.status_code == 400
    assert reply.json()["message"] == "requests[1].item.key.cloze.gaps.any gap.numeric.feedbak: there is no such field"


def test_texts_that_look_like_json_are_only_texts(front: Front) -> None:
    title = '"}, {"bogus": "\\ ä \u2028'
    body = {"course": {"title": title}, "updateMask": "title"}
    reply = front.rest.patch("/v1/courses/sql", headers=front.bearer("AUTHOR"), json=body)
    assert reply.json()["title"] == title


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"course": {"title": 5}, "updateMask": 7}, "7"),
        ({"course": {"item_count": "many"}}, "many"),
        ({"course": {"name": "courses/other"}}, "name"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_a_word_on_it(front: Front, body: object, told: str) -> None:
    reply = front.rest.patch("/v1/courses/sql", headers=front.bearer("AUTHOR"), json=body)
    assert reply.status_code == 400
    assert told in reply.json()["message"]


@pytest.mark.parametrize("query", ["bogus=1", "page_size=2&bogus=1", "page_size=abc", "access_token=x"])
def test_an_unknown_or_malformed_query_parameter_is_refused(front: Front, query: str) -> None:
    reply = front.rest.get(f"/v1/courses?{query}", headers=front.bearer())
    assert (reply.status_code, reply.json()["code"]) == (400, 3)


def test_a_refusal_of_a_service_comes_with_its_details(front: Front) -> None:
    reply = front.rest.get("/v1/courses?page_size=-1", headers=front.bearer())
    assert reply.status_code == 400
    assert details(reply.json(), "ErrorInfo")["reason"] == "INVALID_INPUT"
    assert details(reply.json(), "BadRequest")["fieldViolations"][0]["field"] == "page_size"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/courses/none", None, 404, 5),
        ("PATCH", "/v1/courses/sql", {"course": {"title": "stale"}}, 409, 10),
        ("POST", "/v1/courses/sql:publish", {}, 400, 9),
        ("POST", "/v1/skills", {}, 403, 7),
    ],
)
def test_each_kind_of_refusal_has_its_status(front: Front, method: str, path: str, body: object, status: int, code: int) -> None:
    role = "LEARNER" if status == 403 else "AUTHOR"
    reply = front.rest.request(method, path, headers=front.bearer(role), json=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("GET", "/v1/"), ("POST", "/v1/courses/sql"), ("DELETE", "/v1/me"), ("GET", "/v1/courses/a/b")],
)
def test_what_does_not_exist_is_404_in_json_with_and_without_a_token(front: Front, method: str, path: str) -> None:
    for headers in ({}, front.bearer()):
        reply = front.rest.request(method, path, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (404, 5)
        assert details(reply.json(), "ErrorInfo")["domain"] == "paideia"


@pytest.mark.parametrize(
    ("path", "field", "size", "status"),
    [
        ("/v1/skills:batchCreate", "requests", 900_000, 200),
        ("/v1/skills:batchCreate", "requests", 1_100_000, 413),
        ("/v1/events:ingest", "events", 4_000_000, 200),
        ("/v1/events:ingest", "events", 4_300_000, 413),
        ("/v1/events:ingest", "events", 10_000_000, 413),
    ],
)
def test_a_body_over_the_limit_is_413_in_json(front: Front, path: str, field: str, size: int, status: int) -> None:
    body = f'{{"{field}": [{{}}{", {}" * 5}{" " * (size - 40)}]}}'
    reply = front.rest.post(path, headers=front.bearer("TEACHER", "AUTHOR"), content=body)
    assert reply.status_code == status
    if status == 413:
        assert reply.json()["code"] == 8


def test_headers_over_the_limit_are_431_in_json(front: Front) -> None:
    reply = front.rest.get("/v1/me", headers=front.bearer() | {"x-big": "a" * 40_000})
    assert (reply.status_code, reply.json()["code"]) == (431, 8)


def test_a_large_answer_comes_whole_and_compressed(front: Front) -> None:
    reply = front.rest.get("/v1/courses?page_size=400", headers=front.bearer() | {"accept-encoding": "gzip"})
    assert len(reply.json()["courses"]) == 400
    assert reply.headers["content-encoding"] == "gzip"


def test_a_stream_of_events_is_an_array_in_and_out(front: Front) -> None:
    reply = front.rest.post("/v1/events:stream", headers=front.bearer(), json=[{"number": 1, "events": [{}]}, {"number": "2"}])
    assert [(each["number"], each["accepted"]) for each in reply.json()] == [("1", 1), ("2", 0)]


def test_every_answer_carries_the_security_headers(front: Front) -> None:
    for path in ("/v1/me", "/nowhere", "/docs", "/openapi.json", "/healthz"):
        headers = front.rest.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"]
        assert headers["server"] == "paideia"
        assert "strict-transport-security" not in headers  # plain HTTP must not promise it


def test_the_service_learns_how_long_the_caller_waits(front: Front) -> None:
    front.rest.get("/v1/courses/sql", headers=front.bearer())
    assert 0 < front.upstream.seen.remaining[-1] <= 30


def test_one_trace_goes_through_the_edge_into_the_service_and_the_access_log(front: Front) -> None:
    trace = uuid.uuid4().hex
    given = front.bearer() | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    reply = front.rest.get("/v1/courses/sql?", headers=given)
    assert front.upstream.seen.metadata[-1]["traceparent"].split("-")[1] == trace
    (line,) = front.edge.requests_logged(lambda each: each["trace_id"] == trace)
    assert line | {"method": "GET", "route": "rest:GetCourse", "status": 200, "organization": "north"} == line
    assert line["request_id"] == reply.headers["x-request-id"]


def test_a_request_without_a_trace_begins_one(front: Front) -> None:
    reply = front.rest.get("/v1/courses/sql", headers=front.bearer())
    trace = front.upstream.seen.metadata[-1]["traceparent"].split("-")[1]
    assert int(trace, 16)
    (line,) = front.edge.requests_logged(lambda each: each["request_id"] == reply.headers["x-request-id"])
    assert line["trace_id"] == trace


def test_the_access_log_holds_no_token_no_query_and_nobodys_name(front: Front) -> None:
    headers = front.bearer(sub="zenobia.fairweather") | {"x-forwarded-for": "203.0.113.77"}
    front.rest.get("/v1/courses?page_token=do-not-log-this", headers=headers)
    last = front.rest.get("/v1/me", headers=headers).headers["x-request-id"]
    front.edge.requests_logged(lambda each: each["request_id"] == last)
    log = front.edge.log.read_text()
    assert "do-not-log-this" not in log
    assert headers["authorization"].split(".")[1] not in log
    front.rest.get("/v1/learners/zenobia.fairweather/mastery", headers=headers)
    for personal in ("zenobia", "203.0.113.77"):
        assert personal not in front.edge.log.read_text()


def test_a_preflight_of_an_allowed_origin_is_answered_and_a_foreign_one_gets_no_permission(front: Front) -> None:
    asked = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization, content-type"}
    allowed = front.rest.options("/v1/courses/sql", headers=asked | {"origin": "http://localhost:5173"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "http://localhost:5173")
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    for origin in ("http://evil.test", "http://localhost.evil.test", "http://localhost:1@evil.test", "null"):
        refused = front.rest.options("/v1/courses/sql", headers=asked | {"origin": origin})
        assert "access-control-allow-origin" not in refused.headers


def test_a_browser_may_read_refusals_too(front: Front) -> None:
    reply = front.rest.get("/v1/me", headers={"origin": "http://localhost:5173"})
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (401, "http://localhost:5173")
    assert "retry-after" in reply.headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", ["/v1/courses/a%2Fb", "/v1/courses/..%2f..%2fme", "/v1/../v1//courses%5csql"])
def test_a_path_with_hidden_separators_is_refused(front: Front, path: str) -> None:
    assert front.rest.get(path, headers=front.bearer()).status_code in (400, 404)
