"""Moments of devices as expressions see them: values held from earlier readings, windows, night."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from citywarden.columns import Bools, Columns, Floats, Ints
from citywarden.model.device import Profile
from citywarden.model.kind import Form
from rules.evaluation import Truth, Words
from rules.expression import WindowRef
from rules.history import Entries, Key, Queries, Readings
from rules.night import cells, is_night_at
from rules.roster import NEVER_MS, Roster
from rules.rulebook import HOLD_INTERVALS, Rule, form_of_value

Held = tuple[Floats, Ints]
"""Newest value of a field at each moment (NaN: never seen) and its time."""


@dataclass(slots=True, eq=False)
class Frame:
    """n moments sorted by (device, time): the rows of a batch, or with `rows` None bare moments without a message.

    What is computed once is kept, so several rules share it.
    """

    roster: Roster
    queries: Queries
    rows: Columns | None
    held: dict[str, Held] = field(default_factory=dict)
    words: dict[str, tuple[Words, Ints]] = field(default_factory=dict)
    entries: dict[Key, Entries] = field(default_factory=dict)
    windows: dict[Key, Floats] = field(default_factory=dict)
    nights: dict[float, Truth] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.queries.at_ms)

    @property
    def slot(self) -> Ints:
        """The slot of each moment."""
        return self.queries.slots[self.queries.rank]

    @property
    def before_ms(self) -> Ints:
        """Time of the device's message before each moment, NEVER_MS for none."""
        before = np.roll(self.queries.at_ms, 1)
        opens = self.queries.first == np.arange(len(self))
        before[opens] = self.roster.newest_ms[self.slot[opens]]
        return before

    def number(self, name: str) -> Held:
        """Newest value of a numeric field at each moment, and its time, however old."""
        if name not in self.held:
            self.held[name] = self._hold(name)
        return self.held[name]

    def _present(self, name: str) -> tuple[Bools, Floats]:
        if self.rows is None:
            return np.zeros(len(self), np.bool_), np.full(len(self), np.nan)
        column = self.rows.fields[name]
        return ~np.isnan(column), column

    def _hold(self, name: str) -> Held:
        present, column = self._present(name)
        if present.all():
            return column, self.queries.at_ms
        source = self._source(present)
        slot, here = self.slot, source >= 0
        value = np.where(here, column[source], self.roster.number[name][slot])
        return value, np.where(here, self.queries.at_ms[source], self.roster.value_ms[name][slot])

    def _source(self, present: Bools) -> Ints:
        """For each moment the newest one of the same device, itself included, that is present; -1 for none."""
        newest = np.maximum.accumulate(np.where(present, np.arange(len(self)), -1))
        return np.where(newest >= self.queries.first, newest, -1)

    def text(self, name: str) -> tuple[Words, Ints]:
        """Newest value of a text field at each moment (None: never seen), and its time, however old."""
        if name not in self.words:
            slot = self.slot
            value, at_ms = self.roster.text[name][slot], self.roster.value_ms[name][slot]
            if self.rows is not None:
                column = self.rows.texts[name]
                source = self._source(np.asarray(column != None, np.bool_))  # noqa: E711 (element-wise)
                value = np.where(source >= 0, column[source], value)
                at_ms = np.where(source >= 0, self.queries.at_ms[source], at_ms)
            self.words[name] = (value, at_ms)
        return self.words[name]

    def window(self, key: Key) -> Floats:
        """A window function at each moment, NaN where the readings in it say nothing."""
        if key not in self.windows:
            function, name, _ = key
            history = self.roster.histories[key]
            value, value_ms = self.number(name)
            self.entries[key] = history.entries(self.queries, self._events(function, name))
            result = history.read(self.queries, self.entries[key], value, value_ms)
            if function == "changes":
                result = np.where(self.first_ms(name) < value_ms, result, np.nan)
            self.windows[key] = result
        return self.windows[key]

    def first_ms(self, name: str) -> Ints:
        """Time of the very first reading of a field at each moment."""
        before = self.roster.first_ms[name][self.slot]
        present, _ = self._present(name)
        earliest = np.where(present, self.queries.at_ms, -NEVER_MS)
        firsts = np.full(len(self.queries.slots), -NEVER_MS, np.int64)
        np.minimum.at(firsts, self.queries.rank, earliest)
        return np.where(before == NEVER_MS, firsts[self.queries.rank], before)

    def _events(self, function: str, name: str) -> Readings:
        """Readings of the field that count for its windows; for `changes` those that differ from the one before."""
        present, column = self._present(name)
        value, value_ms = self._before(name)
        if function == "changes":
            switched = present & (column != value) & ~np.isnan(value)
            return Readings(switched, np.ones(len(self)))
        repeated = present & (column == value) & (value_ms == self.queries.at_ms)
        return Readings(present & ~repeated, column)

    def _before(self, name: str) -> Held:
        """The field as it stood just before each moment."""
        value, value_ms = self.number(name)
        slot, opens = self.slot, self.queries.first == np.arange(len(self))
        return (
            np.where(opens, self.roster.number[name][slot], np.roll(value, 1)),
            np.where(opens, self.roster.value_ms[name][slot], np.roll(value_ms, 1)),
        )

    def night(self, below_deg: float) -> Truth:
        """Where it is night at the device, and where it is not; unknown without a position."""
        if below_deg not in self.nights:
            if self.roster.located:
                cell = cells(self.number("lat")[0], self.number("lon")[0])
            else:
                cell = self.roster.cell[self.slot]
            dark = is_night_at(cell, self.queries.at_ms, below_deg)
            self.nights[below_deg] = Truth(dark, ~dark & (cell >= 0))
        return self.nights[below_deg]

    def commit(self) -> None:
        """Write what the rows brought into the roster: newest values, histories, times."""
        roster, queries = self.roster, self.queries
        last = np.append(queries.rank[1:] != queries.rank[:-1], True)
        for key in roster.histories:
            self.window(key)
            roster.histories[key].keep(queries, self.entries[key])
        for name in roster.first_ms:
            first_ms = self.first_ms(name)[last]
            roster.first_ms[name][queries.slots] = np.where(first_ms == -NEVER_MS, NEVER_MS, first_ms)
        for name in roster.number:
            value, value_ms = self.number(name)
            roster.number[name][queries.slots] = value[last]
            roster.value_ms[name][queries.slots] = value_ms[last]
        for name in roster.text:
            words, words_ms = self.text(name)
            roster.text[name][queries.slots] = words[last]
            roster.value_ms[name][queries.slots] = words_ms[last]
        roster.newest_ms[queries.slots] = queries.at_ms[last]


