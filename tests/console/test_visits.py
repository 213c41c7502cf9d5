"""Who fetches pages and never connects, such as a probe or a robot, leaves nothing behind."""

import urllib.request

from tests.console.browsing import city, state, tell, until

PAGES = ("/", "/alerts", "/supervision", "/cases", "/vehicles/V001", "/devices/gas/GD-001")
ROUNDS = 8


def test_pages_that_nobody_connects_to_are_forgotten() -> None:
    with city() as address:
        for _ in range(ROUNDS):
            for path in PAGES:
                with urllib.request.urlopen(address + path) as answer:
                    assert answer.status == 200
            assert state(address)["clients"] == len(PAGES)
            tell(address, "prune")
            now = state(address)
            assert [now[name] for name in ("clients", "viewers", "listeners", "tasks")] == [0, 0, 0, 0]
        # Their own loops take a second to notice; the page that was let go of last may stay in somebody's hands.
        until(lambda: str(state(address)["kept"]) in "01", True)
