import asyncio

from redis.asyncio import Redis

from adapters.scheduler.encoding import encoded_state
from adapters.scheduler.redis import RedisHotStates
from domain.scheduler.ports import HotStates, HotView
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import repair, update

DECISION = "b7c1a1de-8f5e-4c55-9f0a-3c8c4f9e2d10"


def at(sequence: int) -> LearnerState:
    return LearnerState.new().after(update(each) for each in range(1, sequence + 1))


async def test_what_was_never_kept_is_unknown(hot: HotStates, organization: str) -> None:
    assert await hot.read(organization, "ada", "sql", DECISION) == HotView()
    assert await hot.states(organization, ["ada"]) == {}
    assert await hot.states(organization, []) == {}


async def test_a_kept_state_and_number_come_back_in_one_read(hot: HotStates, organization: str) -> None:
    await hot.keep(organization, {"ada": at(2)})
    await hot.keep_publication(organization, "sql", 7)
    view = await hot.read(organization, "ada", "sql", DECISION)
    assert view.state is not None
    assert encoded_state(view.state) == encoded_state(at(2))
    assert view.publication == 7


async def test_only_what_is_newer_replaces(hot: HotStates, organization: str) -> None:
    for sequence in (300, 2, 256, 301):
        await hot.keep(organization, {"ada": at(sequence)})
    for number in (1, 300, 2):
        await hot.keep_publication(organization, "sql", number)
    view = await hot.read(organization, "ada", "sql", DECISION)
    assert view.state is not None
    assert (view.state.sequence, view.publication) == (301, 300)


async def test_many_at_once_end_with_the_newest(hot: HotStates, organization: str) -> None:
    await asyncio.gather(*(hot.keep(organization, {"ada": at(sequence)}) for sequence in (5, 9, 1, 8, 3)))
    assert (await hot.states(organization, ["ada"]))["ada"].sequence == 9


async def test_of_the_same_attempts_the_newest_repair_stays(hot: HotStates, organization: str) -> None:
    states = [at(300), at(300).after([repair(300)]), at(300).after([repair(300), repair(300, 2)])]
    for each in (states[1], states[0], states[2], states[1], at(299)):
        await hot.keep(organization, {"ada": each})
    assert (await hot.states(organization, ["ada"]))["ada"].version == (300, 2)
    await hot.keep(organization, {"ada": states[2].after([update(301)])})
    view = await hot.read(organization, "ada", "sql", DECISION)
    assert view.state is not None
    assert view.state.version == (301, 2)


async def test_organizations_and_learners_are_apart(hot: HotStates, organization: str) -> None:
    await hot.keep(organization, {"ada": at(1), "grace": at(2)})
    found = await hot.states(organization, ["ada", "grace", "alan"])
    assert {learner: state.sequence for learner, state in found.items()} == {"ada": 1, "grace": 2}
    assert await hot.states("another", ["ada"]) == {}


async def test_concurrent_reads_each_get_their_own(hot: HotStates, organization: str) -> None:
    await hot.keep(organization, {f"learner-{n}": at(n) for n in range(1, 90)})
    views = await asyncio.gather(*(hot.read(organization, f"learner-{n}", "sql", DECISION) for n in range(1, 90)))
    assert [view.state and view.state.sequence for view in views] == list(range(1, 90))


async def test_an_absent_cache_knows_nothing_and_never_raises(organization: str) -> None:
    redis = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    hot = RedisHotStates(redis)
    for _ in range(3):
        assert await hot.read(organization, "ada", "sql", DECISION) == HotView()
        await hot.keep(organization, {"ada": at(1)})
        assert await hot.states(organization, ["ada"]) == {}
    await redis.aclose()


async def test_a_state_in_another_form_counts_as_unknown(valkey_url: str, organization: str) -> None:
    async with Redis.from_url(valkey_url) as redis:
        hot = RedisHotStates(redis)
        await hot.keep(organization, {"ada": at(1)})
        key = f"paideia:scheduler:state:{organization}:ada"
        data = bytearray(await redis.get(key))
        data[8] = 255
        await redis.set(key, bytes(data))
        assert (await hot.read(organization, "ada", "sql", DECISION)).state is None
        assert await hot.states(organization, ["ada"]) == {}


async def test_a_state_cached_before_there_were_repairs_is_read_and_gives_way(valkey_url: str, organization: str) -> None:
    async with Redis.from_url(valkey_url) as redis:
        hot = RedisHotStates(redis)
        await redis.set(f"paideia:scheduler:state:{organization}:ada", encoded_state(at(2)))
        assert encoded_state((await hot.states(organization, ["ada"]))["ada"]) == encoded_state(at(2))
        await hot.keep(organization, {"ada": at(2).after([repair(2)])})
        assert (await hot.states(organization, ["ada"]))["ada"].version == (2, 1)
