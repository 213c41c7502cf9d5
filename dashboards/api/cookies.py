"""The cookie of a session."""

from starlette.responses import Response

SESSION = "cw_session"


def set_session(answer: Response, cookie: str, secure: bool) -> None:
    """Have the browser keep a session: not for scripts, not for other sites, and only over TLS where there is TLS."""
    answer.set_cookie(SESSION, cookie, httponly=True, samesite="lax", secure=secure, path="/")


def clear_session(answer: Response) -> None:
    """Have the browser forget it."""
    answer.delete_cookie(SESSION, path="/", httponly=True, samesite="lax")
