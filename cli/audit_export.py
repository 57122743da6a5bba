"""Acts in fields of the Open Cybersecurity Schema Framework (schema.ocsf.io, 1.3): Authentication, Account Change, API Activity."""

from datetime import datetime

from cli.api import Json

_AUTHENTICATION, _ACCOUNT_CHANGE, _API_ACTIVITY = (3002, "Authentication"), (3001, "Account Change"), (6003, "API Activity")
_SIGN_INS = (
    "SignIn",
    "SignedIn",
    "SignInChallenged",
    "CompleteSignIn",
    "SignOut",
    "SessionRevoked",
    "SignOutEverywhere",
    "StepUp",
)
_ACCOUNTS = ("User", "Password", "Totp", "Passkey", "Recovery", "Factor", "Email", "Guardian", "Invitation", "Class")
_STATUS = {"OUTCOME_SUCCEEDED": (1, "Success"), "OUTCOME_REFUSED": (2, "Failure"), "OUTCOME_CHALLENGED": (99, "Challenged")}
_INFORMATIONAL, _LOW = (1, "Informational"), (2, "Low")


def exported(act: Json, organization: str) -> Json:
    """Returns one line for a SIEM. What OCSF has no field for is under `unmapped`, the act's hash among it."""
    name = act["act"].partition(".")[2]
    class_uid, class_name = _class_of(name)
    status_id, status = _STATUS[act["outcome"]]
    severity_id, severity = _LOW if status_id == 2 else _INFORMATIONAL
    kind, _, who = act.get("actor", "").partition("/")
    return {
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": class_uid // 1000,
        "activity_id": 99,
        "activity_name": act["act"],
        "type_uid": class_uid * 100 + 99,
        "time": _milliseconds(act["occurTime"]),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_detail": act.get("reason", ""),
        "count": int(act.get("count", 1)),
        "actor": {"user": {"uid": who, "type": kind.rstrip("s"), "org": {"uid": organization}}},
        "api": {"operation": act["act"], "service": {"name": act["act"].partition(".")[0]}},
        "resources": [{"name": act["target"]}] if act.get("target") else [],
        "src_endpoint": {"subnet": act.get("address", "")},
        "metadata": {
            "version": "1.3.0",
            "product": {"name": "Paideia", "vendor_name": "Paideia"},
            "uid": act["eventId"],
            "correlation_uid": act.get("traceId", ""),
            "sequence": int(act["sequence"]),
            "logged_time": _milliseconds(act["recordTime"]),
        },
        "unmapped": {"hash": act["hash"], "previous_hash": act["previousHash"]},
    }


def _class_of(name: str) -> tuple[int, str]:
    if name.startswith(_SIGN_INS):
        return _AUTHENTICATION
    return _ACCOUNT_CHANGE if any(each in name for each in _ACCOUNTS) and not name.startswith(("Get", "List")) else _API_ACTIVITY


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
