"""HTML for tables and titles, escaped by construction."""

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """Fill a template; whatever is not `Html` is escaped."""
    return Html(template.format(**{name: v if isinstance(v, Html) else escape(str(v)) for name, v in values.items()}))


def join(parts: Iterable[Html], between: str = "") -> Html:
    return Html(between.join(parts))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Html:
    """A table; columns in `numbers` are set right. On a phone each row is a card: its first named column leads, the
    others follow under the names of their columns.
    """
    lead = next((i for i, head in enumerate(heads) if head), 0)

    def kind(i: int) -> Html:
        names = [name for name, so in (("n", i in numbers), ("lead", i == lead)) if so]
        return Html(f' class="{" ".join(names)}"' if names else "")

    def cell(i: int, value: object) -> Html:
        return html(
            '<td{kind} data-head="{head}">{value}</td>',
            kind=kind(i),
            head=heads[i][:1].upper() + heads[i][1:],
            value=value,
        )

    head = join(html("<th{kind}>{h}</th>", kind=kind(i), h=h) for i, h in enumerate(heads))
    body = join(html("<tr>{r}</tr>", r=join(cell(i, v) for i, v in enumerate(row))) for row in rows)
    inner = html("<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", head=head, body=body)
    return html('<div class="cw-scrollx"><table class="cw-table">{inner}</table></div>', inner=inner)


def bar(pct: float | None) -> Html:
    """A share as a small bar and a number."""
    if pct is None:
        return Html("–")
    width = max(0.0, min(100.0, pct))
    inner = '<span class="cw-share"><span class="cw-bar"><i style="width:{w}%"></i></span>{n} %</span>'
    return html(inner, w=f"{width:.1f}", n=f"{pct:.1f}")


def figures(tiles: Iterable[tuple[str, str, str]]) -> Html:
    """A strip of figures: (label, value, unit); what is not known has no unit."""
    one = '<div class="cw-tile"><h2>{k}</h2><p class="cw-number"><b>{v}</b><small>{u}</small></p></div>'
    return html(
        '<section class="cw-strip small">{t}</section>',
        t=join(html(one, k=k, v=v, u="" if v == "–" else u) for k, v, u in tiles),
    )
