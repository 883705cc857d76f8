"""Who guesses waits, whoever has the secret doesn't, and memory is bounded."""

from __future__ import annotations

import pytest

from maruhub.gateway import guessing
from maruhub.gateway.guessing import CLIENT_FAILURES_MAX, KEY_FAILURES_MAX, WINDOW_S, Guesses
from maruhub.gateway.s3.failure import S3Failure

KEY = "A" * 20
OTHER = "B" * 20


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guesses(clock: Clock) -> Guesses:
    return Guesses(clock)


def fail(guesses: Guesses, times: int, client: str = "192.0.2.1", key: str = KEY) -> None:
    for _ in range(times):
        guesses.failed(client, key)


def test_a_client_is_refused_after_so_many_and_until_the_window_ends(guesses: Guesses, clock: Clock):
    fail(guesses, CLIENT_FAILURES_MAX - 1)
    assert guesses.allowed("192.0.2.1", KEY)
    fail(guesses, 1)
    assert not guesses.allowed("192.0.2.1", KEY)
    assert not guesses.allowed("192.0.2.1", OTHER), "with another key neither"
    assert guesses.allowed("192.0.2.2", KEY), "another client is"
    clock.now += WINDOW_S - 0.1
    assert not guesses.allowed("192.0.2.1", KEY)
    clock.now += 0.1
    assert guesses.allowed("192.0.2.1", KEY)
    fail(guesses, 1)
    assert guesses.allowed("192.0.2.1", KEY), "a new window began"


def test_refusal_is_s3s_own(guesses: Guesses):
    guesses.check("192.0.2.1", KEY)
    fail(guesses, CLIENT_FAILURES_MAX)
    with pytest.raises(S3Failure) as caught:
        guesses.check("192.0.2.1", KEY)
    assert (caught.value.code, caught.value.status) == ("SlowDown", 503)


def test_a_key_guessed_at_from_everywhere_is_closed_but_for_who_has_its_secret(
    guesses: Guesses, clock: Clock
):
    guesses.succeeded("198.51.100.7", KEY)
    for n in range(KEY_FAILURES_MAX):
        assert guesses.allowed("203.0.113.1", KEY)
        fail(guesses, 1, client=f"192.0.2.{n}")
    assert not guesses.allowed("203.0.113.1", KEY)
    assert guesses.allowed("203.0.113.1", OTHER)
    assert guesses.allowed("198.51.100.7", KEY)
    clock.now += WINDOW_S
    assert guesses.allowed("203.0.113.1", KEY)


def test_success_resets(guesses: Guesses):
    fail(guesses, CLIENT_FAILURES_MAX - 1)
    guesses.succeeded("192.0.2.1", KEY)
    fail(guesses, CLIENT_FAILURES_MAX - 1)
    assert guesses.allowed("192.0.2.1", KEY)


def test_who_signs_wrongly_again_is_no_longer_spared(guesses: Guesses):
    guesses.succeeded("192.0.2.1", KEY)
    fail(guesses, CLIENT_FAILURES_MAX)
    assert not guesses.allowed("192.0.2.1", KEY)


def test_ones_own_success_does_not_reset_anothers_key(guesses: Guesses):
    for _ in range(KEY_FAILURES_MAX):
        fail(guesses, 1)
        guesses.succeeded("192.0.2.1", OTHER)
    assert not guesses.allowed("192.0.2.1", KEY)


def test_addresses_of_one_network_of_ipv6_count_as_one(guesses: Guesses):
    for n in range(CLIENT_FAILURES_MAX):
        fail(guesses, 1, client=f"2001:db8:1:2::{n:x}")
    assert not guesses.allowed("2001:db8:1:2:ffff::1", KEY)
    assert guesses.allowed("2001:db8:1:3::1", KEY)
    fail(guesses, CLIENT_FAILURES_MAX, client="::ffff:192.0.2.9")
    assert not guesses.allowed("192.0.2.9", KEY)
    assert guesses.allowed("::ffff:192.0.2.10", KEY)


@pytest.mark.parametrize("client", ["", ":", "fe80::1%eth0", "::g", "x" * 10_000, "\ud800"])
def test_any_text_is_an_address(guesses: Guesses, client: str):
    fail(guesses, CLIENT_FAILURES_MAX, client=client, key=client)
    assert not guesses.allowed(client, client)
    guesses.succeeded(client, client)
    assert guesses.allowed(client, client)


def test_memory_is_bounded(guesses: Guesses, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guessing, "ENTRIES_MAX", 100)
    fail(guesses, CLIENT_FAILURES_MAX, client="192.0.2.1")
    for n in range(1000):
        fail(guesses, 1, client=f"client {n}" * 100, key=f"key {n}" * 100)
        guesses.succeeded(f"good {n}", f"key {n}")
        if n % 50 == 0:
            fail(guesses, 1, client="192.0.2.1")
    sizes = [len(table) for table in (guesses._clients, guesses._keys, guesses._proven)]
    assert max(sizes) <= 100
    longest = max(len(name) for table in (guesses._clients, guesses._keys) for name in table)
    assert longest <= 64
    assert not guesses.allowed("192.0.2.1", KEY), "who goes on failing is not forgotten"
