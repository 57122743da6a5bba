"""`paideia certificates show | rotate | use`: what the public door and the processes of the stack on this machine identify themselves by."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.session import HomeOption, JsonOption, fail, print_json
from stack.certificates import CertificateFault, Certificates, Described
from stack.home import Home, find_home
from stack.settings import StackSettings, WrongSetting

_LEAST_COLUMNS = 100


def register(app: typer.Typer) -> None:
    certificates = typer.Typer(no_args_is_help=True, help="Certificates of the public door and between the processes.")
    for command in (show, rotate, use):
        certificates.command()(command)
    app.add_typer(certificates, name="certificates", rich_help_panel="The stack on this machine")


def show(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List them: what each is for, who issued it, until when it is good. They are issued anew by themselves while the stack runs."""
    place = find_home(home)
    with _plainly():
        found = _certificates(place).describe()
    if as_json:
        print_json({"authority": str(_certificates(place).public / "ca.crt"), "certificates": [_as_json(each) for each in found]})
        return
    table = Table(box=None, padding=(0, 2))
    for title in ("certificate", "good for", "issued by", "until", "days"):
        table.add_column(title, overflow="fold")
    now = datetime.now(UTC)
    for each in found:
        days = str(each.days_left(now))
        table.add_row(each.name, "\n".join(each.names), each.issuer or "somebody else", f"{each.expires:%Y-%m-%d}", days)
    Console(width=max(Console().width, _LEAST_COLUMNS)).print(table if found else "there are none yet: `paideia up` makes them")


def rotate(
    authorities: Annotated[bool, typer.Option("--authorities", help="New authorities, too; takes a few seconds more.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue every certificate anew. A stack that runs takes them up by itself, and no request fails.

    An own certificate is read again from the files it came from. With --authorities, browsers that were told to trust the old one must
    be told to trust the new one before the old one ends.
    """
    place = find_home(home)
    if not place.certificates.is_dir():
        fail(f"no stack was started in {place.path}: `paideia up` makes its certificates")
    with _plainly():
        settings = StackSettings.read(place)
        certificates = _certificates(place)
        names = certificates.rotate(authorities)
        if settings.tls_certificate:
            certificates.install_public(Path(settings.tls_certificate), Path(settings.tls_key))
            names.append("public")
    print_json({"rotated": names}) if as_json else print(f"issued anew: {', '.join(names)}")


def use(
    certificate: Annotated[Path | None, typer.Argument(help="The chain, in PEM.", show_default=False)] = None,
    key: Annotated[Path | None, typer.Argument(help="Its key, in PEM, without a password.", show_default=False)] = None,
    generated: Annotated[bool, typer.Option("--generated", help="Go back to a certificate of the stack's own.")] = False,
    home: HomeOption = None,
) -> None:
    """Use an own certificate for the public door, from now on and at each start. After its renewal: `paideia certificates rotate`."""
    if generated == (certificate is not None) or (certificate is None) != (key is None):
        fail("name the certificate and its key, or say --generated", 2)
    place = find_home(home)
    with _plainly():
        place.create()
        files = [str(each.resolve()) if each else "" for each in (certificate, key)]
        settings = StackSettings.read(place, tls_certificate=files[0], tls_key=files[1])
        if certificate and key:
            _certificates(place).install_public(certificate, key)
        else:
            _certificates(place).ensure_public(settings.certificate_names)
        settings.write(place)
    print("the public door shows it now" if certificate else "the public door shows a certificate of the stack's own now")


def _certificates(place: Home) -> Certificates:
    return Certificates(place.certificates)


def _as_json(each: Described) -> dict[str, object]:
    return {
        "name": each.name,
        "names": list(each.names),
        "issuer": each.issuer,
        "serial": each.serial,
        "expires": each.expires.isoformat(),
    }


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except (CertificateFault, WrongSetting, OSError) as error:
        fail(str(error))
