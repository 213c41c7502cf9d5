"""A database that goes away in the middle of a commit, and logs that are not the same."""

from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from citywarden.model.alert import AlertQuery, Status
from citywarden.model.errors import Unavailable
from tests.alerts.alert_builders import NOW_MS, desk, file_engine, finding, target


@pytest.mark.parametrize("written", [True, False])
def test_findings_are_taken_in_once_whether_the_lost_commit_was_done_or_not(tmp_path: Path, written: bool) -> None:
    engine = file_engine(tmp_path)
    front = desk(engine, target())
    loud = True

    @event.listens_for(engine, "commit")
    def lose_the_answer(connection: object) -> None:
        nonlocal loud
        if loud:
            loud = False
            if written:
                connection.connection.commit()  # type: ignore[attr-defined]
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    came_and_went = [finding("major"), finding("ok", NOW_MS + 1)]
    with pytest.raises(Unavailable):
        front.apply(came_and_went, NOW_MS, {0: 5})
    front.apply(came_and_went, NOW_MS, {0: 5})
    [alert] = front.find(AlertQuery()).items
    assert alert.status is Status.RESOLVED
    assert front.position() == {0: 5}
    front.apply([finding("major", NOW_MS + 2)], NOW_MS + 2, {0: 6})
    assert len(front.open()) == 1


def test_a_position_of_another_log_means_nothing(tmp_path: Path) -> None:
    front = desk(file_engine(tmp_path))
    front.follow("rules@0000aaaa")
    front.apply([finding("major")], NOW_MS, {0: 5000})
    other = desk(file_engine(tmp_path))
    other.follow("rules@0000bbbb")
    assert other.position() == {}
    [second] = other.apply([finding("major", subject="g2")], NOW_MS, {0: 3})
    assert second.subject == "g2"
    front.follow("rules@0000aaaa")
    assert front.position() == {0: 5000}
