"""Which device a session is on, as coarsely as its owner needs to tell one from another."""

import re

_BROWSERS = (
    ("Edge", r"\bEdg(?:e|A|iOS)?/"),
    ("Opera", r"\bOPR/"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/"),
    ("headless Chrome", r"\bHeadlessChrome/"),
    ("Chrome", r"\b(?:Chrome|CriOS|Chromium)/"),
    ("Safari", r"\bSafari/"),
    ("the command line", r"^paideia\b"),
    ("a program", r"^(?:grpc-|python|curl|aiohttp|Go-http|okhttp|node|undici|Python/)"),
)
_SYSTEMS = (
    ("iPad", r"\biPad\b"),
    ("iPhone", r"\biPhone\b"),
    ("Android", r"\bAndroid\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac(?:intosh| OS)"),
    ("Linux", r"\b[Ll]inux\b"),
)
_LONGEST_LOOKED_AT = 512


def device_of(user_agent: str) -> str:
    """Returns "Firefox on Linux", "Safari", or "" when nothing is recognised. No version and nothing else of the header is kept."""
    text = user_agent[:_LONGEST_LOOKED_AT]
    browser = _first(_BROWSERS, text)
    system = _first(_SYSTEMS, text)
    return f"{browser} on {system}" if browser and system else browser or system


def _first(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, text)), "")