@dataclass(slots=True, eq=False)
class RuleView:
    """A frame as one rule sees it: values older than its hold are unknown, missing profile names have its defaults."""

    frame: Frame
    hold_ms: Ints
    defaults: Profile

    def __len__(self) -> int:
        return len(self.frame)

    def _fresh(self, value_ms: Ints) -> Bools:
        fresh: NDArray[np.bool_] = self.frame.queries.at_ms - value_ms <= self.hold_ms
        return fresh

    def number(self, field: str) -> Floats:
        value, value_ms = self.frame.number(field)
        return np.where(self._fresh(value_ms), value, np.nan)

    def text(self, field: str) -> Words:
        value, value_ms = self.frame.text(field)
        held: Words = np.where(self._fresh(value_ms), value, np.full(len(self), None, object))
        return held

    def profile(self, name: str, form: Form) -> Floats | Words:
        column = self.frame.roster.profile[name, form][self.frame.slot]
        default = self.defaults.get(name)
        if default is None or form_of_value(default) is not form:
            return column
        missing = column == None if form is Form.TEXT else np.isnan(column.astype(np.float64))  # noqa: E711
        return np.where(missing, default, column)

    def window(self, ref: WindowRef) -> Floats:
        value = self.frame.window((ref.function, ref.field, ref.span_ms))
        return np.where(self._fresh(self.frame.number(ref.field)[1]), value, np.nan)

    def night(self, below_deg: float) -> Truth:
        return self.frame.night(below_deg)

    def known_until_ms(self, fields: frozenset[str]) -> Ints:
        """Until when each moment's known values of `fields` are held; far away where none is known."""
        until = np.full(len(self), -NEVER_MS, np.int64)
        for name in fields:
            _, value_ms = self.frame.number(name) if name in self.frame.roster.number else self.frame.text(name)
            until = np.where(self._fresh(value_ms), np.minimum(until, value_ms + self.hold_ms), until)
        return until


def view(frame: Frame, rule: Rule) -> RuleView:
    """The frame as `rule` sees it."""
    if rule.hold_ms is not None:
        hold_ms = np.full(len(frame), rule.hold_ms, np.int64)
    else:
        hold_ms = HOLD_INTERVALS * frame.roster.interval_ms[frame.slot]
    return RuleView(frame, hold_ms, rule.profile)


def frame_of_rows(roster: Roster, rows: Columns, slots: Ints) -> Frame:
    """The rows of a batch; `slots` gives the slot of each of `rows.devices` that has a row (-1 elsewhere)."""
    opens = np.append(True, rows.device[1:] != rows.device[:-1])
    rank = np.cumsum(opens) - 1
    starts = np.flatnonzero(opens)
    return Frame(roster, Queries(slots[rows.device[starts]], rank, starts[rank], rows.ts_ms), rows)


def frame_of_moments(roster: Roster, slots: Ints, at_ms: Ints) -> Frame:
    """Moments without a message, each of its own device (a device may come more than once)."""
    each = np.arange(len(slots))
    return Frame(roster, Queries(slots, each, each, at_ms), None)
