"""The export and the erasure of a person in each context's real tables."""

import importlib
import json
from typing import Any
from uuid import uuid4

import pytest

from adapters.shared.personal_records import Fate, Held
from domain.shared.personal_data import PersonalRecords
from tests.contract.privacy.conftest import NOW, PARTIES, PERSON, World

PSEUDONYM = f"erased-{uuid4().hex}"
OTHER = "zebedee"
# The parents of rows, where a foreign key wants one.
_PATH = {"id": "a-path", "path_id": "a-path"}
# Of the release before: triggers rename or remove its rows with those of this one, until the contract step of the migrations.
_FOLLOWING = {("first_answers", "learner")}
_PERSONAL_NAMES = ("learner", "learner_id", "user_id", "creator", "changed_by", "by", "by_user", "invited_by", "requested_by")

each_party = pytest.mark.parametrize(("context", "records"), [(each, each) for each in PARTIES], indirect=["records"])


def tables_of(context: str) -> tuple[Held, ...]:
    return importlib.import_module(f"adapters.{context}.personal_records").TABLES


async def put_person(world: World, context: str, person: str) -> None:
    """A row in every table that the context says it has people in."""
    order = sorted(tables_of(context), key=lambda held: held.table == "path_revisions")
    for held in order:
        given: dict[str, Any] = {held.person: person}
        if context == "paths":
            given |= {"learner": person} | _PATH
            if held.person == "by":
                given |= {"learner": "somebody", "by": person}
                document = json.dumps({"creator": person, "overrides": [{"by": person}]})
                await world.put(context, "paths", learner="somebody", document=document, **_PATH)
        if held.table == "attempts":
            given |= {"answer_time": NOW, "answered_at": NOW}
        if held.table == "responses":
            given["answer"] = '{"type": "ShortTextAnswer", "text": "I am Zebediah"}'
        if held.table == "test_sessions":
            given |= {"state": "ENDED", "end_time": NOW}
        await world.put(context, held.table, **given)


@each_party
async def test_after_an_erasure_no_table_has_the_person(world: World, context: str, records: PersonalRecords) -> None:
    await put_person(world, context, PERSON)
    assert PERSON.encode() in await world.everything(context)
    counts = await records.erase(world.organization, PERSON, PSEUDONYM)
    left = await world.everything(context)
    assert PERSON.encode() not in left
    assert b"Zebediah" not in left
    assert set(counts) >= {held.table for held in tables_of(context)}


@each_party
async def test_facts_stay_under_the_pseudonym_and_the_rest_goes(world: World, context: str, records: PersonalRecords) -> None:
    await put_person(world, context, PERSON)
    await records.erase(world.organization, PERSON, PSEUDONYM)
    for held in tables_of(context):
        found = [row[held.person] for row in await world.rows(context, held.table) if row[held.person] != "somebody"]
        if held.fate is Fate.DELETED:
            assert PSEUDONYM not in found, held.table
        else:
            assert PSEUDONYM in found, held.table


@each_party
async def test_a_repeat_changes_nothing_and_takes_along_what_came_late(
    world: World, context: str, records: PersonalRecords
) -> None:
    await put_person(world, context, PERSON)
    await records.erase(world.organization, PERSON, PSEUDONYM)
    before = await world.everything(context)
    assert await records.erase(world.organization, PERSON, PSEUDONYM) == {}
    assert await world.everything(context) == before
    late = [held for held in tables_of(context) if held.fate is Fate.RENAMED_ONCE]
    for held in late:
        await world.put(context, held.table, **{held.person: PERSON})
    await records.erase(world.organization, PERSON, PSEUDONYM)
    assert PERSON.encode() not in await world.everything(context)


@each_party
async def test_an_export_has_every_table_and_nobody_else(world: World, context: str, records: PersonalRecords) -> None:
    await put_person(world, context, PERSON)
    found = await records.export(world.organization, PERSON)
    assert set(found) == {held.table for held in tables_of(context) if held.exported}
    for rows in found.values():
        for row in rows:
            told = json.loads(row)
            assert PERSON in told.values()
            assert "organization_id" not in told
    assert await records.export(world.organization, OTHER) == {}
    assert await records.export(f"{world.organization}x", PERSON) == {}


@each_party
async def test_another_person_and_another_organization_are_left_alone(
    world: World, context: str, records: PersonalRecords
) -> None:
    await put_person(world, context, PERSON)
    before = await world.everything(context, "erased_people")
    assert await records.erase(world.organization, OTHER, PSEUDONYM) == {}
    assert await records.erase(f"{world.organization}x", PERSON, PSEUDONYM) == {}
    assert await world.everything(context, "erased_people") == before


@pytest.mark.parametrize("context", PARTIES)
async def test_no_table_with_a_column_for_people_is_left_out(world: World, context: str) -> None:
    columns = await world.superuser.fetch(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) "
        "WHERE table_schema = $1 AND table_type = 'BASE TABLE' AND column_name = ANY($2) AND table_name NOT LIKE 'attempts\\_%'",
        context,
        list(_PERSONAL_NAMES),
    )
    known = {(held.table, held.person) for held in tables_of(context)}
    assert {tuple(row) for row in columns} - known - _FOLLOWING == set()


@pytest.mark.parametrize("records", ["assessment"], indirect=True)
async def test_what_a_learner_typed_goes_and_what_they_chose_stays(world: World, records: PersonalRecords) -> None:
    chosen = '{"type": "ChoiceAnswer", "chosen": ["b"]}'
    await world.put("assessment", "responses", learner_id=PERSON, answer=chosen)
    await world.put("assessment", "responses", learner_id=PERSON, answer='{"type": "NumericAnswer", "value": "42", "unit": ""}')
    await records.erase(world.organization, PERSON, PSEUDONYM)
    answers = {json.dumps(json.loads(row["answer"])) for row in await world.rows("assessment", "responses")}
    assert answers == {chosen, '{"type": "ShortTextAnswer", "text": ""}'}


@pytest.mark.parametrize("records", ["paths"], indirect=True)
async def test_remembered_answers_that_name_the_person_go(world: World, records: PersonalRecords) -> None:
    await world.put("paths", "request_ledger", answer=f"\n\x10learners/{PERSON}/paths/x".encode())
    await world.put("paths", "request_ledger", answer=b"\n\x10learners/somebody/paths/x")
    assert await records.erase(world.organization, PERSON, PSEUDONYM) == {"request_ledger": 1}
    assert len(await world.rows("paths", "request_ledger")) == 1
