"""Writes the Kubernetes manifests of an installation.

    python k8s/generate.py --settings school.yaml --image registry.example.org/paideia:0.1.0 --out school/

Three files, applied in their order: `1-foundation.yaml`, `2-release.yaml` (a job that brings the schemas up to date; wait for it), and
`3-workloads.yaml`; and `4-contract.yaml`, a job for when no process of the release before will come back. Contexts, ports and names of
settings come from the code. `k8s/overlays` holds settings to begin with.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from deployment.manifests import manifests, text_of
from deployment.settings import Installation, WrongSetting, installation_from

ROOT = Path(__file__).resolve().parent
OVERLAYS = ROOT / "overlays"
GOLDEN = ROOT / "golden"


def read_installation(file: Path, image: str = "") -> Installation:
    """`image` wins over the one in the file. Raises WrongSetting."""
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    if image and isinstance(values, dict):
        values["image"] = image
    return installation_from(values)


def files(installation: Installation, folder: Path) -> dict[Path, str]:
    return {folder / name: text_of(part) for name, part in manifests(installation).items()}


def goldens() -> dict[Path, str]:
    """What is kept in the repository of each overlay, by its path."""
    made: dict[Path, str] = {}
    for overlay in sorted(OVERLAYS.glob("*.yaml")):
        made |= files(read_installation(overlay), GOLDEN / overlay.stem)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--settings", type=Path, help="a YAML file, such as k8s/overlays/small.yaml")
    parser.add_argument("--image", default="", help="the release to run, by tag or digest; wins over the settings")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="the folder to write to")
    what.add_argument("--golden", action="store_true", help="write what is kept in the repository")
    options = parser.parse_args(arguments)
    if options.out and not options.settings:
        parser.error("--out needs --settings")
    try:
        made = goldens() if options.golden else files(read_installation(options.settings, options.image), options.out)
        for path, text in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except (WrongSetting, OSError, yaml.YAMLError) as fault:
        print(f"k8s/generate.py: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
