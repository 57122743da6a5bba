"""Breaks everything on the way of an event, again and again, under load, and accounts for every event. Prints JSON.

    python -m tests.fault.soak [--minutes 15] [--seed 7] [--only NAME ...]

For each fault: how often it struck, and the seconds until everything that had been acknowledged was counted, published, reported and in the
lake, and new events were acknowledged.
At the end: what was acknowledged, what was counted, lost, counted twice, or published out of order, and the same for lake and reports.
Exits with 1 unless nothing was lost, doubled or out of order.
"""

import argparse
import asyncio
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog

from tests.fault.backbone import Stores, running_backbone, start_stores
from tests.fault.faults import FAULTS

WRONG = ("lost", "double", "out_of_order", "lake_lost", "lake_double", "reports_lost", "reports_double")
"""What must be 0 at the end."""


async def soak(stores: Stores, names: Sequence[str], until: float, seed: int, longest: float = 8.0) -> dict[str, Any]:
    """Breaks what is named, in a random order, each once before any comes twice, until a moment of the monotonic clock; once at least."""
    chance = random.Random(seed)
    recoveries: defaultdict[str, list[float]] = defaultdict(list)
    async with running_backbone(stores) as backbone:
        await backbone.recovery()
        while True:
            for name in chance.sample(list(names), len(names)):
                await FAULTS[name](stores, chance.uniform(1.0, longest))
                recoveries[name].append(await backbone.recovery())
                print(f"{name}: whole again after {recoveries[name][-1]:.1f} s", file=sys.stderr)
            if time.monotonic() >= until:
                break
    return {
        "faults": {
            name: {"times": len(each), "recovery_s": {"median": round(statistics.median(each), 1), "max": round(max(each), 1)}}
            for name, each in sorted(recoveries.items())
        },
        "refused_and_repeated": backbone.account.refusals,
        **await backbone.counts(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Breaks everything on the way of an event, and accounts for every event.")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=sorted(FAULTS), default=sorted(FAULTS), metavar="NAME")
    options = parser.parse_args()
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = start_stores(stack, folder)
        report = asyncio.run(soak(stores, options.only, time.monotonic() + options.minutes * 60, options.seed))
    print(json.dumps({"minutes": options.minutes, "seed": options.seed, **report}, indent=2))
    if any(report[each] for each in WRONG):
        sys.exit(1)


if __name__ == "__main__":
    main()
