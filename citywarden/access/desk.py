"""Users, sessions and tokens as commands use them: every call is one transaction, with the time passed in."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, Engine

from citywarden.access import sessions, tokens, tries, users
from citywarden.access.heads import Heads
from citywarden.access.passwords import Passwords, generate, weakness
from citywarden.access.record import Record, enter
from citywarden.access.sessions import Terms
from citywarden.model.access import Denied, NewToken, NewUser, SessionNote, Token, User, UserChange, Visit
from citywarden.model.errors import CitywardenError, NotFound
from citywarden.model.identity import Identity


class Desk(Record):
    """Who may come in, in the server's database, and its record. What `who` does is recorded; what `who` may not
    raises Forbidden. `unit_of`: the whole name of a unit that people call by a part of it.
    """

    def __init__(
        self, engine: Engine, passwords: Passwords | None = None, terms: Terms | None = None,
        unit_of: Callable[[str], str] = str.strip, heads: Heads | None = None,
    ) -> None:  # fmt: skip
        super().__init__(engine, heads)
        self._unit_of = unit_of
        self.passwords = passwords or Passwords()
        self.terms = terms or Terms()

    # users

    def users(self, who: Identity) -> list[User]:
        return self._do(lambda c: users.every(c, who.tenant))

    def user(self, who: Identity, name: str) -> User:
        """Raises NotFound, also for a user that `who` does not manage."""
        return self._do(lambda c: _managed(c, who, name))

    def units(self, tenant: str | None) -> list[str]:
        """The units that somebody belongs to (who may see that tenant)."""
        return self._do(lambda c: users.units(c, tenant))

    def count(self) -> int:
        return self._do(users.count)

    def add_user(self, who: Identity, new: NewUser, now_ms: int) -> tuple[User, str | None]:
        """Make a user; returns the generated password when none was given, which has to be changed."""
        users.check_manages(who, new.role, new.tenant)
        new = replace(new, unit=self._unit_of(new.unit))
        given = generate() if new.password is None else new.password
        _check(given, new.name)
        kept, once = self.passwords.hash(given), new.password is None

        def work(connection: Connection) -> User:
            user = users.add(connection, new, kept, once, who.name, now_ms)
            said = f"role {user.role}, tenant {user.tenant or 'every'}{f', unit {user.unit}' if user.unit else ''}"
            enter(connection, who, "user.add", user.name, said, now_ms)
            return user

        return self._change(work), given if once else None

    def change_user(self, who: Identity, name: str, change: UserChange, now_ms: int) -> User:
        """Change role, tenant, unit or whether the user may come in; that ends the user's sessions."""
        if change.unit is not None:
            change = replace(change, unit=self._unit_of(change.unit))

        def work(connection: Connection) -> User:
            before = _managed(connection, who, name)
            wanted = users.changed(before, change)
            after = replace(before, role=change.role or before.role)
            tenant = before.tenant if change.tenant is None else change.tenant or None
            users.check_manages(who, after.role, tenant)
            users.check_tenant(tenant)
            users.check_unit(before.unit if change.unit is None else change.unit, after.role)
            user = users.apply(connection, name, wanted)
            if wanted:
                sessions.end_of_user(connection, name)
                said = ", ".join(f"{column} {_told(column, value)}" for column, value in wanted.items())
                enter(connection, who, "user.change", name, said, now_ms)
            return user

        return self._change(work)

    def remove_user(self, who: Identity, name: str, now_ms: int) -> None:
        """Take a user away, and every session; what the user did stays in the record."""

        def work(connection: Connection) -> None:
            _managed(connection, who, name)
            sessions.end_of_user(connection, name)
            users.remove(connection, name)
            enter(connection, who, "user.remove", name, "", now_ms)

        self._change(work)

    def reset_password(self, who: Identity, name: str, password: str | None, now_ms: int) -> str | None:
        """Give a user a password (returned when it was generated) that has to be changed; ends every session."""
        given = generate() if password is None else password
        _check(given, name)
        kept = self.passwords.hash(given)

        def work(connection: Connection) -> None:
            _managed(connection, who, name)
            users.set_password(connection, name, kept, once=True)
            sessions.end_of_user(connection, name)
            enter(connection, who, "user.password", name, "reset", now_ms)

        self._change(work)
        return given if password is None else None

    # passwords and sessions of oneself

    def take_try(self, name: str, address: str, now_ms: int) -> int:
        """Take one try to log in; returns 0, or the ms to wait, and then nothing was taken."""
        return self._do(lambda c: tries.take(c, name, address, now_ms))

    def forgive_try(self, name: str, address: str) -> None:
        """That was the right password."""
        self._do(lambda c: tries.forgive(c, name, address))

    def password_of(self, name: str) -> str | None:
        """The kept hash of somebody who may come in."""
        return self._do(lambda c: users.password_of(c, name))

    def let_in(self, name: str, address: str, agent: str, now_ms: int) -> tuple[User, str]:
        """Begin a session of somebody whose password was right; returns its cookie."""

        def work(connection: Connection) -> tuple[User, str]:
            sessions.sweep(connection, now_ms, self.terms)
            users.note_login(connection, name, now_ms)
            user = users.get(connection, name)
            cookie = sessions.begin(connection, name, address, agent, now_ms, self.terms)
            enter(connection, replace(user.identity, source=address), "login", name, "", now_ms)
            return user, cookie

        return self._change(work)

    def rehash(self, name: str, password: str) -> None:
        """Keep a password with as much work as is usual now."""
        kept = self.passwords.hash(password)
        self._do(lambda c: users.set_password(c, name, kept, once=users.get(c, name).must_change))

    def change_password(self, visit: Visit, old: str, new: str, now_ms: int) -> None:
        """Change one's own password; ends every other session of one's own. Raises Denied, CitywardenError."""
        name = visit.user.name
        if not self.passwords.fits(self.password_of(name), old):
            raise Denied("the present password is another", "当前密码不正确")
        _check(new, name)
        if new == old:
            raise CitywardenError("the new password is the old one", "新密码与当前密码相同")
        kept = self.passwords.hash(new)

        def work(connection: Connection) -> None:
            users.set_password(connection, name, kept, once=False)
            sessions.end_of_user(connection, name, keep=visit.session)
            enter(connection, visit.who, "user.password", name, "changed", now_ms)

        self._change(work)

    def visit(self, cookie: str, now_ms: int) -> Visit | None:
        """Whose session a cookie opens."""
        digest = sessions.digest_of(cookie)
        user = self._do(lambda c: sessions.find(c, digest, now_ms, self.terms))
        return None if user is None else Visit(digest, user, sessions.csrf_of(cookie))

    def sessions(self, name: str, now_ms: int) -> list[SessionNote]:
        return self._do(lambda c: sessions.of_user(c, name, now_ms, self.terms))

    def logout(self, visit: Visit, now_ms: int, everywhere: bool = False) -> None:
        name = visit.user.name

        def work(connection: Connection) -> None:
            if everywhere:
                sessions.end_of_user(connection, name)
            else:
                sessions.end(connection, visit.session)
            enter(connection, visit.who, "logout", name, "everywhere" if everywhere else "", now_ms)

        self._change(work)

    def end_session(self, visit: Visit, shown: str, now_ms: int) -> None:
        """End one of one's own sessions, by its id for people. Raises NotFound."""
        name = visit.user.name

        def work(connection: Connection) -> None:
            if not shown or not sessions.end_of_user(connection, name, shown=shown):
                raise NotFound(f"no session {shown!r}")
            enter(connection, visit.who, "logout", name, f"session {shown}", now_ms)

        self._change(work)

    # tokens

    def tokens(self, who: Identity) -> list[Token]:
        return self._do(lambda c: tokens.every(c, who.tenant))

    def add_token(self, who: Identity, new: NewToken, now_ms: int) -> tuple[Token, str]:
        """Make a token; returns it and its text, which cannot be had again."""
        users.check_manages(who, new.role, new.tenant)
        new = replace(new, unit=self._unit_of(new.unit))

        def work(connection: Connection) -> tuple[Token, str]:
            token, text = tokens.add(connection, new, who.name, now_ms)
            said = (
                f"{token.id}, role {token.role}, tenant {token.tenant or 'every'}, "
                f"{' '.join(token.scopes) or 'any scope'}{f', unit {token.unit}' if token.unit else ''}"
            )
            enter(connection, who, "token.add", token.name, said, now_ms)
            return token, text

        return self._change(work)

    def revoke_token(self, who: Identity, name_or_id: str, now_ms: int) -> Token:
        """Raises NotFound."""

        def work(connection: Connection) -> Token:
            token = tokens.get(connection, name_or_id, now_ms)
            if who.tenant is not None and token.tenant != who.tenant:
                raise NotFound(f"no token {name_or_id!r}")
            users.check_manages(who, token.role, token.tenant)
            tokens.revoke(connection, token.id, now_ms)
            enter(connection, who, "token.revoke", token.name, token.id, now_ms)
            return replace(token, revoked_ms=now_ms)

        return self._change(work)

    def recognise(self, text: str, now_ms: int) -> Token | None:
        """The good token whose text that is."""
        return self._do(lambda c: tokens.recognise(c, text, now_ms))


def _told(column: str, value: object) -> object:
    """A column's new value, for the record."""
    return "every" if value is None else "none" if column == "unit" and not value else value


def _managed(connection: Connection, who: Identity, name: str) -> User:
    user = users.get(connection, name)
    if who.tenant is not None and user.tenant != who.tenant:
        raise NotFound(f"no user {name!r}")
    users.check_manages(who, user.role, user.tenant)
    return user


def _check(password: str, name: str) -> None:
    if (what := weakness(password, name)) is not None:
        raise CitywardenError(*what)
