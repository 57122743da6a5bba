"""TLS of listeners and clusters. Certificates come from files by Envoy's secret discovery, so that new ones need no restart."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from edge.config import Config, extension, typed
from edge.settings import Settings, Tls

_PUBLIC, _MESH = "public", "mesh"
_AUTHORITIES = "mesh-authorities"
_SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105  # a message's name


def public_tls(settings: Settings) -> Config:
    """TLS 1.3 for the world."""
    return _server(_common(settings, _PUBLIC, ["h2", "http/1.1"]), mutual=False)


def mesh_server_tls(settings: Settings) -> Config:
    """TLS as a server of the mesh: the client has to show a certificate of its authority."""
    common = _common(settings, _MESH, ["h2"])
    common["validation_context_sds_secret_config"] = _from_file(settings, _AUTHORITIES)
    return _server(common, mutual=True)


def mesh_client_tls(settings: Settings, server_name: str) -> Config:
    """Mutual TLS as a client that talks to `server_name` and to nobody else."""
    common = _common(settings, _MESH, ["h2"])
    common["combined_validation_context"] = {
        "default_validation_context": {
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": server_name}}],
        },
        "validation_context_sds_secret_config": _from_file(settings, _AUTHORITIES),
    }
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni=server_name,
        common_tls_context=common,
    )


def secret_files(settings: Settings) -> Iterator[tuple[str, Config]]:
    """What the configuration refers to, by file name: where each certificate is, and which folder to watch for its successor."""
    for name, tls in ((_PUBLIC, settings.tls), (_MESH, settings.mesh)):
        if tls:
            yield (
                _file(name),
                _resource(
                    name,
                    tls_certificate={
                        "certificate_chain": {"filename": tls.certificate},
                        "private_key": {"filename": tls.key},
                        "watched_directory": _folder(tls.certificate),
                    },
                ),
            )
    if settings.mesh:
        trusted: Config = {"trusted_ca": {"filename": settings.mesh.authority}}
        trusted["watched_directory"] = _folder(settings.mesh.authority)
        yield _file(_AUTHORITIES), _resource(_AUTHORITIES, validation_context=trusted)


def folder_tls(folder: str) -> Tls:
    """The files in a folder as Kubernetes mounts a secret of the kind `kubernetes.io/tls`."""
    return Tls(f"{folder}/tls.crt", f"{folder}/tls.key", f"{folder}/ca.crt")


def _server(common: Config, *, mutual: bool) -> Config:
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate=mutual,
        common_tls_context=common,
    )


def _common(settings: Settings, name: str, protocols: list[str]) -> Config:
    return {
        "alpn_protocols": protocols,
        # As a client Envoy speaks at most 1.2 unless told.
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [_from_file(settings, name)],
    }


def _from_file(settings: Settings, name: str) -> Config:
    return {
        "name": name,
        "sds_config": {"path_config_source": {"path": f"{settings.assets}/{_file(name)}"}, "resource_api_version": "V3"},
    }


def _file(name: str) -> str:
    return f"{name}.sds.yaml"


def _folder(file: str) -> Config:
    """The folder in which a link moves when the files in it change, as Kubernetes does it."""
    return {"path": str(PurePosixPath(file).parent)}


def _resource(name: str, **secret: Config) -> Config:
    return {"resources": [typed(_SECRET) | {"name": name, **secret}]}
