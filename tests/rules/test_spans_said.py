"""Spans as people read them."""

import pytest

from rules.spans import say_span


@pytest.mark.parametrize(
    ("span_ms", "chinese", "english"),
    [
        (30_000, "30 秒", "30 s"),
        (90_000, "90 秒", "90 s"),
        (600_000, "10 分钟", "10 min"),
        (7_200_000, "2 小时", "2 h"),
        (172_800_000, "2 天", "2 d"),
        (1500, "1.5 秒", "1.5 s"),
        (0, "0 秒", "0 s"),
    ],
)
def test_a_span_is_said_in_the_readers_language(span_ms: int, chinese: str, english: str) -> None:
    assert (say_span(span_ms, "zh"), say_span(span_ms, "en")) == (chinese, english)
