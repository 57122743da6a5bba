"""Mails through the stack's own mail server, and read back as `paideia mail` reads them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.identity.mail_words import LANGUAGES, letter
from adapters.identity.smtp import MailServer, SmtpCarrier, WrongMailServer
from cli.mailbox import Mailbox, NoSuchMail
from cli.main import build
from domain.identity.mail import Template
from domain.identity.mail_queue import DeliveryFailed, Mail
from stack.parts.mails import Mails
from tests.stores import free_port, running

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAIL = Mail(
    "5e0f9f7c-4cb5-4b7e-9a2b-7f1f3c6e2d11",
    "north",
    "eve@example.org",
    "invitation",
    {"token": "north.secret"},
    NOW,
    NOW,
    sender="North",
)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Mails]:
    part = Mails(tmp_path / "home" / "data" / "mails", free_port())
    with running(part, tmp_path / "mails.log"):
        yield part


def carrier(part: Mails) -> SmtpCarrier:
    return SmtpCarrier(MailServer.parse(part.url), "paideia@school.example", "https://learn.example/")


async def test_a_mail_arrives_as_text_and_html_with_its_link_after_the_hash(sink: Mails) -> None:
    await carrier(sink).carry(MAIL)
    (mail,) = Mailbox(sink.directory).newest()
    assert (mail.to, mail.sender) == ("eve@example.org", "North <paideia@school.example>")
    assert mail.links == ("https://learn.example/accept-invitation#north.secret",)
    assert mail.links[0] in mail.html
    assert mail.sent_at == NOW


async def test_what_people_choose_cannot_become_a_header_or_markup(sink: Mails) -> None:
    nasty = replace(
        MAIL, sender='<script>"x"</script>', template="sign_up_known", fields={"user": "<b>eve</b>\r\nBcc: x@y.example"}
    )
    await carrier(sink).carry(nasty)
    (mail,) = Mailbox(sink.directory).newest()
    assert "<script>" not in mail.html
    assert "<b>" not in mail.html
    assert mail.to == "eve@example.org"


@pytest.mark.parametrize(("to", "for_good"), [("refuse@example.org", True), ("busy@example.org", False)])
async def test_a_refusal_says_whether_it_is_for_good(sink: Mails, to: str, for_good: bool) -> None:
    with pytest.raises(DeliveryFailed) as failure:
        await carrier(sink).carry(replace(MAIL, to=to))
    assert failure.value.for_good is for_good


async def test_a_mail_server_that_is_away_is_no_refusal_for_good() -> None:
    away = SmtpCarrier(MailServer("smtp", "127.0.0.1", free_port()), "paideia@school.example", "https://learn.example")
    with pytest.raises(DeliveryFailed) as failure:
        await away.carry(MAIL)
    assert failure.value.for_good is False


async def test_a_template_without_words_is_refused_for_good(sink: Mails) -> None:
    with pytest.raises(DeliveryFailed) as failure:
        await carrier(sink).carry(replace(MAIL, template="no such"))
    assert failure.value.for_good is True


async def test_the_command_lists_and_shows_what_was_sent(sink: Mails) -> None:
    await carrier(sink).carry(MAIL)
    await carrier(sink).carry(replace(MAIL, to="bob@example.org"))
    home = str(sink.directory.parent.parent)
    listed = CliRunner().invoke(build(), ["mail", "list", "--to", "eve", "--json", "--home", home])
    (mail,) = json.loads(listed.stdout)["mails"]
    shown = CliRunner().invoke(build(), ["mail", "show", mail["id"], "--links", "--home", home])
    assert shown.stdout == "https://learn.example/accept-invitation#north.secret\n"
    assert CliRunner().invoke(build(), ["mail", "show", "no-such", "--home", home]).exit_code == 1
    with pytest.raises(NoSuchMail):
        Mailbox(sink.directory / "nowhere").get("last")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("template", list(Template))
def test_every_mail_has_words_in_every_language_and_nothing_is_left_unfilled(template: Template, language: str) -> None:
    fields = {"user": "eve", "display_name": "Eve", "token": "north.secret", "left": "3", "change": "x"}
    written = letter(template, f"{language}-AT", fields, "North", "https://learn.example")
    assert "$" not in written.subject + written.text + written.html
    assert f'<html lang="{language}">' in written.html


def test_a_language_without_words_reads_english() -> None:
    assert letter("invitation", "fr", {}, "North", "https://x.example").subject == "You are invited to North"


@pytest.mark.parametrize("url", ["", "http://x", "smtp://", "smtp://u:secret@host", "smtp://host:99999", "smtp://host/path"])
def test_an_address_that_is_no_mail_servers_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(WrongMailServer) as error:
        MailServer.parse(url)
    assert "secret" not in str(error.value)
