"""Users, sessions and tokens, on both databases."""

import pytest
from sqlalchemy import Engine, text

from citywarden.access.desk import Desk
from citywarden.access.sessions import Terms
from citywarden.model.access import AuditQuery, Denied, Forbidden, NewToken, NewUser, UserChange, Visit
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Identity, Role
from tests.builders import NOON_MS

ROOT = Identity("root", Role.ADMINISTRATOR)
NORTH = Identity("north-admin", Role.ADMINISTRATOR, "north")
GOOD = "river-lantern-42"
HOUR_MS = 3_600_000


def made(desk: Desk, name: str = "zhang", role: Role = Role.DISPATCHER, tenant: str | None = None) -> str:
    """A user with a good password; returns the name."""
    desk.add_user(ROOT, NewUser(name, role, tenant, GOOD), NOON_MS)
    return name


def come_in(desk: Desk, name: str = "zhang", now_ms: int = NOON_MS) -> tuple[Visit, str]:
    _, cookie = desk.let_in(name, "10.0.0.1", "Firefox/150.0", now_ms)
    visit = desk.visit(cookie, now_ms)
    assert visit is not None
    return visit, cookie


def actions(desk: Desk) -> list[str]:
    return [entry.note.action for entry in reversed(desk.find(AuditQuery()).items)]


# -- users


def test_a_user_without_a_password_gets_one_for_once(desk: Desk) -> None:
    user, password = desk.add_user(ROOT, NewUser("zhang", Role.DISPATCHER, "north"), NOON_MS)
    assert user.must_change
    assert password is not None
    assert desk.passwords.fits(desk.password_of("zhang"), password)
    assert desk.users(ROOT) == [user]
    assert actions(desk) == ["user.add"]


def test_a_password_that_was_chosen_is_not_told_again(desk: Desk) -> None:
    user, password = desk.add_user(ROOT, NewUser("zhang", Role.VIEWER, None, GOOD), NOON_MS)
    assert (user.must_change, password) == (False, None)


@pytest.mark.parametrize("name", ["", "a:b", "token:x", "local", "with space", "x" * 65, "LOCAL"])
def test_names_that_mean_something_else_are_refused(desk: Desk, name: str) -> None:
    with pytest.raises(CitywardenError, match="is no name"):
        desk.add_user(ROOT, NewUser(name, Role.VIEWER, None, GOOD), NOON_MS)


def test_a_name_is_taken_whatever_its_case(desk: Desk) -> None:
    made(desk, "zhang")
    with pytest.raises(CitywardenError, match="already"):
        made(desk, "Zhang")


def test_a_weak_password_makes_no_user(desk: Desk) -> None:
    with pytest.raises(CitywardenError, match="at least 12"):
        desk.add_user(ROOT, NewUser("zhang", Role.VIEWER, None, "short"), NOON_MS)
    assert desk.count() == 0


def test_a_change_of_role_ends_the_sessions(desk: Desk) -> None:
    made(desk)
    _, cookie = come_in(desk)
    changed = desk.change_user(ROOT, "zhang", UserChange(role=Role.VIEWER, tenant="north"), NOON_MS)
    assert (changed.role, changed.tenant) == (Role.VIEWER, "north")
    assert desk.visit(cookie, NOON_MS) is None
    assert desk.change_user(ROOT, "zhang", UserChange(tenant=""), NOON_MS).tenant is None


def test_what_changes_nothing_ends_nothing(desk: Desk) -> None:
    made(desk)
    _, cookie = come_in(desk)
    desk.change_user(ROOT, "zhang", UserChange(role=Role.DISPATCHER, enabled=True), NOON_MS)
    assert desk.visit(cookie, NOON_MS) is not None
    assert actions(desk) == ["user.add", "login"]


def test_a_disabled_user_is_out_and_has_no_password(desk: Desk) -> None:
    made(desk)
    _, cookie = come_in(desk)
    desk.change_user(ROOT, "zhang", UserChange(enabled=False), NOON_MS)
    assert desk.visit(cookie, NOON_MS) is None
    assert desk.password_of("zhang") is None


