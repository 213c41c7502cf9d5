"""Broker URLs."""

import pytest

from ingest.endpoint import Endpoint, Tls, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", Endpoint("broker", 1883)),
        ("mqtt://broker:1884/", Endpoint("broker", 1884)),
        ("mqtts://broker", Endpoint("broker", 8883, tls=Tls())),
        ("mqtt://user@broker", Endpoint("broker", 1883, "user")),
        ("mqtt://us%40er:p%3Aw%2F@broker", Endpoint("broker", 1883, "us@er", "p:w/")),
        ("mqtt://user:@broker", Endpoint("broker", 1883, "user", "")),
        ("mqtt://[::1]:1884", Endpoint("::1", 1884)),
    ],
)
def test_good_urls(url: str, expected: Endpoint) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://broker", "mqtt://"),
        ("broker:1883", "mqtt://"),
        ("", "mqtt://"),
        ("mqtt://", "no host"),
        ("mqtt://:1883", "no host"),
        ("mqtt://broker:abc", "port"),
        ("mqtt://broker:0", "port"),
        ("mqtt://broker:70000", "port"),
        ("mqtt://broker/topic", "nothing may follow"),
        ("mqtt://broker?x=1", "nothing may follow"),
    ],
)
def test_bad_urls_say_what_is_wrong(url: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_url(url)


def test_files_and_passwords_beside_the_url() -> None:
    tls = Tls()
    assert parse_url("mqtts://u@broker", tls, "secret") == Endpoint("broker", 8883, "u", "secret", tls)
    with pytest.raises(ValueError, match="mqtts://"):
        parse_url("mqtt://broker", tls)
    with pytest.raises(ValueError, match="given twice") as error:
        parse_url("mqtt://u:first@broker", password="second")
    assert "first" not in str(error.value)


def test_a_password_is_not_shown() -> None:
    endpoint = parse_url("mqtt://user:secret@broker")
    assert str(endpoint) == "mqtt://broker:1883"
    assert "secret" not in repr(endpoint)
    assert str(Endpoint("::1", 1)) == "mqtt://[::1]:1"
