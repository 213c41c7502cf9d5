"""What is shown where there is no page."""

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from dashboards.console import palette
from dashboards.console.markup import html
from dashboards.console.words import language_of, word
from dashboards.sources import Sources

_PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title></head>
<body style="margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;
gap:18px;background:{ground};color:{text};font-family:'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif">
<p style="margin:0;font-size:88px;font-weight:700;color:{accent}">404</p><p style="margin:0;font-size:22px">{title}</p>
<a href="{home}" style="margin-top:14px;padding:12px 26px;border:1px solid {accent};border-radius:8px;color:{accent};
text-decoration:none;font-size:18px;font-weight:600">{back}</a></body></html>"""


async def lost(sources: Sources, request: Request, _error: Exception) -> Response:
    """Says in the reader's language that there is no such page, and leads back to the wall."""
    language = language_of(request.query_params.get("lang"), sources.language)
    page = html(
        _PAGE,
        lang=language,
        title=word("no_page", language),
        home=f"{request.scope.get('root_path', '')}/?lang={language}",
        back=word("to_wall", language),
        ground=palette.GROUND,
        text=palette.TEXT,
        accent=palette.ACCENT,
    )
    return HTMLResponse(page, 404)
