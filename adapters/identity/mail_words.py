"""What mails say, by template and language, and how a mail is made of it: once as text, once as HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template as Pattern


@dataclass(frozen=True, slots=True)
class Words:
    """`action` is what the link says, empty for a mail without one. `$sender` is the organization, others are the mail's fields."""

    subject: str
    paragraphs: tuple[str, ...]
    action: str = ""


PAGES = {
    "invitation": "accept-invitation",
    "sign_up": "accept-invitation",
    "verify_email": "verify-email",
    "reset_password": "reset-password",
}
"""The page that a template's link opens. Its token comes after the `#`, which browsers keep to themselves and servers never log."""

_EN = {
    "invitation": Words(
        "You are invited to $sender",
        (
            "$sender invites you to learn or teach with Paideia. Choose your user id and a password to begin.",
            "The link is good once, for seven days. If you expected no invitation, pass this mail over: nothing happens.",
        ),
        "Accept the invitation",
    ),
    "sign_up": Words(
        "Finish signing up at $sender",
        (
            "Somebody, probably you, asked to join $sender with this address. Choose your user id and a password to begin.",
            "The link is good once, for 24 hours. If it was not you, pass this mail over: nothing happens.",
        ),
        "Finish signing up",
    ),
    "sign_up_known": Words(
        "You have an account at $sender",
        (
            "Somebody, probably you, asked to join $sender with this address. It has an account already: $user.",
            "If you have forgotten its password, ask for a new one where you sign in.",
        ),
    ),
    "verify_email": Words(
        "Is this your address?",
        ("Confirm that $user at $sender reads mail at this address.", "The link is good once, for 24 hours."),
        "Confirm the address",
    ),
    "reset_password": Words(
        "A new password for $user",
        (
            "Somebody, probably you, asked for a new password of the account $user at $sender.",
            "The link is good once, for an hour. If it was not you, pass this mail over: your password stays as it is.",
        ),
        "Choose a new password",
    ),
    "password_changed": Words(
        "Your password was changed",
        (
            "The password of $user at $sender was changed, and other sessions were ended.",
            "If it was not you, ask for a new password at once, and tell your administrator.",
        ),
    ),
    "email_changed": Words(
        "Your address was changed",
        ("The e-mail address of $user at $sender was changed. If it was not you, tell your administrator at once.",),
    ),
    "second_factor_changed": Words(
        "How you sign in was changed",
        ("What $user at $sender signs in with was changed. If it was not you, tell your administrator at once.",),
    ),
    "recovery_code_used": Words(
        "A recovery code was used",
        (
            "Somebody, probably you, signed in as $user at $sender with a recovery code; $left are left.",
            "If it was not you, change your password at once, and tell your administrator.",
        ),
    ),
}
_DE = {
    "invitation": Words(
        "Einladung zu $sender",
        (
            "$sender lädt Sie ein, mit Paideia zu lernen oder zu lehren. Wählen Sie zum Beginn eine Kennung und ein Passwort.",
            "Der Link gilt einmal und sieben Tage lang. Wenn Sie keine Einladung erwarten, brauchen Sie nichts zu tun.",
        ),
        "Einladung annehmen",
    ),
    "sign_up": Words(
        "Anmeldung bei $sender abschließen",
        (
            "Jemand, vermutlich Sie, möchte mit dieser Adresse zu $sender. Wählen Sie zum Beginn eine Kennung und ein Passwort.",
            "Der Link gilt einmal und 24 Stunden lang. Wenn Sie es nicht waren, brauchen Sie nichts zu tun.",
        ),
        "Anmeldung abschließen",
    ),
    "sign_up_known": Words(
        "Sie haben ein Konto bei $sender",
        (
            "Jemand, vermutlich Sie, möchte mit dieser Adresse zu $sender. Sie hat dort schon ein Konto: $user.",
            "Wenn Sie das Passwort vergessen haben, fordern Sie beim Anmelden ein neues an.",
        ),
    ),
    "verify_email": Words(
        "Ist das Ihre Adresse?",
        (
            "Bestätigen Sie, dass $user bei $sender unter dieser Adresse zu erreichen ist.",
            "Der Link gilt einmal und 24 Stunden lang.",
        ),
        "Adresse bestätigen",
    ),
    "reset_password": Words(
        "Ein neues Passwort für $user",
        (
            "Jemand, vermutlich Sie, möchte ein neues Passwort für das Konto $user bei $sender.",
            "Der Link gilt einmal und eine Stunde lang. Wenn Sie es nicht waren, bleibt Ihr Passwort, wie es ist.",
        ),
        "Neues Passwort wählen",
    ),
    "password_changed": Words(
        "Ihr Passwort wurde geändert",
        (
            "Das Passwort von $user bei $sender wurde geändert, andere Sitzungen wurden beendet.",
            "Wenn Sie es nicht waren, fordern Sie sofort ein neues an und sagen Sie es Ihrer Verwaltung.",
        ),
    ),
    "email_changed": Words(
        "Ihre Adresse wurde geändert",
        ("Die Adresse von $user bei $sender wurde geändert. Wenn Sie es nicht waren, sagen Sie es sofort Ihrer Verwaltung.",),
    ),
    "second_factor_changed": Words(
        "Ihre Anmeldung wurde geändert",
        (
            "Womit sich $user bei $sender anmeldet, wurde geändert. Wenn Sie es nicht waren, sagen Sie es sofort Ihrer Verwaltung.",
        ),
    ),
    "recovery_code_used": Words(
        "Ein Ersatzcode wurde verwendet",
        (
            "Jemand, vermutlich Sie, hat sich als $user bei $sender mit einem Ersatzcode angemeldet; es bleiben $left.",
            "Wenn Sie es nicht waren, ändern Sie sofort Ihr Passwort und sagen Sie es Ihrer Verwaltung.",
        ),
    ),
}
LANGUAGES = {"en": _EN, "de": _DE}


class UnknownTemplate(Exception):
    """There are no words for a mail."""


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def letter(template: str, locale: str, fields: Mapping[str, str], sender: str, public_url: str) -> Letter:
    """Returns what a mail says, in English where it has no words in the language. Raises UnknownTemplate."""
    language = locale.partition("-")[0]
    words = LANGUAGES.get(language, _EN).get(template)
    if words is None:
        raise UnknownTemplate(f"there are no words for the mail {template!r}")
    filled = dict(fields) | {"sender": sender or "Paideia"}
    subject = " ".join(Pattern(words.subject).safe_substitute(filled).split())
    paragraphs = [Pattern(each).safe_substitute(filled) for each in words.paragraphs]
    link = f"{public_url.rstrip('/')}/{PAGES[template]}#{fields.get('token', '')}" if words.action else ""
    text = "\n\n".join([*paragraphs[:1], *([f"{words.action}: {link}"] if link else []), *paragraphs[1:]]) + "\n"
    return Letter(subject, text, _page(language if language in LANGUAGES else "en", subject, paragraphs, words.action, link))


def _page(language: str, subject: str, paragraphs: list[str], action: str, link: str) -> str:
    """Everything that comes from outside is escaped; no image and no style is fetched from anywhere."""
    lines = [f"<p>{escape(each)}</p>" for each in paragraphs]
    if link:
        lines.insert(1, f'<p><a href="{escape(link)}">{escape(action)}</a></p>')
    body = "\n".join(lines)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{escape(subject)}</title></head>\n'
        f'<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em">\n{body}\n</body>\n</html>\n'
    )
