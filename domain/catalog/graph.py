"""Prerequisites as a directed graph: `graph[skill]` are the skills that come directly before it."""

from collections.abc import Iterable, Mapping, Sequence

from domain.shared.errors import InvalidInput


def cycle_in(graph: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """Returns a cycle as the path that closes it, such as `("a", "b", "a")`, or None.

    Depth-first without recursion, so that a chain of thousands of skills is no trouble. O(skills + prerequisites).
    """
    done: set[str] = set()
    for start in graph:
        path: dict[str, None] = {}  # insertion order is the way from `start`
        waiting = [(start, False)]
        while waiting:
            skill, leaving = waiting.pop()
            if leaving:
                del path[skill]
                done.add(skill)
            elif skill in path:
                way = list(path)
                return (*way[way.index(skill) :], skill)
            elif skill not in done:
                path[skill] = None
                waiting.append((skill, True))
                waiting.extend((before, False) for before in reversed(graph.get(skill, ())))
    return None


def refuse_cycle(graph: Mapping[str, Sequence[str]], field: str) -> None:
    """Raises InvalidInput naming the cycle, if there is one."""
    cycle = cycle_in(graph)
    if cycle:
        raise InvalidInput.of(field, f"prerequisites must not form a cycle: {' → '.join(cycle)}")


def bridged(graph: Mapping[str, Sequence[str]], inside: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the prerequisites among the skills `inside`, in the order of their ids.

    A prerequisite outside is replaced by what comes before it: if a needs b, b needs c and b is outside, then a needs c.
    `graph` must have no cycle.
    """
    kept = set(inside)
    behind: dict[str, frozenset[str]] = {}  # for a skill outside: the nearest skills inside that come before it
    for outside in _outermost_last(graph, kept):
        behind[outside] = _nearest(graph.get(outside, ()), kept, behind)
    return {skill: tuple(sorted(_nearest(graph.get(skill, ()), kept, behind))) for skill in kept}


def _nearest(direct: Sequence[str], kept: set[str], behind: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(each for before in direct for each in ((before,) if before in kept else behind[before]))


def _outermost_last(graph: Mapping[str, Sequence[str]], kept: set[str]) -> list[str]:
    """Returns the skills outside that are reachable from the kept ones, each after those that come before it."""
    order: list[str] = []
    seen: set[str] = set()
    waiting = [(before, False) for skill in kept for before in graph.get(skill, ()) if before not in kept]
    while waiting:
        skill, leaving = waiting.pop()
        if leaving:
            order.append(skill)
        elif skill not in seen:
            seen.add(skill)
            waiting.append((skill, True))
            waiting.extend((before, False) for before in graph.get(skill, ()) if before not in kept)
    return order