def test_the_last_administrator_stays(desk: Desk) -> None:
    made(desk, "chief", Role.ADMINISTRATOR)
    for change in (UserChange(role=Role.VIEWER), UserChange(enabled=False), UserChange(tenant="north")):
        with pytest.raises(CitywardenError, match="last administrator"):
            desk.change_user(ROOT, "chief", change, NOON_MS)
    with pytest.raises(CitywardenError, match="last administrator"):
        desk.remove_user(ROOT, "chief", NOON_MS)
    made(desk, "deputy", Role.ADMINISTRATOR)
    desk.remove_user(ROOT, "chief", NOON_MS)
    assert [user.name for user in desk.users(ROOT)] == ["deputy"]


def test_an_administrator_of_a_tenant_manages_that_tenant_only(desk: Desk) -> None:
    made(desk, "mine", tenant="north")
    made(desk, "theirs", tenant="south")
    made(desk, "chief", Role.ADMINISTRATOR)
    assert [user.name for user in desk.users(NORTH)] == ["mine"]
    for name in ("theirs", "chief"):
        with pytest.raises(NotFound):
            desk.change_user(NORTH, name, UserChange(enabled=False), NOON_MS)
        with pytest.raises(NotFound):
            desk.reset_password(NORTH, name, None, NOON_MS)
        with pytest.raises(NotFound):
            desk.remove_user(NORTH, name, NOON_MS)
    for tenant in (None, "south"):
        with pytest.raises(Forbidden):
            desk.add_user(NORTH, NewUser("spy", Role.VIEWER, tenant, GOOD), NOON_MS)
        with pytest.raises(Forbidden):
            desk.add_token(NORTH, NewToken("spy", Role.VIEWER, tenant), NOON_MS)
    with pytest.raises(Forbidden):
        desk.change_user(NORTH, "mine", UserChange(tenant=""), NOON_MS)
    desk.add_user(NORTH, NewUser("friend", Role.VIEWER, "north", GOOD), NOON_MS)


def test_only_administrators_manage_users(desk: Desk) -> None:
    made(desk)
    with pytest.raises(Forbidden, match="this needs administrator"):
        desk.reset_password(Identity("boss", Role.SUPERVISOR), "zhang", None, NOON_MS)


# -- passwords and sessions


def test_a_changed_password_ends_the_other_sessions(desk: Desk) -> None:
    made(desk)
    here, cookie = come_in(desk)
    _, elsewhere = come_in(desk)
    desk.change_password(here, GOOD, "mountain-ferry-77", NOON_MS)
    assert desk.visit(cookie, NOON_MS) is not None
    assert desk.visit(elsewhere, NOON_MS) is None
    assert desk.passwords.fits(desk.password_of("zhang"), "mountain-ferry-77")


def test_a_password_is_changed_by_who_knows_it_to_a_better_one(desk: Desk) -> None:
    made(desk)
    visit, _ = come_in(desk)
    with pytest.raises(Denied):
        desk.change_password(visit, "not that one", "mountain-ferry-77", NOON_MS)
    for new in (GOOD, "short"):
        with pytest.raises(CitywardenError):
            desk.change_password(visit, GOOD, new, NOON_MS)
    assert desk.passwords.fits(desk.password_of("zhang"), GOOD)


def test_a_reset_password_has_to_be_changed(desk: Desk) -> None:
    made(desk)
    _, cookie = come_in(desk)
    given = desk.reset_password(ROOT, "zhang", None, NOON_MS)
    assert given is not None
    assert desk.visit(cookie, NOON_MS) is None
    visit, _ = come_in(desk)
    assert visit.user.must_change
    desk.change_password(visit, given, GOOD, NOON_MS)
    assert not desk.user(ROOT, "zhang").must_change


def test_a_session_ends_by_idling_and_by_age(engine: Engine) -> None:
    desk = Desk(engine, terms=Terms(idle_ms=HOUR_MS, longest_ms=3 * HOUR_MS))
    made(desk)
    _, cookie = come_in(desk)
    assert desk.visit(cookie, NOON_MS + HOUR_MS - 1) is not None, "and that counts as being seen"
    assert desk.visit(cookie, NOON_MS + 2 * HOUR_MS - 2) is not None
    assert desk.visit(cookie, NOON_MS + 3 * HOUR_MS - 3) is not None
    assert desk.visit(cookie, NOON_MS + 3 * HOUR_MS) is None, "a session has an end however busy it is"
    _, another = come_in(desk, now_ms=NOON_MS)
    assert desk.visit(another, NOON_MS + HOUR_MS) is None


