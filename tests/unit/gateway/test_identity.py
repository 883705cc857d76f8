"""The ring of keys: as the hub has them, within a second, without asking each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub.errors import Unavailable
from maruhub.gateway import identity
from maruhub.gateway.identity import FRESH_S, Keyring
from maruhub.namespace.users import Users
from maruhub.namespace.vault import Vault
from maruhub.testing.memory_store import MemoryStore


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


class Counting(MemoryStore):
    """A store that counts look-ups."""

    asked = 0

    def get_many(self, keys):
        self.asked += 1
        return super().get_many(keys)


@pytest.fixture
def store() -> Counting:
    return Counting()


@pytest.fixture
def users(store: Counting, tmp_path: Path) -> Users:
    return Users(store, "", Vault(tmp_path / "secrets.key"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(users: Users, clock: Clock) -> Keyring:
    return Keyring(users, clock)


def test_a_key_is_looked_up_once_a_second_and_decrypted_once(
    ring: Keyring, users: Users, store: Counting, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    made = users.create_key("ann")
    assert ring.secret(made.access_key) == made.secret_key.reveal()
    monkeypatch.setattr(Vault, "decrypt", lambda *_: pytest.fail("decrypted again"))
    before = store.asked
    for _ in range(100):
        assert ring.secret(made.access_key) == made.secret_key.reveal()
    assert store.asked == before
    clock.now += FRESH_S
    for _ in range(100):
        assert ring.key(made.access_key) == users.find(made.access_key, known=ring.key(made.access_key))
        break
    assert store.asked == before + 2, "one of the ring's, one of this test's"


@pytest.mark.parametrize("change", ["disable", "delete"])
def test_what_is_no_longer_valid_is_refused_after_a_second(
    ring: Keyring, users: Users, clock: Clock, change: str
):
    made = users.create_key("ann")
    assert ring.key(made.access_key) is not None
    getattr(users, change)(made.access_key)
    clock.now += FRESH_S
    assert ring.key(made.access_key) is None
    assert ring.secret(made.access_key) is None
    if change == "disable":
        users.enable(made.access_key)
        clock.now += FRESH_S
        assert ring.secret(made.access_key) == made.secret_key.reveal()


def test_a_new_secret_and_a_new_policy_count_after_a_second(ring: Keyring, users: Users, clock: Clock):
    made = users.create_key("ann")
    assert ring.key(made.access_key) is not None
    again = users.rotate(made.access_key)
    users.set_user_policy("ann", "{}")
    clock.now += FRESH_S
    assert ring.secret(made.access_key) == again.secret_key.reveal()
    key = ring.key(made.access_key)
    assert key is not None
    assert key.user_policy == "{}"


def test_keys_that_nobody_has_take_little_memory(ring: Keyring, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(identity, "ABSENT_MAX", 50)
    for n in range(200):
        assert ring.secret(f"{n:A>20}") is None
        assert ring.secret("x" * n) is None
    assert ring._held == {}
    assert len(ring._absent) == 50
    assert {len(name) for name in ring._absent} == {20}


def test_a_key_that_nobody_has_is_looked_up_once_a_second(ring: Keyring, store: Counting, clock: Clock):
    for _ in range(3):
        assert ring.key("A" * 20) is None
    assert store.asked == 1
    clock.now += FRESH_S
    assert ring.key("A" * 20) is None
    assert store.asked == 2


def test_a_key_that_nobody_had_is_found_a_second_after_it_is_there(
    ring: Keyring, users: Users, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("maruhub.namespace.users.new_access_key", lambda: "A" * 20)
    assert ring.key("A" * 20) is None
    users.create_key("ann")
    clock.now += FRESH_S
    assert ring.key("A" * 20) is not None


def test_a_secret_that_can_not_be_decrypted_is_an_error(ring: Keyring, users: Users, tmp_path: Path):
    made = users.create_key("ann")
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(Unavailable):
        ring.secret(made.access_key)


def test_the_ring_shows_no_secret(ring: Keyring, users: Users):
    made = users.create_key("ann")
    ring.key(made.access_key)
    assert made.secret_key.reveal() not in f"{ring!r} {vars(ring)!r}"


def test_keys_that_are_used_no_more_are_not_held_for_ever(
    ring: Keyring, users: Users, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """One made for each job, and deleted after it, left its secret and its policy in every worker."""
    monkeypatch.setattr(identity, "HELD_MAX", 3)
    first = users.create_key("ann")
    for _ in range(5):
        made = users.create_key("ann")
        assert ring.secret(made.access_key) == made.secret_key.reveal()
        clock.now += FRESH_S
        assert ring.secret(first.access_key) == first.secret_key.reveal()
        users.delete(made.access_key)
    assert len(ring._held) == 3
    assert first.access_key in ring._held
