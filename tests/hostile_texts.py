"""Texts and run ids that somebody wrote in order to break the page, a thousand of each."""

from __future__ import annotations

from itertools import cycle, islice

MARK = "zq{number}"

_TEXTS = (
    "<script>window.pwned=1</script>{mark}",
    "<img src=x onerror='window.pwned=1'>{mark}",
    "<svg/onload=window.pwned=1>{mark}",
    "</code></pre><b>{mark}</b>",
    "<a href='javascript:window.pwned=1'>{mark}</a>",
    "[{mark}](javascript:window.pwned=1)",
    "![{mark}](http://127.0.0.1:9/{mark}.png)",
    "# {mark}\n\n**bold** `code` :red[{mark}] :material/warning:",
    "$\\href{{javascript:alert(1)}}{{{mark}}}$",
    "%{{x}} %{{customdata}} <br>{mark}<extra></extra>",
    "\u202e{mark}\u202c\u2066\u2069",
    "\u200b\u200f\ufeff{mark}\u2028\u2029",
    "{mark}" + "A" * 20_000,
    "{mark}" + "\u0300" * 500,
    "{{{{constructor.constructor('return 1')()}}}}{mark}",
    "=cmd|' /C calc'!A0 {mark}",
    "{mark}\x1b[31m\x07\x08",
    '"kind":"frozen","agent":0 {mark}',
    '","h":"0123456789abcdef"}} {mark}',
    "<style>*{{display:none}}</style>{mark}",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>{mark}",
    "&lt;script&gt;{mark}&#60;b&#62;",
    "<<SCRIPT>alert({mark})//<</SCRIPT>",
    "{mark}\u0000\u0001",
    "\U0001f469\u200d\U0001f4bb {mark} \U000e0041",
)

_IDS = (
    "..",
    "../{name}",
    "../../etc/passwd",
    "/etc/passwd",
    "{outside}",
    "{outside}/events.jsonl",
    "{name}/../../{name}",
    "./{name}",
    ".",
    "",
    " {name}",
    "{name} ",
    "{name}\x00",
    "\x00",
    "{name}\n",
    "{name}/",
    "\\..\\{name}",
    "C:\\{name}",
    "file://{outside}",
    "~/{name}",
    "$HOME",
    "%2e%2e%2f{name}",
    "..%00/{name}",
    "link_to_run",
    "link_to_file",
    "\u202e{name}",
    "\uff0e\uff0e/{name}",
    "{name}" * 60,
    "A" * 100_000,
    "-rf",
    ".hidden",
    "lone_file",
    "{name}/events.jsonl",
    "con",
    "nul",
    "/proc/self/environ",
    "/dev/zero",
    "{name};id",
    "`id`",
    "*",
)


def hostile_texts(n: int = 1000) -> list[str]:
    """Texts, each with a mark of its own by which it can be found again."""
    numbered = enumerate(islice(cycle(_TEXTS), n))
    return [text.format(mark=MARK.format(number=number)) for number, text in numbered]


def hostile_ids(outside: str, name: str, n: int = 1000) -> list[str]:
    """Ids that stand for nothing under the run root.

    Params   outside: a real run elsewhere; name: of a directory that is not under the run root.
    """
    plain = [text.format(outside=outside, name=name) for text in _IDS]
    more = (f"{'../' * (number // len(plain) + 1)}{text}" for number, text in enumerate(cycle(plain)))
    return [*plain, *islice(more, n - len(plain))]
