"""The cases' room of a running server."""

from citywarden.cases.desk import CaseDesk
from citywarden.serve.casework import CaseWork, case_desk
from citywarden.serve.frame import Frame
from citywarden.serve.ground import Ground


async def open_cases(frame: Frame, ground: Ground) -> CaseDesk:
    """People's work on what the alerts, or other people, tell of; watched, told to the store and the live picture."""
    desk = case_desk(frame.settings, ground.alerts.engine, frame.clock_ms)
    frame.stack.push_async_callback(desk.close)
    await desk.run(desk.clean)
    watching = CaseWork(frame.settings, desk, ground.alerts.desk, ground.registry.lookup, frame.clock_ms)
    watching.tell(ground.exporter)
    desk.subscribe(ground.live.tell_all)
    await watching.offer_open(ground.exporter)
    frame.watch("cases", watching.run)
    return desk
