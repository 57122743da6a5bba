"""The attacks of `paideia security check`, by name, in the order in which they run."""

from collections.abc import Awaitable, Callable, Mapping

from cli.security.enumeration import enumeration
from cli.security.findings import Finding
from cli.security.matrix import roles, tenants
from cli.security.pages import forgery, redirects
from cli.security.rows import rows
from cli.security.sessions import fixation, reuse
from cli.security.tokens import tokens
from cli.security.world import World

CHECKS: Mapping[str, Callable[[World], Awaitable[Finding]]] = {
    "roles": roles,
    "tenants": tenants,
    "rows": rows,
    "tokens": tokens,
    "refresh-reuse": reuse,
    "session-fixation": fixation,
    "csrf": forgery,
    "open-redirect": redirects,
    "account-enumeration": enumeration,
}
