"""The record of changes as JSON and as CSV."""

import csv
import io
from collections.abc import Iterable

from citywarden.model.access import AuditEntry
from citywarden.model.wire import timestamp

COLUMNS = ("number", "at", "by", "tenant", "action", "subject", "detail", "source", "previous", "digest")


def entry_body(entry: AuditEntry) -> dict[str, object]:
    """One entry."""
    note = entry.note
    return {
        "number": entry.number,
        "at": timestamp(note.at_ms),
        "by": note.by,
        "tenant": note.tenant,
        "action": note.action,
        "subject": note.subject,
        "detail": note.detail,
        "source": note.source,
        "previous": entry.previous,
        "digest": entry.digest,
    }


def csv_lines(entries: Iterable[AuditEntry], head: bool = False) -> str:
    """Entries as lines. A text that a spreadsheet would take for a formula is kept a text."""
    out = io.StringIO()
    writer = csv.writer(out)
    if head:
        writer.writerow(COLUMNS)
    for entry in entries:
        body = entry_body(entry)
        writer.writerow(
            [f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" and v else v for v in map(body.get, COLUMNS)]
        )
    return out.getvalue()
