"""Writes Envoy's configuration and what it serves, from the contract and settings.

    python envoy/generate.py --profile local --target identity=127.0.0.1:7001 ... --out .paideia/envoy/envoy.yaml

Beside the configuration it writes what that refers to: `descriptors.binpb`, `fields.lua`, `origins.lua`, `openapi.json`, `docs.html`, and
where the certificates are. There is no control plane: to change a setting, generate anew and restart Envoy. New certificates need neither.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from edge.authorization import authorization_table
from edge.bootstrap import bootstrap, defaults
from edge.contract import Contract, ContractFault, read_contract
from edge.fields import fields_script
from edge.openapi import openapi_json
from edge.origins import SCRIPT, origins_script
from edge.routes import DOCS
from edge.settings import PROFILES, SettingFault, Settings, settings_from
from edge.tls import folder_tls, secret_files

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTORS = ROOT / "gen" / "paideia.binpb"
_ADDRESSES = ("listen", "admin", "jwks_listen", "otlp", "integrations")


def envoy_yaml(contract: Contract, settings: Settings) -> str:
    return _yaml(bootstrap(contract, settings))


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=140)


def write_all(contract: Contract, settings: Settings, out: Path) -> None:
    """Writes the configuration to `out` and what it refers to beside it. `settings.assets` says where Envoy will find that."""
    text = envoy_yaml(contract, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    bare = type(contract.files)()
    bare.CopyFrom(contract.files)
    for file in bare.file:
        file.ClearField("source_code_info")
    (out.parent / "descriptors.binpb").write_bytes(bare.SerializeToString(deterministic=True))
    (out.parent / "openapi.json").write_text(openapi_json(contract), encoding="utf-8")
    (out.parent / "fields.lua").write_text(fields_script(contract), encoding="utf-8")
    (out.parent / SCRIPT).write_text(origins_script(settings), encoding="utf-8")
    (out.parent / "docs.html").write_text(DOCS.read_text(encoding="utf-8"), encoding="utf-8")
    for name, secret in secret_files(settings):
        (out.parent / name).write_text(_yaml(secret), encoding="utf-8")
    out.write_text(text, encoding="utf-8")


def goldens(contract: Contract) -> dict[Path, str]:
    """Everything generated that is kept in the repository, by its path."""
    pages = {
        ROOT / "docs" / "api" / "openapi.json": openapi_json(contract),
        ROOT / "docs" / "authorization.md": authorization_table(contract),
    }
    return pages | {
        ROOT / "envoy" / "golden" / f"{name}.yaml": envoy_yaml(contract, _golden(contract, name)) for name in PROFILES
    }


def _golden(contract: Contract, profile: str) -> Settings:
    settings = defaults(contract, profile)
    if profile == "local":
        targets = {context: f"127.0.0.1:{7001 + index}" for index, context in enumerate(contract.contexts)}
        settings = settings_from(
            {"targets": targets, "integrations": "127.0.0.1:7300", "assets": "/var/lib/paideia/envoy"}, settings
        )
    return settings


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, default="local")
    parser.add_argument("--settings", type=Path, help="a YAML file; flags win over it")
    parser.add_argument(
        "--target", action="append", default=[], metavar="CONTEXT=HOST:PORT", help="repeat for more, or for more processes"
    )
    for name in _ADDRESSES:
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="HOST:PORT")
    parser.add_argument("--tls", metavar="FOLDER", help="tls.crt and tls.key of the public listener")
    parser.add_argument("--mesh", metavar="FOLDER", help="tls.crt, tls.key and ca.crt for mutual TLS with the contexts")
    parser.add_argument(
        "--public-url", metavar="URL", help="where people find the platform; access tokens name it as their issuer"
    )
    parser.add_argument("--mesh-domain", help="a context's certificate is for CONTEXT.DOMAIN; else for its host")
    parser.add_argument("--assets", help="where Envoy finds what is written beside --out, if not there")
    parser.add_argument("--reflection", action="store_true", help="let anyone list the services by gRPC reflection")
    parser.add_argument("--descriptors", type=Path, default=DESCRIPTORS)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="the configuration to write")
    what.add_argument("--golden", action="store_true", help="write what is kept in the repository")
    return parser.parse_args(arguments)


def _values(options: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if options.settings:
        values = yaml.safe_load(options.settings.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise SettingFault(f"{options.settings} must hold a mapping")
    targets: dict[str, list[str]] = {}
    for target in options.target:
        context, found, address = target.partition("=")
        if not found:
            raise SettingFault(f"--target must be CONTEXT=HOST:PORT, not {target!r}")
        targets.setdefault(context, []).append(address)
    if targets:
        values["targets"] = targets
    values |= {name: given for name in _ADDRESSES if (given := getattr(options, name))}
    values |= {name: vars(folder_tls(folder)) for name in ("tls", "mesh") if (folder := getattr(options, name))}
    if options.public_url:
        values["public_url"] = options.public_url
    if options.mesh_domain:
        values["mesh_domain"] = options.mesh_domain
    if options.reflection:
        values["reflection"] = True
    return values


def main(arguments: Sequence[str] | None = None) -> int:
    options = _arguments(arguments)
    try:
        contract = read_contract(options.descriptors)
        if options.golden:
            for path, text in goldens(contract).items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return 0
        settings = defaults(contract, options.profile)
        if options.profile == "local":
            settings = replace(settings, assets=str(options.out.resolve().parent))
        settings = settings_from(_values(options), settings)
        if options.assets:
            settings = replace(settings, assets=options.assets)
        write_all(contract, settings, options.out)
    except (SettingFault, ContractFault, OSError, yaml.YAMLError) as fault:
        print(f"envoy/generate.py: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
