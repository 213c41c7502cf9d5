"""The chat robots of WeCom, DingTalk and Feishu: their bodies, signatures and answers.

Limits and signatures: domain.md section 7. The numbers of their answers are those users meet;
what is not named is tried again, so that a number unknown here loses nothing.
"""

import base64
import hashlib
import hmac

import orjson

from citywarden.alerts.letter import Letter, Request, clip, digest_lines, digest_title, lines, title
from citywarden.alerts.target import Target
from citywarden.alerts.verdicts import RobotCodes

WECOM_TEXT_BYTES = 2048
DINGTALK_TEXT_BYTES = 18_000
FEISHU_TEXT_BYTES = 18_000
"""Bodies of the latter two may have 20 kB."""

PER_MIN = 20
"""Messages a robot takes in a minute."""

WECOM_CODES = RobotCodes(("errcode",), frozenset({45009, 45033}), frozenset({40008, 40058, 44004, 45002}), 60.0)
DINGTALK_CODES = RobotCodes(("errcode",), frozenset({90018, 90030, 130101, 410100}), frozenset({40035, 460101}), 600.0)
FEISHU_CODES = RobotCodes(("code", "StatusCode"), frozenset({11232}), frozenset({9499, 19002}), 60.0)

_JSON = {"content-type": "application/json; charset=utf-8"}


def wecom(letter: Letter, target: Target, _now_ms: int) -> Request:
    """A text message. The key is part of the target's url."""
    content = clip(_said(letter, target), WECOM_TEXT_BYTES)
    return Request(orjson.dumps({"msgtype": "text", "text": {"content": content}}), _JSON)


def dingtalk(letter: Letter, target: Target, now_ms: int) -> Request:
    """A markdown message; signed in the query when the target has a secret."""
    text = clip(_said(letter, target), DINGTALK_TEXT_BYTES).replace("\n", "  \n")
    headline = digest_title(letter, target) if letter.digest else title(letter.notices[0], target)
    body = orjson.dumps({"msgtype": "markdown", "markdown": {"title": headline, "text": text}})
    if not target.secret:
        return Request(body, _JSON)
    signed = hmac.new(target.secret.encode(), f"{now_ms}\n{target.secret}".encode(), hashlib.sha256).digest()
    return Request(body, _JSON, {"timestamp": str(now_ms), "sign": base64.b64encode(signed).decode()})


def feishu(letter: Letter, target: Target, now_ms: int) -> Request:
    """A text message; signed in the body when the target has a secret."""
    body: dict[str, object] = {
        "msg_type": "text",
        "content": {"text": clip(_said(letter, target), FEISHU_TEXT_BYTES)},
    }
    if target.secret:
        now_s = now_ms // 1000
        key = f"{now_s}\n{target.secret}".encode()
        body |= {
            "timestamp": str(now_s),
            "sign": base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode(),
        }
    return Request(orjson.dumps(body), _JSON)


def _said(letter: Letter, target: Target) -> list[str]:
    return digest_lines(letter, target) if letter.digest else lines(letter.notices[0], target)
