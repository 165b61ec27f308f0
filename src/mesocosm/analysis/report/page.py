"""The page around the sections of a report: its style, its small script, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mesocosm.analysis.figures.palette import HUES_DARK, HUES_LIGHT
from mesocosm.analysis.report.markup import Child, Markup, join, tag

_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header,nav{max-width:1180px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:19px;margin:40px 0 8px;padding-top:14px;border-top:1px solid var(--grid)}
h3{font-size:15px;margin:22px 0 6px}
p,li{max-width:78ch;overflow-wrap:anywhere}
p{margin:6px 0}
.quiet,.about,caption{color:var(--quiet)}
.about{font-size:13px;margin:4px 0}
nav{position:sticky;top:0;background:var(--paper);border-bottom:1px solid var(--grid);
padding-top:8px;padding-bottom:8px;z-index:2;font-size:14px;overflow-x:auto;white-space:nowrap}
nav a{margin-right:16px}
a{color:var(--blue);text-decoration:none}
a:hover{text-decoration:underline}
code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--wash);padding:10px 12px;overflow-x:auto;border-radius:4px;margin:8px 0}
.scroll{overflow-x:auto;margin:8px 0}
.scroll{background:linear-gradient(to right,var(--paper) 40%,transparent) 0 0/48px 100% no-repeat local,
linear-gradient(to left,var(--paper) 40%,transparent) 100% 0/48px 100% no-repeat local,
linear-gradient(to right,var(--quiet),transparent) 0 0/9px 100% no-repeat scroll,
linear-gradient(to left,var(--quiet),transparent) 100% 0/9px 100% no-repeat scroll}
td.n,th.n{text-align:right}
table{border-collapse:collapse;width:max-content;font-size:13.5px;font-variant-numeric:tabular-nums}
caption{text-align:left;font-size:13px;padding-bottom:4px}
th,td{padding:4px 14px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid);max-width:46ch;
overflow-wrap:break-word}
th{font-weight:600;white-space:nowrap}
table.sortable th{cursor:pointer}
table.sortable th:hover{text-decoration:underline}
th[aria-sort=ascending]::after{content:" \\2191"}
th[aria-sort=descending]::after{content:" \\2193"}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px;margin:14px 0}
.facts div{background:var(--wash);border-radius:6px;padding:10px 12px}
.facts b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.facts span{font-size:12.5px;color:var(--quiet);display:block;line-height:1.35}
ul.warn{padding-left:18px}
.gallery{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:10px 34px}
figure{margin:12px 0;min-width:0}
figure.large{grid-column:1/-1}
figure.large>div:not(.panels){max-width:980px}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(330px,100%),1fr));gap:14px}
figure svg{width:100%;height:auto;display:block}
figure svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif!important}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;padding:0;margin:6px 0;font-size:13px}
.key{width:24px!important;height:14px!important;display:inline-block!important;vertical-align:-2px;margin-right:6px}
.hot{fill:transparent;stroke:none;pointer-events:all}
.hot:hover{stroke:var(--ink);stroke-width:1.2}
#tip{position:fixed;pointer-events:none;background:var(--ink);color:var(--paper);font-size:12.5px;line-height:1.35;
padding:5px 8px;border-radius:4px;max-width:min(340px,80vw);overflow-wrap:anywhere;z-index:9;white-space:pre-line}
details{margin:10px 0}
summary{cursor:pointer;color:var(--blue)}
footer{max-width:1180px;margin:50px auto 30px;padding:0 20px;color:var(--quiet);font-size:13px}
@media print{nav{display:none}details{display:block}}
"""
_SCRIPT = """
"use strict";
(function(){
var tip=document.createElement("div");tip.id="tip";tip.hidden=true;document.body.appendChild(tip);
function show(event){
  var mark=event.target;
  if(!mark.getAttribute||mark.getAttribute("data-tip")===null){tip.hidden=true;return;}
  tip.textContent=mark.getAttribute("data-tip");tip.hidden=false;
  var x=event.clientX+14,y=event.clientY+14;
  x=Math.min(x,window.innerWidth-tip.offsetWidth-8);
  if(y+tip.offsetHeight>window.innerHeight-8){y=event.clientY-tip.offsetHeight-10;}
  tip.style.left=Math.max(4,x)+"px";tip.style.top=Math.max(4,y)+"px";
}
document.addEventListener("pointermove",show);document.addEventListener("pointerdown",show);
function worth(cell){
  var text=cell?cell.textContent.trim():"",plain=text.replace(/[,%\\s]/g,"");
  return plain!==""&&!isNaN(plain)?{n:Number(plain),t:text}:{n:NaN,t:text};
}
document.querySelectorAll("table.sortable th").forEach(function(head){
  head.tabIndex=0;
  function sort(){
    var row=head.parentNode,place=Array.prototype.indexOf.call(row.children,head),table=head.closest("table");
    var up=head.getAttribute("aria-sort")!=="ascending",body=table.tBodies[0];
    Array.prototype.forEach.call(row.children,function(other){other.removeAttribute("aria-sort");});
    head.setAttribute("aria-sort",up?"ascending":"descending");
    Array.prototype.slice.call(body.rows).sort(function(a,b){
      var one=worth(a.cells[place]),two=worth(b.cells[place]),way=up?1:-1;
      if(isNaN(one.n)&&isNaN(two.n)){return way*one.t.localeCompare(two.t);}
      if(isNaN(one.n)){return 1;}if(isNaN(two.n)){return -1;}
      return way*(one.n-two.n);
    }).forEach(function(item){body.appendChild(item);});
  }
  head.addEventListener("click",sort);
  head.addEventListener("keydown",function(event){if(event.key==="Enter"){sort();}});
});
})();
"""


@dataclass(frozen=True)
class PagePart:
    """A part of a page: its anchor, its heading and what stands under it."""

    anchor: str
    heading: str
    body: tuple[Child, ...]


def page_text(title: str, lead: Child, sections: Sequence[PagePart], foot: str) -> str:
    """A whole page that needs nothing but itself: no network, no other file."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(_hues() + _STYLE)),
    )
    menu = tag("nav", *(tag("a", part.heading, href=f"#{part.anchor}") for part in sections))
    parts = [tag("section", tag("h2", part.heading), *part.body, id=part.anchor) for part in sections]
    body = tag(
        "body",
        tag("header", tag("h1", title), lead),
        menu,
        tag("main", *parts),
        tag("footer", foot),
        tag("script", Markup(_SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _hues() -> str:
    """The colours of both grounds as variables."""

    def told(hues: dict[str, str], wash: str) -> str:
        return "".join(f"--{name}:{color};" for name, color in hues.items()) + f"--wash:{wash}"

    light, dark = told(HUES_LIGHT, "#f4f4f4"), told(HUES_DARK, "#1f2428")
    return f":root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"


def facts_markup(facts: Sequence[tuple[str, str]]) -> Markup:
    """A few numbers that are read first, each with what it is.

    Params   facts: value and label of each.
    """
    return tag("div", *(tag("div", tag("b", value), tag("span", label)) for value, label in facts), class_="facts")


def warned(flags: Sequence[str]) -> Markup:
    """Sanity flags as a list, or that there are none."""
    if not flags:
        return tag("p", "None: every metric was defined, and every lever in force did something or is a control.")
    return tag("ul", *(tag("li", flag) for flag in flags), class_="warn")


def commands(*lines: str) -> Markup:
    """Commands to type."""
    return join(tag("pre", "\n".join(lines)))
