"""The demo's people: they work its cases off, in seconds instead of hours, and not always at the first try."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from random import Random

from citywarden.cases.desk import CaseDesk
from citywarden.model.case import Case, Deed, Source, Stage, Step, Why
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Clock, Limit
from citywarden.model.errors import CitywardenError

LOOK_S = 1.0
TENANT_LIMIT = 200
_log = logging.getLogger(__name__)

PEOPLE: Mapping[Stage, str] = {
    Stage.REPORTED: "受理员 李慧 / Li Hui, intake",
    Stage.VERIFIED: "受理员 李慧 / Li Hui, intake",
    Stage.ACCEPTED: "值班长 陈志明 / Chen Zhiming, shift leader",
    Stage.FILED: "派遣员 吴丽 / Wu Li, dispatcher",
    Stage.DISPATCHED: "班组 王建国 / Wang Jianguo, crew",
    Stage.HANDLING: "班组 王建国 / Wang Jianguo, crew",
    Stage.HANDLED: "核查员 周敏 / Zhou Min, inspector",
    Stage.CHECKED: "值班长 陈志明 / Chen Zhiming, shift leader",
}
"""Who takes the next step of a case that stands there."""

TAKES_S: Mapping[Stage, float] = {
    Stage.REPORTED: 6, Stage.VERIFIED: 6, Stage.ACCEPTED: 6, Stage.FILED: 7, Stage.DISPATCHED: 12, Stage.HANDLING: 30,
    Stage.HANDLED: 14, Stage.CHECKED: 8,
}  # fmt: skip
"""How long they take, more or less."""

_STRAIGHT: Mapping[Stage, Step] = {
    Stage.REPORTED: Step.ACCEPT, Stage.VERIFIED: Step.ACCEPT, Stage.ACCEPTED: Step.FILE, Stage.FILED: Step.DISPATCH,
    Stage.DISPATCHED: Step.BEGIN, Stage.HANDLING: Step.FINISH, Stage.HANDLED: Step.PASS, Stage.CHECKED: Step.CLOSE,
}  # fmt: skip


def next_deed(case: Case, now_ms: int, unit: str) -> Deed | None:
    """What somebody does about a case now; None while nothing is due. `unit`: whom its category goes to.

    How long it takes, and whether it needs more time or comes back, follows from the case's number alone.
    """
    rng = Random(f"{case.number} {case.stage} {case.reworks} {case.extensions}")
    if not case.open or now_ms - case.updated_ms < TAKES_S[case.stage] * 1000 * rng.uniform(0.6, 1.6):
        return None
    by, mood = PEOPLE[case.stage], Random(case.number).random()
    if case.asked is not None:
        return Deed(Step.GRANT_EXTENSION, PEOPLE[Stage.CHECKED])
    if case.stage is Stage.REPORTED and case.source is Source.PUBLIC:
        return Deed(Step.VERIFY, by)
    if case.stage is Stage.HANDLING and mood > 0.8 and not case.extensions:
        more = Limit(2 * 60, Clock.NATURAL)
        return Deed(Step.ASK_EXTENSION, by, "备件在途 / Parts are on the way", Why.MATERIAL, case.unit, more)
    if case.stage is Stage.HANDLED and mood < 0.25 and not case.reworks:
        return Deed(Step.REWORK, by, "现场仍有残留 / Not all of it is gone", Why.INCOMPLETE)
    step = _STRAIGHT[case.stage]
    return Deed(step, by, unit=unit if step is Step.DISPATCH else "")


async def work_off(desk: CaseDesk, tenant: str, clock_ms: Callable[[], int]) -> None:
    """Until cancelled, take the steps that are due. What a person did meanwhile is left as it is."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            for case in (await desk.find(CaseQuery(tenant, open=True, limit=TENANT_LIMIT))).items:
                unit = desk.table.category(case.category).unit
                deed = next_deed(case, clock_ms(), unit or "综合班组 / General crew")
                if deed is not None:
                    await desk.take(case.id, deed)
        except CitywardenError as error:
            _log.info("the demo's people were kept from a case: %s", error)
