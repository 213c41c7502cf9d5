"""Planned work as the pages read it: the running days from the rules' memory, older ones judged anew from the store."""

from collections.abc import Callable, Sequence, Set
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from citywarden.columns import Columns
from citywarden.model.device import DeviceKey
from citywarden.model.errors import NotFound
from citywarden.model.work import Task, TaskReport, TrackPoint, Zone
from citywarden.store.contract import Store
from fleet.plan import Plan
from rules import work
from rules.engine import VEHICLE
from rules.vehicleday import track

DAY_MS = 86_400_000
AROUND_MS = 2 * DAY_MS
"""The rules hold the tasks whose window touches this span before and after now: late data may still reopen them."""

MARGIN_MS = 3_600_000
"""Fixes this long before and after a task's window are read when it is judged anew."""


class WorkDesk:
    """Reads of planned work. The same judging functions serve the running server and the past."""

    def __init__(
        self, plan: Plan, tenant: str, zone: ZoneInfo, store: Store, settings: work.WorkSettings,
        clock_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self._plan = plan
        self._tenant = tenant
        self._zone = zone
        self._store = store
        self._settings = settings
        self._clock_ms = clock_ms
        self._planned_ms = 0
        self.current: Callable[[], Sequence[TaskReport]] = tuple

    def due(self, now_ms: int) -> Sequence[Task] | None:
        """The tasks around `now_ms` when it is time to plan anew (hourly), else None."""
        if now_ms - self._planned_ms < MARGIN_MS:
            return None
        return self.around(now_ms)

    def around(self, now_ms: int) -> Sequence[Task]:
        """The tasks the rules hold at `now_ms`."""
        self._planned_ms = now_ms
        return self._plan.tasks_between(now_ms - AROUND_MS, now_ms + AROUND_MS)

    @property
    def plan_zones(self) -> Sequence[Zone]:
        return self._plan.zones

    async def days(self) -> Sequence[date]:
        """Today and the thirty days before, newest first."""
        today = datetime.fromtimestamp(self._clock_ms() / 1000, self._zone).date()
        return [today - timedelta(days=back) for back in range(31)]

    async def tasks(self, day: date) -> Sequence[Task]:
        return self._plan.tasks_on(day)

    async def zones(self) -> Sequence[Zone]:
        return self._plan.zones

    async def reports(self, day: date) -> Sequence[TaskReport]:
        tasks = self._plan.tasks_on(day)
        held = {report.task: report for report in self.current()}
        if all(task.id in held for task in tasks):
            return [held[task.id] for task in tasks]
        state = await self._judge(tasks)
        return work.reports(state, self._clock_ms())

    async def report(self, task: str) -> TaskReport:
        held = next((report for report in self.current() if report.task == task), None)
        if held is not None:
            return held
        planned = [one for one in self._planned(task) if one.id == task]
        if not planned:
            raise NotFound(f"no task {task}")
        return work.reports(await self._judge(planned), self._clock_ms())[0]

    def _planned(self, task: str) -> Sequence[Task]:
        _, at, day = task.rpartition("@")
        try:
            return self._plan.tasks_on(date.fromisoformat(day)) if at else self._plan.fixed
        except ValueError:
            return ()

    async def track(self, vehicle: str, day: date) -> Sequence[TrackPoint]:
        start = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        start_ms = int(start.timestamp() * 1000)
        stop_ms = int((start + timedelta(days=1)).timestamp() * 1000)
        tasks = [task for task in self._plan.tasks_on(day) if task.vehicle == vehicle]
        fixes = await self._fixes({(self._tenant, vehicle)}, start_ms, stop_ms)
        state = work.start(tasks, self._plan.zones, self._settings, start_ms)
        if len(fixes):
            state = work.step(state, fixes, stop_ms).state
        return track(state, vehicle, start_ms, stop_ms, self._tenant)

    async def _judge(self, tasks: Sequence[Task]) -> work.State:
        state = work.start(tasks, self._plan.zones, self._settings, min((t.start_ms for t in tasks), default=0))
        if not tasks:
            return state
        start_ms = min(task.start_ms for task in tasks) - MARGIN_MS
        stop_ms = max(task.end_ms for task in tasks) + MARGIN_MS
        fixes = await self._fixes({(task.tenant, task.vehicle) for task in tasks}, start_ms, stop_ms)
        return work.step(state, fixes if len(fixes) else None, self._clock_ms()).state

    async def _fixes(self, vehicles: Set[tuple[str, str]], start_ms: int, stop_ms: int) -> Columns:
        keys = [DeviceKey(tenant, VEHICLE, vehicle) for tenant, vehicle in sorted(vehicles)]
        return await self._store.window(VEHICLE, start_ms, stop_ms, keys)
