"""Users and access keys over both stores; their secrets are nowhere but in the caller's hand."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import traceback
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import (
    AlreadyExists,
    Corrupt,
    InvalidInput,
    InvalidName,
    NotFound,
    ReadOnly,
    Refused,
    Unavailable,
)
from maruhub.namespace import Namespace
from maruhub.namespace.access_key import KEYS, USERS, NewKey, key_row, user_row
from maruhub.namespace.secret import Secret
from maruhub.namespace.users import Users
from maruhub.namespace.vault import Vault
from maruhub.store.protocol import Store, get, prefix_end, scan_all


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secrets.key")


@pytest.fixture
def users(store: Store, vault: Vault) -> Users:
    return Users(store, "ann@host", vault)


class TestKeys:
    def test_one_is_issued_and_found_with_its_secret(self, users: Users, store: Store):
        made = users.create_key("ann", policy='{"a": 1}', name="laptop")
        assert re.fullmatch("[A-Z0-9]{20}", made.access_key)
        assert re.fullmatch("[A-Za-z0-9]{40}", made.secret_key.reveal())
        found = users.find(made.access_key)
        assert found is not None
        assert (found.access_key, found.user, found.admin, found.enabled) == (
            made.access_key,
            "ann",
            False,
            True,
        )
        assert found.secret.reveal() == made.secret_key.reveal()
        assert (found.policy, found.user_policy) == ('{"a": 1}', None)
        row = get(store, key_row(made.access_key))
        assert row is not None
        assert (row.actor, found.created_us) == ("ann@host", row.time_us)
        assert [info.name for info in users.list()] == ["laptop"]

    def test_each_is_another(self, users: Users):
        made = [users.create_key("ann") for _ in range(20)]
        assert len({key.access_key for key in made}) == len({key.secret_key for key in made}) == 20

    @pytest.mark.parametrize("name", ["", "A" * 20, "a" * 20, "A" * 19, "Ä" * 20, "\ud800" * 20, "A\0" * 10])
    def test_what_nobody_has_is_not_found(self, users: Users, name: str):
        users.create_key("ann")
        assert users.find(name) is None
        for call in (users.disable, users.enable, users.rotate, users.delete):
            with pytest.raises(NotFound):
                call(name)

    def test_disable_and_enable(self, users: Users):
        made = users.create_key("ann", admin=True)
        for _ in range(2):
            users.disable(made.access_key)
            found = users.find(made.access_key)
            assert found is not None
            assert (found.enabled, found.admin, users.user("ann").admin) == (False, True, False)
        users.enable(made.access_key)
        found = users.find(made.access_key)
        assert found is not None
        assert (found.enabled, found.admin, users.user("ann").admin) == (True, True, True)

    def test_rotation_changes_the_secret_alone(self, users: Users):
        made = users.create_key("ann", admin=True, policy="{}", name="job")
        users.disable(made.access_key)
        before = users.list()
        again = users.rotate(made.access_key)
        assert (again.access_key, again.user, again.admin) == (made.access_key, "ann", True)
        assert again.secret_key != made.secret_key
        found = users.find(made.access_key)
        assert found is not None
        assert found.secret == again.secret_key
        assert users.list() == before

    def test_a_deleted_one_is_gone_its_user_is_not(self, users: Users):
        made, other = users.create_key("ann"), users.create_key("bob")
        users.delete(made.access_key)
        assert users.find(made.access_key) is None
        assert [info.access_key for info in users.list()] == [other.access_key]
        assert users.user("ann").name == "ann"

    def test_lists_of_all_and_of_one_user(self, users: Users):
        made = [users.create_key(name) for name in ("ann", "bob", "ann")]
        assert {info.access_key for info in users.list()} == {key.access_key for key in made}
        assert {info.access_key for info in users.list("ann")} == {made[0].access_key, made[2].access_key}
        assert users.list("eve") == []

    def test_known_is_returned_itself_until_a_row_changes(
        self, users: Users, monkeypatch: pytest.MonkeyPatch
    ):
        made = users.create_key("ann")
        known = users.find(made.access_key)
        assert known is not None
        with monkeypatch.context() as patched:
            patched.setattr(Vault, "decrypt", lambda *_: pytest.fail("decrypted without need"))
            assert users.find(made.access_key, known=known) is known
        users.set_user_policy("ann", "{}")
        changed = users.find(made.access_key, known=known)
        assert changed is not None
        assert changed.user_policy == "{}"
        users.disable(made.access_key)
        disabled = users.find(made.access_key, known=changed)
        assert disabled is not None
        assert not disabled.enabled
        users.delete(made.access_key)
        assert users.find(made.access_key, known=disabled) is None

    def test_a_row_keeps_what_a_later_release_put_there(self, users: Users, store: Store):
        made = users.create_key("ann")
        row = get(store, key_row(made.access_key))
        assert row is not None
        later = row.payload[:16] + json.dumps(json.loads(row.payload[16:]) | {"quota": 7}).encode()
        store.commit(lambda rows: rows.put(key_row(made.access_key), later))
        users.disable(made.access_key)
        row = get(store, key_row(made.access_key))
        assert row is not None
        assert json.loads(row.payload[16:])["quota"] == 7

    def test_a_key_that_is_there_is_never_replaced(self, users: Users, monkeypatch: pytest.MonkeyPatch):
        made = users.create_key("ann")
        monkeypatch.setattr("maruhub.namespace.users.new_access_key", lambda: made.access_key)
        with pytest.raises(AlreadyExists):
            users.create_key("bob")
        found = users.find(made.access_key)
        assert found is not None
        assert found.user == "ann"
        with pytest.raises(NotFound):
            users.user("bob")


class TestUsers:
    @pytest.mark.parametrize("name", ["ann", "A", "0", "ann@lab.example", "a" * 64, "a_b.c@d=e,f+g-h"])
    def test_names_that_may_be(self, users: Users, name: str):
        users.create_key(name)
        assert users.user(name).name == name

    @pytest.mark.parametrize(
        "name", ["", "a" * 65, "-a", "a b", "a/b", "ä", "a\n", "*", "a\0", "\ud800", "arn:x"]
    )
    def test_names_that_may_not(self, users: Users, store: Store, name: str):
        for call in (users.create_key, users.user, lambda n: users.set_user_policy(n, "{}")):
            with pytest.raises(InvalidName):
                call(name)
        with pytest.raises(InvalidName):
            users.create_key("ann", name=name or "?")
        assert (
            list(scan_all(store, KEYS, prefix_end(KEYS)))
            == list(scan_all(store, USERS, prefix_end(USERS)))
            == []
        )

    def test_a_policy_is_set_seen_and_taken_away(self, users: Users):
        made = users.create_key("ann")
        users.set_user_policy("ann", '{"x": "ä"}')
        assert users.user("ann").policy == '{"x": "ä"}'
        found = users.find(made.access_key)
        assert found is not None
        assert (found.policy, found.user_policy) == (None, '{"x": "ä"}')
        users.create_key("ann")
        assert users.user("ann").policy == '{"x": "ä"}', "another key left it alone"
        users.set_user_policy("ann", None)
        assert users.user("ann").policy is None

    def test_of_nobody(self, users: Users):
        with pytest.raises(NotFound):
            users.user("eve")
        with pytest.raises(NotFound):
            users.set_user_policy("eve", "{}")
        assert users.all() == ()

    def test_a_policy_too_long_for_a_row(self, users: Users):
        users.create_key("ann")
        with pytest.raises(InvalidInput):
            users.set_user_policy("ann", " " * 20_481)
        with pytest.raises(InvalidInput):
            users.create_key("ann", policy="ä" * 10_241)
        assert len(users.list()) == 1

    def test_all_by_name(self, users: Users):
        for name in ("bob", "ann", "Zoe"):
            users.create_key(name, admin=name == "bob")
        assert [(user.name, user.admin) for user in users.all()] == [
            ("Zoe", False),
            ("ann", False),
            ("bob", True),
        ]


class TestVault:
    def test_the_file_is_its_owners_alone_and_kept(self, users: Users, vault: Vault):
        users.create_key("ann")
        assert vault.path.stat().st_mode & 0o777 == 0o600
        key = vault.path.read_bytes()
        assert len(key) == 32
        users.create_key("ann")
        assert vault.path.read_bytes() == key
        assert [p.name for p in vault.path.parent.iterdir() if "secrets" in p.name] == ["secrets.key"]

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
    def test_a_file_that_others_reach_is_refused(self, users: Users, vault: Vault, mode: int):
        made = users.create_key("ann")
        vault.path.chmod(mode)
        with pytest.raises(Refused, match="chmod 600"):
            users.find(made.access_key)
        with pytest.raises(Refused, match="chmod 600"):
            users.create_key("ann")
        vault.path.chmod(0o600)
        assert users.find(made.access_key) is not None

    def test_without_the_file_keys_are_issued_anew(self, users: Users, vault: Vault):
        lost, other = users.create_key("ann"), users.create_key("bob")
        vault.path.unlink()
        with pytest.raises(Unavailable, match=r"is missing.*maru key rotate.*data are safe"):
            users.find(lost.access_key)
        assert not vault.path.exists(), "looking for a key makes no file"
        again = users.rotate(lost.access_key)
        found = users.find(lost.access_key)
        assert found is not None
        assert found.secret == again.secret_key
        with pytest.raises(Unavailable, match=r"another key file.*maru key rotate"):
            users.find(other.access_key)

    def test_a_secret_belongs_to_its_access_key(self, users: Users, store: Store):
        ann, bob = users.create_key("ann", admin=True), users.create_key("bob")
        row = get(store, key_row(bob.access_key))
        assert row is not None
        payload = row.payload
        store.commit(lambda rows: rows.put(key_row(ann.access_key), payload))
        with pytest.raises(Unavailable):
            users.find(ann.access_key)

    @pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
    def test_a_file_that_is_no_key(self, users: Users, vault: Vault, content: bytes):
        vault.path.write_bytes(content)
        vault.path.chmod(0o600)
        with pytest.raises(Corrupt):
            users.create_key("ann")

    def test_a_sealed_secret_cut_anywhere_is_an_error(self, vault: Vault):
        sealed = vault.encrypt(Secret("s" * 40), "A" * 20)
        for end in range(len(sealed)):
            with pytest.raises(Unavailable):
                vault.decrypt(sealed[:end], "A" * 20)
        assert vault.decrypt(sealed, "A" * 20).reveal() == "s" * 40

    def test_a_folder_that_takes_no_file(self, tmp_path: Path):
        with pytest.raises(ReadOnly):
            Vault(tmp_path / "absent" / "secrets.key").encrypt(Secret("s"), "A" * 20)

    def test_of_two_makers_one_wins_and_both_use_its_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        first, second = Vault(tmp_path / "k"), Vault(tmp_path / "k")
        link = os.link

        def overtaken(source: Path, target: Path) -> None:
            monkeypatch.setattr(os, "link", link)
            sealed.append(second.encrypt(Secret("second"), "b"))
            link(source, target)

        sealed: list[bytes] = []
        monkeypatch.setattr(os, "link", overtaken)
        sealed.append(first.encrypt(Secret("first"), "a"))
        fresh = Vault(tmp_path / "k")
        assert [fresh.decrypt(sealed[0], "b").reveal(), fresh.decrypt(sealed[1], "a").reveal()] == [
            "second",
            "first",
        ]


class TestOwners:
    def test_a_bucket_is_its_makers(self, store: Store, users: Users):
        ns = Namespace(store)
        users.create_key("ann")
        assert ns.buckets.create("mine", owner="ann").owner == "ann"
        assert ns.buckets.create("theirs").owner == ""
        assert ns.buckets.create("mine", owner="bob", exist_ok=True).owner == "ann"
        assert [(b.name, b.owner) for b in ns.buckets.all()] == [("mine", "ann"), ("theirs", "")]
        ns.buckets.set_delay("mine", 5)
        ns.buckets.delete("mine")
        assert ns.buckets.undelete("mine").owner == "ann"

    def test_it_can_be_given_away(self, store: Store, users: Users):
        ns = Namespace(store)
        users.create_key("ann")
        ns.buckets.create("photos")
        assert ns.buckets.set_owner("photos", "ann").owner == "ann"
        with pytest.raises(NotFound):
            ns.buckets.set_owner("photos", "eve")
        with pytest.raises(InvalidName):
            ns.buckets.create("other", owner="e ve")
        assert ns.buckets.get("photos").owner == "ann"
        assert ns.buckets.set_owner("photos", "").tail == {}


class TestSecrecy:
    def test_a_secret_shows_itself_nowhere(self, users: Users, vault: Vault):
        made = users.create_key("ann")
        found = users.find(made.access_key)
        assert found is not None
        shown = [
            made, found, made.secret_key, vars_of(made), users, vault, users.list(), users.user("ann"),
        ]  # fmt: skip
        text = " ".join(f"{each!r} {each!s} {each} " + "%s %r" % (each, each) for each in map(boxed, shown))  # noqa: UP031
        assert made.secret_key.reveal() not in text
        with pytest.raises(TypeError):
            json.dumps(made.secret_key)
        with pytest.raises(TypeError):
            pickle.dumps(made.secret_key)

    def test_errors_and_their_tracebacks_do_not_tell_it(self, users: Users, vault: Vault):
        made = users.create_key("ann")
        vault.path.chmod(0o644)
        with pytest.raises(Refused) as caught:
            users.rotate(made.access_key)
        secret = made.secret_key.reveal()
        assert secret not in "".join(traceback.format_exception(caught.value))

    def test_nothing_in_the_pool_or_its_index_tells_it(self, tmp_path: Path):
        folder = tmp_path / "hub"
        pool = compose.create_pool(folder, n=3, segment_bytes=4 << 20)
        users = Users(pool.store, "ann@host", Vault(folder / "secrets.key"))
        issued = [users.create_key("ann-the-user"), users.create_key("bob", policy="{}")]
        issued.append(users.rotate(issued[0].access_key))
        pool.close()
        key = (folder / "secrets.key").read_bytes()
        files = [p for p in folder.rglob("*") if p.is_file()]
        found = {p: p.read_bytes() for p in files}
        assert any(b"ann-the-user" in data for p, data in found.items() if "blades" in p.parts)
        assert any(b"ann-the-user" in data for p, data in found.items() if "index" in p.parts)
        for made in issued:
            assert [p for p, data in found.items() if shows(data, made.secret_key.reveal())] == []
        assert [p.name for p, data in found.items() if key in data] == ["secrets.key"]


def shows(data: bytes, secret: str) -> bool:
    """Whether bytes hold a secret as it is, or in base64 (at any of its three alignments), or in hex."""
    raw = secret.encode()
    coded = [base64.b64encode(raw[n : n + 36]) for n in range(3)]
    return any(form in data for form in (raw, *coded, raw.hex().encode()))


def vars_of(key: NewKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in key.__slots__}


def boxed(value: object) -> tuple[object]:
    return (value,)


def test_keys_and_users_survive_a_rebuilt_index_and_reclaim(tmp_path: Path):
    from maruhub.api import connect, create

    with create(tmp_path / "hub", blades=3) as hub:
        made = hub.users.create_key("ann", policy="{}")
        hub.users.set_user_policy("ann", '{"of": "ann"}')
        gone = hub.users.create_key("bob")
        hub.users.delete(gone.access_key)
        hub.bucket("photos")["a"] = b"a"
        hub.namespace.buckets.set_owner("photos", "ann")
        before = hub.users.find(made.access_key)
        rows = [get(hub.store, key).raw for key in (key_row(made.access_key), user_row("ann"))]  # type: ignore[union-attr]
    with connect(tmp_path / "hub") as hub:
        hub.reclaim.expire()
        assert hub.check(rebuild_index=True).ok
        hub.reclaim.expire()
        assert hub.users.find(made.access_key) == before
        assert hub.users.find(gone.access_key) is None
        assert hub.namespace.buckets.get("photos").owner == "ann"
        assert [get(hub.store, key).raw for key in (key_row(made.access_key), user_row("ann"))] == rows  # type: ignore[union-attr]