def test_the_database_cannot_be_used_to_come_in(engine: Engine, desk: Desk) -> None:
    made(desk)
    _, cookie = come_in(desk)
    _, secret = desk.add_token(ROOT, NewToken("crm", Role.VIEWER), NOON_MS)
    with engine.connect() as connection:
        for table in ("access_user", "access_session", "access_token", "audit"):
            kept = str(connection.execute(text(f"SELECT * FROM {table}")).all())
            for hidden in (cookie, secret, secret.rpartition("_")[2], GOOD):
                assert hidden not in kept


def test_one_leaves_here_or_everywhere(desk: Desk) -> None:
    made(desk)
    first, _ = come_in(desk)
    second, kept = come_in(desk)
    desk.logout(first, NOON_MS)
    assert desk.visit(kept, NOON_MS) is not None
    assert len(desk.sessions("zhang", NOON_MS)) == 1
    desk.logout(second, NOON_MS, everywhere=True)
    assert desk.sessions("zhang", NOON_MS) == []


def test_another_session_is_ended_by_its_name_and_nobody_elses(desk: Desk) -> None:
    made(desk)
    made(desk, "li")
    here, cookie = come_in(desk)
    _, lis = come_in(desk, "li")
    (note,) = desk.sessions("li", NOON_MS)
    with pytest.raises(NotFound):
        desk.end_session(here, note.id, NOON_MS)
    with pytest.raises(NotFound):
        desk.end_session(here, "", NOON_MS)
    assert desk.visit(lis, NOON_MS) is not None
    desk.end_session(here, here.session[:12], NOON_MS)
    assert desk.visit(cookie, NOON_MS) is None


# -- tokens


def test_a_token_is_recognised_until_it_is_revoked(desk: Desk) -> None:
    token, shown = desk.add_token(ROOT, NewToken("crm", Role.DISPATCHER, "north", ("alerts:write",)), NOON_MS)
    assert shown.startswith("cw_")
    found = desk.recognise(shown, NOON_MS)
    assert found is not None
    assert (found.identity.name, found.identity.tenant, found.scopes) == ("token:crm", "north", ("alerts:write",))
    assert desk.tokens(ROOT)[0].used_ms == NOON_MS
    desk.revoke_token(ROOT, "crm", NOON_MS + 1)
    assert desk.recognise(shown, NOON_MS + 2) is None
    assert desk.tokens(NORTH)[0].revoked_ms == NOON_MS + 1
    assert actions(desk) == ["token.add", "token.revoke"]
    assert token.revoked_ms is None


@pytest.mark.parametrize("wrong", ["", "cw_", "cw_x_y", "Bearer", "cw_000000000000_" + "A" * 43])
def test_what_is_no_token_is_nobody(desk: Desk, wrong: str) -> None:
    desk.add_token(ROOT, NewToken("crm", Role.VIEWER), NOON_MS)
    assert desk.recognise(wrong, NOON_MS) is None


def test_a_token_with_another_secret_is_nobody(desk: Desk) -> None:
    _, shown = desk.add_token(ROOT, NewToken("crm", Role.VIEWER), NOON_MS)
    assert desk.recognise(shown[:-1] + ("A" if shown[-1] != "A" else "B"), NOON_MS) is None


def test_a_token_expires(desk: Desk) -> None:
    _, shown = desk.add_token(ROOT, NewToken("crm", Role.VIEWER, expires_ms=NOON_MS + HOUR_MS), NOON_MS)
    assert desk.recognise(shown, NOON_MS + HOUR_MS - 1) is not None
    assert desk.recognise(shown, NOON_MS + HOUR_MS) is None
    desk.add_token(ROOT, NewToken("crm", Role.VIEWER), NOON_MS + HOUR_MS)


def test_tokens_that_make_no_sense_are_refused(desk: Desk) -> None:
    for new, why in (
        (NewToken("a b", Role.VIEWER), "is no name"),
        (NewToken("crm", Role.VIEWER, scopes=("everything",)), "is no scope"),
        (NewToken("crm", Role.VIEWER, expires_ms=NOON_MS), "in the future"),
    ):
        with pytest.raises(CitywardenError, match=why):
            desk.add_token(ROOT, new, NOON_MS)


def test_a_tenant_does_not_revoke_anothers_token(desk: Desk) -> None:
    desk.add_token(ROOT, NewToken("south-crm", Role.VIEWER, "south"), NOON_MS)
    with pytest.raises(NotFound):
        desk.revoke_token(NORTH, "south-crm", NOON_MS)
    assert desk.tokens(NORTH) == []
