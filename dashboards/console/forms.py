"""The look of the plain pages: one card before the city at night."""

from dashboards.console import palette
from dashboards.console.markup import Html, html

STYLE = """
*{box-sizing:border-box}
html,body{margin:0;min-height:100%;background:var(--ground);color:var(--text)}
body{display:flex;min-height:100vh;align-items:center;justify-content:center;padding:24px;
font:16px/1.5 "Noto Sans CJK SC","Noto Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif;
background:radial-gradient(90% 70% at 50% 38%,#12233a 0,#0a1220 46%,var(--ground) 100%) fixed}
.skyline{position:fixed;left:0;right:0;bottom:0;height:34vh;width:100%;stroke:#1a2c44;fill:#0a111c;stroke-width:1}
main{position:relative;width:100%;max-width:420px;background:#0c131eee;border:1px solid var(--line);border-radius:14px;
padding:34px 36px 30px;box-shadow:0 24px 70px #0009}
header{display:flex;align-items:center;gap:13px;margin-bottom:24px}
header svg{width:38px;height:38px;flex:none;fill:none;stroke:var(--accent);stroke-width:2.2;stroke-linejoin:round}
header b{display:block;font-size:23px;line-height:1.25;font-weight:700}
header span{color:var(--dim);font-size:15px}
form{display:flex;flex-direction:column;gap:16px}
label{display:flex;flex-direction:column;gap:6px;color:var(--dim);font-size:15px}
input{font:inherit;font-size:17px;color:var(--text);background:#0a111b;border:1px solid #26344a;border-radius:8px;
padding:11px 13px;width:100%}
input:focus{outline:2px solid var(--accent);outline-offset:0;border-color:transparent}
input[hidden]{display:none}
input:-webkit-autofill{-webkit-text-fill-color:var(--text);box-shadow:0 0 0 40px #0a111b inset}
button{font:inherit;font-size:17px;font-weight:600;border:0;border-radius:8px;padding:12px;margin-top:6px;cursor:pointer;
color:#04222c;background:var(--accent)}
button:hover{filter:brightness(1.1)}
button:focus-visible,a:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:6px}
.error{margin:0;color:#ffd9dd;background:#ff4d5e22;border:1px solid #ff4d5e88;border-radius:8px;padding:9px 12px;
font-size:15px}
.hint{margin:0 0 18px;color:var(--dim)}
a{color:inherit;text-decoration:none}
.quiet{text-align:center;color:var(--dim)}
.language{position:absolute;top:20px;right:22px;border:1px solid var(--line);border-radius:6px;color:var(--dim);
padding:2px 11px;font-size:14px}
.language:hover,.quiet:hover{color:var(--text)}
@media (max-width:480px){main{padding:28px 22px 24px}}
"""

_LOGO = Html(
    '<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M4 28V15l6-4v17M12 28V6l8-3v25M22 28V13l6 4v11"/></svg>'
)
_SKYLINE = Html(
    '<svg class="skyline" viewBox="0 0 1600 340" preserveAspectRatio="xMidYMax slice" aria-hidden="true">'
    '<path d="M0 340'
    "V232h70v-44h58v62h44v-96l52-22v118h40v-30h84v52h36V118h26V96h20v22h26v154h48v-58h92v-40h46v98h38v-70l64-26v96h50"
    "V84l30-18 30 18v188h58v-84h74v50h40v-92h56v-24h26v116h52v-58h88v34h42v-104l46-20v154h54v-40h94v62h60v-30h56v98z"
    '"/></svg>'
)


def field(name: str, label: str, complete: str, kind: str = "text", value: str = "") -> Html:
    """A labelled field. `complete`: what the browser may fill in."""
    focus = Html(" autofocus") if not value and name in ("name", "old") else Html("")
    return html(
        '<label>{label}<input name="{name}" type="{kind}" autocomplete="{c}" value="{value}" maxlength="256" required'
        ' spellcheck="false" autocapitalize="none"{focus}></label>',
        label=label, name=name, kind=kind, c=complete, value=value, focus=focus,
    )  # fmt: skip


def hidden(name: str, value: str) -> Html:
    """What the form says beside what is typed."""
    return html('<input type="hidden" name="{n}" value="{v}">', n=name, v=value)


def form_page(language: str, city: str, title: str, body: Html, switch: tuple[str, str]) -> str:
    """A whole page. `switch`: address and name of the other language."""
    return html(
        '<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title} · {city}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="dark">'
        '<link rel="icon" href="data:,"><style>{style}</style></head><body>{skyline}<main>'
        '<a class="language" href="{href}">{other}</a>'
        "<header>{logo}<div><b>{city}</b><span>{title}</span></div></header>{body}</main></body></html>",
        lang=language, title=title, city=city, style=Html(palette.variables() + STYLE), skyline=_SKYLINE,
        href=switch[0], other=switch[1], logo=_LOGO, body=body,
    )  # fmt: skip
