"""Whether an answer, or the time that it takes, tells which accounts there are."""

import random
import time
from collections.abc import Sequence
from math import erfc, sqrt

from cli.security.findings import Finding
from cli.security.world import World, credentials

_ACCOUNTS = 6
_TRIES = 4
"""Of each account: fewer than lock it."""
_SIGNIFICANT = 0.001
_LARGEST_EFFECT = 0.25
"""How far from even odds the faster of two random tries, one of each kind, may lie: 0 is even, 0.5 is certain."""


async def enumeration(world: World) -> Finding:
    """Signs in with wrong passwords as users that there are and as users that there are not, taking turns at random."""
    finding = Finding("account-enumeration")
    known = [f"{world.mark}-timed-{number}" for number in range(_ACCOUNTS)]
    for user in known:
        await world.make_user(user, "LEARNER")
    unknown = [f"{world.mark}-nobody-{number}" for number in range(_ACCOUNTS)]
    tries = [(user, user in known) for user in (*known, *unknown) for _ in range(_TRIES)]
    random.shuffle(tries)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    answers: dict[bool, set[tuple[int, str]]] = {True: set(), False: set()}
    for user, is_known in tries:
        began = time.perf_counter()
        answer = await world.send("POST", "/v1/sessions:signIn", credentials(world.organization, user, "a wrong passphrase 7"))
        seconds[is_known].append(time.perf_counter() - began)
        answers[is_known].add((answer.status, str(answer.body.get("message"))))
    finding.expect(answers[True] == answers[False], f"known: {answers[True]}, unknown: {answers[False]}")
    for kind, path, body in (
        ("reset", "/v1/passwords:requestReset", {"organization": f"organizations/{world.organization}"}),
        ("organization", "/v1/sessions:signIn", {"login": "x", "password": "a wrong passphrase 7"}),
    ):
        bodies = (
            [body | {"login": known[0], "email": "a@b.example"}, body | {"login": unknown[0], "email": "c@b.example"}]
            if kind == "reset"
            else [body | {"organization": f"organizations/{each}"} for each in (world.organization, f"{world.mark}-none")]
        )
        first, second = [await world.send("POST", path, each) for each in bodies]
        same = (first.status, first.body.get("message")) == (second.status, second.body.get("message"))
        finding.expect(same, f"{path}: {first.status} or {second.status}")
    p, superiority = mann_whitney(seconds[True], seconds[False])
    effect = abs(superiority - 0.5)
    finding.expect(p >= _SIGNIFICANT or effect <= _LARGEST_EFFECT, f"times differ: p = {p:.2g}, effect {effect:.2f}")
    finding.note = f"{len(tries)} timed sign-ins, Mann-Whitney p = {p:.2g}, effect {effect:.2f} of at most {_LARGEST_EFFECT}"
    return finding


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Returns the two-sided p of the Mann-Whitney U test (normal approximation with correction for ties and continuity; Mann and
    Whitney 1947) and the probability of superiority: how often a value of `first` exceeds one of `second`, ties counting half."""
    n, m = len(first), len(second)
    u = sum((x > y) + 0.5 * (x == y) for x in first for y in second)
    values = sorted((*first, *second))
    ties = [values.count(each) for each in set(values)]
    total = n + m
    variance = n * m / 12 * (total + 1 - sum(t**3 - t for t in ties) / (total * (total - 1)))
    if variance <= 0:
        return 1.0, u / (n * m)
    z = max(0.0, abs(u - n * m / 2) - 0.5) / sqrt(variance)
    return erfc(z / sqrt(2)), u / (n * m)
