"""Certificates, issued and renewed by cert-manager: an authority of the mesh, one certificate a workload, the public one."""

from urllib.parse import urlsplit

from deployment.objects import Manifest, an_object
from deployment.settings import Installation
from deployment.workloads import MESH_DOMAIN, TRUST_DOMAIN, Workload

_YEAR = "8760h"
_LIFE, _RENEWED_BEFORE = "720h", "240h"
_KEY = {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}


def certificates(installation: Installation, workloads: tuple[Workload, ...]) -> list[Manifest]:
    """Names are those of the one-machine stack: a URI for who it is, a DNS name for each context that it answers for."""
    made = [
        _object("Issuer", "mesh-root", {"selfSigned": {}}),
        _object(
            "Certificate",
            "mesh-authority",
            {
                "isCA": True,
                "commonName": "Paideia mesh",
                "secretName": "mesh-authority",
                "duration": _YEAR,
                "renewBefore": "2160h",
                # A new key would be a new authority, which those who have not looked yet do not trust.
                "privateKey": _KEY | {"rotationPolicy": "Never"},
                "issuerRef": {"kind": "Issuer", "name": "mesh-root"},
            },
        ),
        _object("Issuer", "mesh", {"ca": {"secretName": "mesh-authority"}}),
    ]
    for workload in workloads:
        made.append(
            _object(
                "Certificate",
                f"{workload.name}-mesh",
                {
                    "secretName": f"{workload.name}-mesh",
                    "uris": [f"{TRUST_DOMAIN}{workload.identity}"],
                    "dnsNames": [f"{name}.{MESH_DOMAIN}" for name in workload.answers or (workload.name,)],
                    "usages": ["digital signature", "server auth", "client auth"],
                    "duration": _LIFE,
                    "renewBefore": _RENEWED_BEFORE,
                    "privateKey": _KEY,
                    "issuerRef": {"kind": "Issuer", "name": "mesh"},
                },
            )
        )
    if installation.certificate_issuer:
        host = urlsplit(installation.public_url).hostname
        spec = {"secretName": "paideia-public-tls", "dnsNames": [host], "privateKey": _KEY}
        made.append(_object("Certificate", "public-tls", spec | {"issuerRef": dict(installation.certificate_issuer)}))
    return made


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    return an_object("cert-manager.io/v1", kind, name, spec)
