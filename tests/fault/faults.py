"""What can break, by name. Each breaks something for some seconds, and mends it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from tests.fault.backbone import Stores
from tests.fault.network import Proxy, Weather
from tests.fault.processes import Store, frozen, full_disk

Fault = Callable[[Stores, float], Awaitable[None]]


async def _freeze(which: Callable[[Stores], Store], stores: Stores, seconds: float) -> None:
    with frozen(which(stores).pid):
        await asyncio.sleep(seconds)


async def _kill(which: Callable[[Stores], Store], stores: Stores, seconds: float) -> None:
    store = which(stores)
    await asyncio.to_thread(store.kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(store.start)


async def _break(which: Callable[[Stores], Proxy], weather: Weather, stores: Stores, seconds: float) -> None:
    with which(stores).weather(weather):
        await asyncio.sleep(seconds)


async def _silence_and_reset(which: Callable[[Stores], Proxy], stores: Stores, seconds: float) -> None:
    """As when a router forgets its connections and comes back: what was open is silent, then everything is reset."""
    await _break(which, Weather.SILENT, stores, seconds)
    await _break(which, Weather.RESET, stores, 1.0)


async def _fill(which: Callable[[Stores], Store], stores: Stores, seconds: float) -> None:
    with full_disk(which(stores).pid):
        await asyncio.sleep(seconds)


_STORES: Mapping[str, Callable[[Stores], Store]] = {
    "broker": lambda stores: stores.broker,
    "postgres": lambda stores: stores.postgres,
    "objects": lambda stores: stores.objects,
}
_NETWORKS: Mapping[str, Callable[[Stores], Proxy]] = {
    "broker": lambda stores: stores.to_broker,
    "postgres": lambda stores: stores.to_postgres,
}

FAULTS: Mapping[str, Fault] = {
    **{f"{name} frozen": partial(_freeze, store) for name, store in _STORES.items()},
    **{f"{name} killed": partial(_kill, store) for name, store in _STORES.items()},
    **{
        f"network to {name} {weather.value}": partial(_break, proxy, weather)
        for name, proxy in _NETWORKS.items()
        for weather in (Weather.SLOW, Weather.RESET, Weather.SILENT)
    },
    "disk of objects full": partial(_fill, _STORES["objects"]),
    **{f"network to {name} silent, then reset": partial(_silence_and_reset, proxy) for name, proxy in _NETWORKS.items()},
}
