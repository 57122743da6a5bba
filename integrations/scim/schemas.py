"""What clients discover of the SCIM face (RFC 7643, sections 5 to 8.7)."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"
_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"

ROLES = ("LEARNER", "TEACHER", "AUTHOR", "ADMIN")
MOST_RESOURCES = 200
MOST_OPERATIONS = 100
LONGEST_BODY = 1024 * 1024


def _attribute(name: str, description: str, kind: str = "string", **changes: Any) -> Json:
    usual: Json = {
        "name": name,
        "type": kind,
        "multiValued": False,
        "description": description,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }
    if kind in ("boolean", "complex"):
        del usual["caseExact"]
    return usual | changes


def _several(name: str, description: str, *subs: Json, **changes: Any) -> Json:
    return _attribute(name, description, "complex", multiValued=True, subAttributes=list(subs), **changes)


_PRIMARY = _attribute("primary", "Whether it is the one to use; of several, one.", "boolean")
_EXTERNAL_ID = _attribute("externalId", "The identity provider's own id of it.", caseExact=True)
_READ_ONLY = {"mutability": "readOnly"}

_USER_ATTRIBUTES = (
    _attribute("userName", "What the identity provider calls the user; unique.", required=True, uniqueness="server"),
    _EXTERNAL_ID,
    _attribute(
        "name",
        "The parts of the name.",
        "complex",
        subAttributes=[
            _attribute("formatted", "The whole name."),
            _attribute("familyName", "The family name."),
            _attribute("givenName", "The given name."),
            _attribute("middleName", "Names in between."),
            _attribute("honorificPrefix", "A title before the name."),
            _attribute("honorificSuffix", "What follows the name."),
        ],
    ),
    _attribute("displayName", "What people see."),
    _attribute("active", "Whether the user may sign in; false ends every session at once.", "boolean", required=True),
    _several(
        "emails",
        "Addresses; the primary one, or else the first, is the user's.",
        _attribute("value", "The address."),
        _attribute("type", "What it is for, such as work."),
        _PRIMARY,
    ),
    _several(
        "roles",
        "What the user is; none means LEARNER.",
        _attribute("value", "A role.", canonicalValues=list(ROLES)),
        _attribute("type", "The identity provider's kind of role."),
        _attribute("display", "The identity provider's name for it."),
        _PRIMARY,
    ),
    _several(
        "groups",
        "The classes the user is in.",
        _attribute("value", "The id of the group.", caseExact=True, **_READ_ONLY),
        _attribute("$ref", "Its address.", "reference", referenceTypes=["Group"], caseExact=True, **_READ_ONLY),
        _attribute("display", "Its name.", **_READ_ONLY),
        _attribute("type", "Always direct.", canonicalValues=["direct"], **_READ_ONLY),
        **_READ_ONLY,
    ),
)
_GROUP_ATTRIBUTES = (
    _attribute("displayName", "The name of the class.", required=True),
    _EXTERNAL_ID,
    _several(
        "members",
        "Who is in the class: to teach for a user with the role TEACHER, else to learn.",
        _attribute("value", "The id of the user.", caseExact=True, mutability="immutable"),
        _attribute("$ref", "The user's address.", "reference", referenceTypes=["User"], caseExact=True, mutability="immutable"),
        _attribute("type", "Always User.", canonicalValues=["User"], mutability="immutable"),
    ),
)


def configuration(base: str) -> Json:
    return {
        "schemas": [_CONFIG],
        "documentationUri": f"{base.removesuffix('/scim/v2')}/docs",
        "patch": {"supported": True},
        "bulk": {"supported": True, "maxOperations": MOST_OPERATIONS, "maxPayloadSize": LONGEST_BODY},
        "filter": {"supported": True, "maxResults": MOST_RESOURCES},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "An access token of a program with the scope scim, from POST /oauth/token.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def schemas(base: str) -> Sequence[Json]:
    return [
        _schema(base, USER, "User", "A user of the organization.", _USER_ATTRIBUTES),
        _schema(base, GROUP, "Group", "A class.", _GROUP_ATTRIBUTES),
    ]


def resource_types(base: str) -> Sequence[Json]:
    return [
        _resource_type(base, "User", "/Users", USER, "A user of the organization."),
        _resource_type(base, "Group", "/Groups", GROUP, "A class."),
    ]


def listing(resources: Sequence[Mapping[str, Any]], total: int, start: int = 1) -> Json:
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def _schema(base: str, urn: str, name: str, description: str, attributes: Sequence[Json]) -> Json:
    return {
        "schemas": [_SCHEMA],
        "id": urn,
        "name": name,
        "description": description,
        "attributes": list(attributes),
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
    }


def _resource_type(base: str, name: str, endpoint: str, schema: str, description: str) -> Json:
    return {
        "schemas": [_TYPE],
        "id": name,
        "name": name,
        "endpoint": endpoint,
        "description": description,
        "schema": schema,
        "schemaExtensions": [],
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
    }
