"""``maru key``, ``maru user``, ``maru chown``: what they print, and that a secret is printed once."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.cli.main import main
from maruhub.gateway.identity import FRESH_S, Keyring

Capture = pytest.CaptureFixture[str]

READ_ONLY = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}]}"""


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub with one bucket."""
    with maruhub.create(tmp_path / "hub", blades=2) as hub:
        hub.namespace.buckets.create("photos")
    monkeypatch.setenv("MARU_HUB", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "read-only.json"
    path.write_text(READ_ONLY)
    return path


def told(capsys: Capture, *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_key_is_issued_in_json(hub: Path, capsys: Capture) -> None:
    made = told(capsys, "key", "create", "ann", "--admin")
    assert made.keys() == {"access_key", "secret_key", "user", "admin"}
    assert (made["user"], made["admin"]) == ("ann", True)
    with maruhub.connect(hub) as opened:
        found = opened.users.find(made["access_key"])
        assert found is not None
        assert (found.secret.reveal(), found.admin) == (made["secret_key"], True)


def test_people_are_told_that_it_is_shown_once(capsys: Capture) -> None:
    assert main(["key", "create", "nightly", "--user", "ann"]) == 0
    printed = capsys.readouterr()
    assert "secret key  " in printed.out
    assert "shown this once" in printed.err
    [listed] = told(capsys, "key", "list")
    assert (listed["name"], listed["user"], listed["admin"]) == ("nightly", "ann", False)


def test_a_key_is_listed_disabled_enabled_rotated_and_deleted(capsys: Capture) -> None:
    made = told(capsys, "key", "create", "ann")
    told(capsys, "key", "create", "bob")
    key = made["access_key"]
    assert [listed["access_key"] for listed in told(capsys, "key", "list", "--user", "ann")] == [key]
    assert told(capsys, "key", "disable", key) == {"access_key": key, "enabled": False}
    assert main(["key", "list"]) == 0
    assert "disabled" in capsys.readouterr().out
    assert told(capsys, "key", "enable", key) == {"access_key": key, "enabled": True}
    again = told(capsys, "key", "rotate", key)
    assert again == made | {"secret_key": again["secret_key"]}
    assert again["secret_key"] != made["secret_key"]
    assert told(capsys, "key", "delete", key) == {"access_key": key, "deleted": True}
    assert [listed["user"] for listed in told(capsys, "key", "list")] == ["bob"]
    for what in ("disable", "enable", "rotate", "delete"):
        assert main(["key", what, key]) == 3
        capsys.readouterr()


def test_policies_are_read_before_they_are_kept(policy: Path, tmp_path: Path, capsys: Capture) -> None:
    made = told(capsys, "key", "create", "ann", "--policy", str(policy))
    assert told(capsys, "key", "list")[0]["policy"] == READ_ONLY
    assert told(capsys, "user", "policy", "ann") == {"user": "ann", "policy": None}
    assert told(capsys, "user", "policy", "ann", str(policy)) == {"user": "ann", "policy": READ_ONLY}
    for number, text in enumerate(("", "{}", READ_ONLY.replace("GetObject", "Fly"), "x" * 30_000, "\ud800")):
        wrong = tmp_path / f"wrong{number}"
        wrong.write_bytes(text.encode(errors="surrogatepass"))
        for words in (["key", "create", "eve", "--policy"], ["user", "policy", "ann"]):
            assert main([*words, str(wrong)]) == 2
            assert f"wrong{number} is no policy" in capsys.readouterr().err
    assert told(capsys, "user", "list") == [{"name": "ann", "admin": False, "policy": READ_ONLY}]
    assert told(capsys, "user", "policy", "ann", "--remove") == {"user": "ann", "policy": None}
    assert [listed["access_key"] for listed in told(capsys, "key", "list")] == [made["access_key"]]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (2, ["key", "create", "-"]),
        (2, ["key", "create", "a/b"]),
        (2, ["key", "create", "ann", "--user", "a b"]),
        (3, ["key", "create", "ann", "--policy", "/nonexistent"]),
        (3, ["user", "policy", "eve"]),
        (3, ["chown", "photos", "eve"]),
        (3, ["chown", "nothing", "ann"]),
        (2, ["chown", "photos"]),
        (2, ["chown", "photos", "ann", "--nobody"]),
        (2, ["chown", "photos/key", "ann"]),
    ],
)
def test_mistakes(status: int, words: list[str], capsys: Capture) -> None:
    told(capsys, "key", "create", "ann")
    assert main(words) == status
    assert len(told(capsys, "key", "list")) == 1


def test_a_bucket_is_given_and_taken(hub: Path, capsys: Capture) -> None:
    told(capsys, "key", "create", "ann")
    assert told(capsys, "chown", "photos", "ann") == {"bucket": "photos", "owner": "ann"}
    with maruhub.connect(hub) as opened:
        assert opened.namespace.buckets.get("photos").owner == "ann"
    assert told(capsys, "chown", "maru://photos", "--nobody") == {"bucket": "photos", "owner": ""}


def test_a_secret_is_printed_once_and_stands_in_no_file(hub: Path, policy: Path, capsys: Capture) -> None:
    secrets = [told(capsys, "key", "create", "ann")["secret_key"]]
    key = told(capsys, "key", "list")[0]["access_key"]
    secrets.append(told(capsys, "key", "rotate", key)["secret_key"])
    commands = [
        ["key", "list"], ["user", "list"], ["key", "disable", key], ["key", "enable", key], ["status"],
        ["user", "policy", "ann", str(policy)], ["chown", "photos", "ann"], ["check"], ["gc"],
        ["check", "--rebuild-index"], ["key", "rotate", key[:-1]], ["key", "delete", key], ["key", "list"],
    ]  # fmt: skip
    for words in commands:
        for shape in ([], ["--json"]):
            main(["--debug", *words, *shape])
            printed = capsys.readouterr()
            assert [s for s in secrets if s in printed.out + printed.err] == [], words
    data = {path: path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    assert any(key.encode() in content for content in data.values())
    assert [path for path, content in data.items() for s in secrets if shows(content, s)] == []


def shows(data: bytes, secret: str) -> bool:
    """Whether bytes hold a secret as it is, or in base64 (at any of its three alignments), or in hex."""
    raw = secret.encode()
    coded = [base64.b64encode(raw[n : n + 36]) for n in range(3)]
    return any(form in data for form in (raw, *coded, raw.hex().encode()))


def test_a_key_disabled_by_another_process_is_refused_after_a_second(hub: Path, capsys: Capture) -> None:
    made = told(capsys, "key", "create", "ann")
    now = [10.0]
    with maruhub.connect(hub) as opened:
        ring = Keyring(opened.users, lambda: now[0])
        assert ring.secret(made["access_key"]) == made["secret_key"]
        words = [sys.executable, "-m", "maruhub", "key", "disable", made["access_key"]]
        subprocess.run(words, check=True, capture_output=True)
        now[0] += FRESH_S
        assert ring.secret(made["access_key"]) is None


def test_keys_work_after_the_hub_is_made_of_its_blades_again(
    hub: Path, tmp_path: Path, capsys: Capture
) -> None:
    made = told(capsys, "key", "create", "ann")
    new = tmp_path / "new"
    new.mkdir()
    (hub / "secrets.key").rename(new / "secrets.key")
    blades = [word for blade in sorted((hub / "blades").iterdir()) for word in ("--blade", str(blade))]
    assert main(["init", str(new), "--adopt", *blades]) == 0
    with maruhub.connect(new) as opened:
        found = opened.users.find(made["access_key"])
        assert found is not None
        assert found.secret.reveal() == made["secret_key"]


def test_a_rescue_gets_objects_out_past_keys_and_users(hub: Path, tmp_path: Path, capsys: Capture) -> None:
    told(capsys, "key", "create", "ann", "--admin")
    with maruhub.connect(hub) as opened:
        opened.bucket("photos")["a"] = b"bytes of a"
        opened.namespace.buckets.set_owner("photos", "ann")
    tool = Path(__file__).parents[3] / "tools" / "rescue.py"
    words = [sys.executable, str(tool), *map(str, (hub / "blades").iterdir()), str(tmp_path / "out")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "photos" / "a").read_bytes() == b"bytes of a"
