"""The judge of a running server: the plan and the rules put in, what it finds of tasks taken on to the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from citywarden.model.work import TaskReport, Verdict
from citywarden.serve.export import vehicle_of, work_point
from citywarden.serve.frame import Frame
from citywarden.serve.ground import Ground
from citywarden.serve.judge import Answered, Hooks, Judge
from citywarden.serve.supervision import Run, restored
from citywarden.serve.workdesk import WorkDesk
from ingest.feed import Feed
from rules import engine, thresholds, work, worksave


@dataclass(frozen=True, slots=True)
class Judging:
    """`run`: for as long as the server does; it begins anew with the saved memory."""

    judge: Judge
    run: Run


async def open_judging(
    frame: Frame, ground: Ground, feed: Feed, workdesk: WorkDesk, answered: Answered
) -> Judging:  # fmt: skip
    """The judge with the memory it saved last. `answered` hears what devices say to commands."""
    hooks = _hooks(frame, ground, workdesk)
    hooks.answered = answered
    judge = Judge(feed, ground.registry, ground.alerts.desk, ground.live, frame.clock_ms, hooks)

    def fresh(data: bytes | None) -> engine.State:
        return _fresh(frame, workdesk, data)

    await judge.restore(fresh)
    workdesk.current = lambda: work.reports(judge.state.work, frame.clock_ms())
    return Judging(judge, restored(judge.run, lambda: judge.restore(fresh)))


def _hooks(frame: Frame, ground: Ground, workdesk: WorkDesk) -> Hooks:
    tenant, lookup = frame.settings.tenant, ground.registry.lookup

    def judged(reports: Sequence[TaskReport]) -> None:
        ground.exporter.offer(
            work_point(report, tenant, vehicle_of(lookup, tenant, report.vehicle))
            for report in reports if report.status is not Verdict.OPEN
        )  # fmt: skip

    def replanned(state: engine.State, now_ms: int) -> engine.State:
        tasks = workdesk.due(now_ms)
        return state if tasks is None else engine.replan(state, tasks, workdesk.plan_zones, now_ms)

    return Hooks(judged, replanned)


def _fresh(frame: Frame, workdesk: WorkDesk, data: bytes | None) -> engine.State:
    """The rules' memory as it was saved, None: an empty one."""
    now_ms, options = frame.clock_ms(), frame.options
    tasks, zones = workdesk.around(now_ms), workdesk.plan_zones
    zone, kinds, book = frame.settings.zone, frame.kinds, frame.prepared.book
    if data is None:
        return engine.State(
            thresholds.start(book, kinds, zone, now_ms), work.start(tasks, zones, options.work, now_ms)
        )  # fmt: skip
    levels, judged = engine.split(data)
    return engine.State(
        thresholds.load(book, kinds, zone, levels, now_ms), worksave.load(judged, tasks, zones, options.work)
    )
