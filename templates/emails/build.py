# ruff: noqa: INP001  # a script beside its sources, no package
"""Compile the MJML sources to the `body.html` that is committed beside each of them.

Run: uv run python templates/emails/build.py
Only this script needs mjml; a test fails while an output differs from its source's. In a source,
control tags of Jinja2 are in `mj-raw` or inside a text, and no expression has `<` or, within an
attribute, a double quote.
"""

import re
from pathlib import Path

from mjml import mjml2html

HERE = Path(__file__).resolve().parent
_TO_STAFF = "<!-- to staff -->"
_UNSUBSCRIBE = re.compile(r"\n[^\n]*\{\{ unsubscribe_link \}\}[^\n]*")
_BETWEEN_TAGS = re.compile(r">\s+<")


def compile_template(source: Path) -> str:
    """The HTML of one `body.mjml` inside the common `_base.mjml`, its Jinja2 left as it is."""
    content, _, why = source.read_text().partition("<!-- why you get this -->")
    frame = (HERE / "_base.mjml").read_text()
    if _TO_STAFF in content:
        # Staff get no newsletter: there is nothing to unsubscribe from.
        content, frame = content.replace(_TO_STAFF, ""), _UNSUBSCRIBE.sub("", frame)
    whole = frame.replace("<!-- content -->", content).replace("<!-- why -->", why.strip())
    # Without `fonts={}` the compiler adds a web font, which mailboxes would load from another host.
    html = mjml2html(whole, fonts={})
    return _BETWEEN_TAGS.sub(">\n<", html).strip() + "\n"


def sources() -> list[Path]:
    """Every `body.mjml`, of every template and language."""
    return sorted(HERE.glob("*/**/body.mjml"))


if __name__ == "__main__":
    for source in sources():
        source.with_name("body.html").write_text(compile_template(source))
