"""The table of who may call what."""

from edge.contract import Contract, Rpc

_ROLES = ("PUBLIC", "LEARNER", "TEACHER", "AUTHOR", "ADMIN", "OPERATOR", "SERVICE")
_INTRODUCTION = """\
# Who may call what

Made from `option (paideia.auth.v1.rule)` in the protos by `python envoy/generate.py --golden`; change the protos, not this page.

- **PUBLIC** needs no token. **SERVICE** is another context of the platform; an rpc for SERVICE alone does not exist at the edge.
- `own`: a caller whose only allowed role is LEARNER reaches it only for the learner that this request field names: themselves.
  For anyone else it is NOT_FOUND.
- Whatever the role, a caller reaches only their own organization; but an operator founds others, gives them plans and sees their usage.
"""


def authorization_table(contract: Contract) -> str:
    parts = [_INTRODUCTION]
    for service in contract.services:
        heads = ["rpc", *(role.lower() for role in _ROLES), "REST"]
        rows = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        rows += [f"| {' | '.join(_row(rpc))} |" for rpc in service.rpcs]
        parts.append(f"## {service.name}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(rpc: Rpc) -> list[str]:
    cells = []
    for role in _ROLES:
        own = f"own `{rpc.own}`" if role == "LEARNER" and rpc.own else "✓"
        cells.append(own if role in rpc.allow else "")
    return [rpc.name, *cells, f"`{rpc.http.method} {rpc.http.template}`" if rpc.http else "–"]
