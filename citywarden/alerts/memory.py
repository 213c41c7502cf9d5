"""What is kept in memory of a database: the alerts that are open, what holds back telling of them, and how far the log
is judged.
"""

from collections.abc import Sequence

from sqlalchemy import Engine

from citywarden.alerts import archive, silences
from citywarden.alerts.circumstances import Circumstances
from citywarden.alerts.draft import Draft
from citywarden.alerts.flapping import Key, Turns
from citywarden.alerts.progress import Judged
from citywarden.alerts.records import Entry
from citywarden.alerts.transactions import reading
from citywarden.model.alert import Alert, Status


class Memory:
    """The open alerts of one database and their circumstances, brought up to what other processes write. `writer`:
    whose entries are not theirs. Raises Unavailable.
    """

    def __init__(self, engine: Engine, around: Circumstances, judged: Judged, writer: str) -> None:
        self.open: dict[Key, Entry] = {}
        self.around = around
        self.judged = judged
        self._engine = engine
        self._writer = writer
        self._acquainted = False
        self._seen_event = 0

    @property
    def remembered(self) -> int:
        """What is held of alerts that are open, or ended lately."""
        return len(self.open) + self.around.remembered

    def reload(self) -> None:
        """Read it anew; the circumstances when they are asked for."""
        with reading(self._engine) as connection:
            self.open = {entry.alert.key: entry for entry in archive.read_open(connection)}
            self.judged.read(connection)
            self._seen_event = archive.last_event(connection)
        self._acquainted = False

    def forget_circumstances(self) -> None:
        """They may be half of what was not written: learn them anew."""
        self._acquainted = False

    def acquaint(self, now_ms: int) -> None:
        """Learn the circumstances, the first time they are asked for."""
        if not self._acquainted:
            with reading(self._engine) as connection:
                self.around.load(connection, self.open, now_ms)
            self._acquainted = True

    def accept(self, draft: Draft, turns: Turns, now_ms: int) -> None:
        """Take in what was written."""
        draft.accept_into(self.open)
        self.around.accept(draft, turns, now_ms)

    def catch_up(self, now_ms: int) -> list[Alert]:
        """Take in what other processes wrote, and the silences; returns the alerts that is news of."""
        with reading(self._engine) as connection:
            theirs, self._seen_event = archive.read_foreign(connection, self._writer, self._seen_event)
            self.around.take_silences(silences.read(connection, now_ms))
        return [alert for entry in theirs if (alert := self._take_foreign(entry, now_ms))]

    def entries(self, ids: Sequence[str], tenant: str | None) -> dict[str, Entry]:
        """Alerts as the database has them; memory is brought up to them where another process was at work."""
        wanted = set(ids)
        known = {entry.alert.id: entry for entry in self.open.values() if entry.alert.id in wanted}
        with reading(self._engine) as connection:
            versions = archive.read_versions(connection, ids)
            foreign = [id_ for id_, version in versions.items() if id_ not in known or known[id_].version != version]
            if foreign:
                known |= archive.read_entries(connection, foreign)
        found = {id_: known[id_] for id_ in ids if id_ in versions and tenant in (None, known[id_].alert.tenant)}
        if any(known[id_].alert.open for id_ in foreign):
            self.reload()
        return found

    def _take_foreign(self, entry: Entry, now_ms: int) -> Alert | None:
        key, known = entry.alert.key, self.open.get(entry.alert.key)
        if known is not None and (known.alert.id != entry.alert.id or known.version >= entry.version):
            return None
        if entry.alert.open:
            self.open[key] = entry
        elif known is not None:
            del self.open[key]
        else:
            return None
        self.around.note({key: entry.alert if entry.alert.open else None}, now_ms)
        self.around.await_next(key, self.open.get(key))
        return entry.alert if entry.alert.status is not Status.PENDING else None
