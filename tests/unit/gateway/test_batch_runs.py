"""Calls on runs: each user's runs are their own, and what they tell of data only its readers see."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from maruhub.api.hub import Hub
from maruhub.gateway.batch.calls.claims import EPOCHS_MAX
from maruhub.gateway.batch.door import PREFIX, BatchDoor
from maruhub.gateway.head import Head
from maruhub.gateway.need import Need
from maruhub.lab.run import Run
from maruhub.store.protocol import Store
from tests.bare_hub import bare_hub


@dataclass
class Users:
    """Users of a door, each with rights as (action, dataset) pairs; ListBucket has everyone."""

    door: BatchDoor
    rights: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def ask(self, actor: str, name: str, **arguments: Any) -> Any:
        """A call's result; of an error its code."""

        def allowed(need: Need) -> bool:
            return (
                need.action == "s3:ListBucket" or (need.action, need.key.split("/")[0]) in self.rights[actor]
            )

        request = json.dumps({"call": name, "arguments": arguments}).encode()
        answer = self.door.answer(Head("POST", f"{PREFIX}call", "", ()), request, allowed, actor=actor)
        told = json.loads(answer.body)  # type: ignore[arg-type]
        return told["error"] if "error" in told else told["result"]


TRAINS = {("maru:Train", "cats"), ("s3:GetObject", "cats")}


@pytest.fixture
def hub(store: Store) -> Hub:
    hub = bare_hub(store)
    for bucket, dataset in (("photos", "cats"), ("scans", "secret")):
        hub.bucket(bucket).put_many({f"{bucket}{i}": f"bytes {i}".encode() for i in range(50)})
        hub.dataset(dataset).commit(bucket).save()
    return hub


@pytest.fixture
def users(hub: Hub) -> Users:
    return Users(BatchDoor(hub), {"ann": TRAINS, "bob": set(), "root": {("maru:Admin", "")}})


def start(users: Users, hub: Hub, actor: str = "ann", id: str = "0" * 20, **more: Any) -> Any:
    run = {"id": id, "name": "r", "view": hub.version("cats").digest, "started_us": 1, **more}
    return users.ask(actor, "run.start", run=run)


def claimed(hub: Hub, *reads: list[Any], dataset: str = "cats", **more: Any) -> dict[str, Any]:
    digest = hub.version(dataset).digest
    told = {"view": digest, "size": 50, "purpose": "train", "exact": True, "number": 1, "reads": [*reads]}
    return {"run": "0" * 20, "recorder": "a" * 16, "claim": {**told, **more}}


def test_a_run_is_its_users(hub: Hub, users: Users) -> None:
    users.rights["bob"] = TRAINS
    for _ in range(2):  # the second time as if the first answer had been lost
        assert start(users, hub)["actor"] == "ann"
    assert len(list(hub.runs.infos())) == 1
    mine = claimed(hub, [3, 0, 0, 0, 8])
    run, writer = {"run": "0" * 20}, "a" * 16
    assert start(users, hub, "bob")["code"] == "Refused"
    for name, arguments in (
        ("run.claim", mine),
        ("run.end", {**run, "state": "finished"}),
        ("run.add_points", {**run, "writer": writer, "number": 0, "points": [[0, {"loss": 1}]]}),
        ("run.evaluate", {**run, "source": {"dataset": "cats"}, "metrics": {"a": 1}}),
    ):
        assert users.ask("bob", name, **arguments)["code"] == "Refused", name
    assert hub.runs.get("0" * 20).reads() == []
    assert hub.runs.get("0" * 20).state == "running"
    assert users.ask("ann", "run.claim", **mine) is None
    assert users.ask("bob", "run.claims", **run) == [mine["claim"]]


@pytest.mark.parametrize(
    "span",
    [
        [3, 10**15, 0, 0, 8],
        [3, -1, 0, 0, 8],
        [3, 0, 0, 8, 0],
        [3, 0, 0, 0, 51],
        [3, 0, 0, -1, 8],
        [1 << 64, 0, 0, 0, 8],
        [-1, 0, 0, 0, 8],
        [3, 1 << 63, 1 << 63, 0, 8],
        [3, 0, 0, 0],
        [3, 0, 0, 0, 1.0],
        "spans",
    ],
)
def test_each_span_of_a_claim_is_checked(hub: Hub, users: Users, span: Any) -> None:
    start(users, hub)
    assert users.ask("ann", "run.claim", **claimed(hub, span))["code"] == "InvalidInput"
    assert hub.runs.get("0" * 20).reads() == []


def test_a_metric_too_large_for_a_number_is_refused(hub: Hub, users: Users) -> None:
    start(users, hub)
    points = {"writer": "a" * 16, "number": 0, "points": [[0, {"loss": 10**400}]]}
    assert users.ask("ann", "run.add_points", run="0" * 20, **points)["code"] == "InvalidInput"
    figures = {"source": {"dataset": "cats"}, "metrics": {"accuracy": 10**400}}
    assert users.ask("ann", "run.evaluate", run="0" * 20, **figures)["code"] == "InvalidInput"


def test_the_epochs_of_a_claim_are_bounded_before_they_are_unfolded(hub: Hub, users: Users) -> None:
    start(users, hub)
    for reads in (
        [[3, 0, EPOCHS_MAX, 0, 8]],
        [[3, 0, EPOCHS_MAX - 1, 0, 8], [3, 0, 0, 10, 12]],
        [[3, 0, 1 << 60, 0, 8]],
    ):
        assert users.ask("ann", "run.claim", **claimed(hub, *reads))["code"] == "Refused"
    # What ends before it begins doesn't make room for more.
    lifted = claimed(hub, [3, 10**15, 0, 0, 8], [3, 0, 10**6, 0, 8])
    assert users.ask("ann", "run.claim", **lifted)["code"] == "InvalidInput"
    assert users.ask("ann", "run.claim", **claimed(hub, [3, 0, 99, 0, 8], [None, 7, 7, 0, 50])) is None


def test_a_claim_is_of_a_view_that_its_user_may_train_on(hub: Hub, users: Users) -> None:
    start(users, hub)
    secret = claimed(hub, [None, 0, 0, 0, 50], dataset="secret")
    nowhere = claimed(hub, view="0" * 64)
    assert [users.ask("ann", "run.claim", **each)["code"] for each in (secret, nowhere)] == ["Refused"] * 2
    assert users.ask("ann", "run.claim", **claimed(hub, size=49))["code"] == "InvalidInput"
    assert hub.runs.get("0" * 20).reads() == []
    users.rights["ann"] = TRAINS | {("maru:Train", "secret")}
    assert users.ask("ann", "run.claim", **secret) is None


def secret_run(hub: Hub) -> Run:
    """Somebody's run over a dataset that few may read, which reached something."""
    view = hub.version("secret")
    run = hub.run(view, name="theirs")
    run.recorder(view).reads(view.digest, 0, None, 0, 50)
    run.log(0, loss=1.0)
    run.finish()
    hub.evaluate(run, view, {"accuracy": 1.0}, allow_leak=True)
    return run


def seen(users: Users, actor: str, run: str) -> list[bool]:
    """Whether an actor learns of a run by each of the calls."""
    return [
        run in [each["id"] for each in users.ask(actor, "run.page")],
        bool(users.ask(actor, "run.scores")),
        bool(users.ask(actor, "run.scores", run=run)),
        isinstance(users.ask(actor, "run.claims", run=run), list),
        isinstance(users.ask(actor, "run.points", run=run), list),
    ]


def test_runs_over_what_one_may_not_read_are_not_told(hub: Hub, users: Users) -> None:
    run = secret_run(hub)
    assert seen(users, "ann", run.id) == [False] * 5
    assert seen(users, "root", run.id) == [True] * 5
    users.rights["ann"] = {("s3:GetObject", "secret")}
    assert seen(users, "ann", run.id) == [True] * 5
    users.rights["bob"] = TRAINS
    start(users, hub, "bob")
    users.rights["bob"] = set()
    assert [each["id"] for each in users.ask("bob", "run.page")] == ["0" * 20]  # one's own, always


def test_what_a_run_began_with_is_its_users_or_can_be_read(hub: Hub, users: Users) -> None:
    theirs = secret_run(hub)
    assert start(users, hub, parents=[theirs.id])["code"] == "Refused"
    assert start(users, hub, parents=["resnet50"])["parents"] == ["resnet50"]
    assert start(users, hub, id="1" * 20, parents=["0" * 20])["parents"] == ["0" * 20]
    users.rights["ann"] = TRAINS | {("s3:GetObject", "secret")}
    assert start(users, hub, id="2" * 20, parents=[theirs.id])["parents"] == [theirs.id]


@pytest.mark.parametrize(("actor", "shown"), [("ann", False), ("root", True)])
def test_a_leak_names_what_was_read_to_an_admin_alone(
    hub: Hub, users: Users, actor: str, shown: bool
) -> None:
    users.rights["root"] |= TRAINS
    view = hub.version("secret")
    start(users, hub, actor)
    hub.runs.get("0" * 20).recorder(view).reads(view.digest, 0, None, 0, 50)
    error = users.ask(
        actor, "run.evaluate", run="0" * 20, source={"dataset": "cats"}, metrics={"accuracy": 1.0}
    )
    assert error["code"] == "NotHeldOut"
    told = json.dumps(error)
    assert "has read 50 of the 50 samples" in told
    assert "photos/photos" in told
    assert ("scans/" in told) is shown


def test_a_leak_that_is_kept_names_no_sample_to_who_sees_the_run(hub: Hub, users: Users) -> None:
    """Neither what was read nor what was asked about need be of a dataset that they may read."""
    start(users, hub)
    run = hub.runs.get("0" * 20)
    run.recorder(hub.version("cats")).reads(hub.version("cats").digest, 0, None, 0, 50)
    score = hub.evaluate(run, hub.version("secret"), {"accuracy": 1.0}, allow_leak=True)
    assert (score.verdict, score.leaked) == ("leaked", 50)
    users.rights["bob"] = {("s3:GetObject", "cats")}
    (told,) = users.ask("bob", "run.scores", run=run.id)
    assert "has read 50 of the 50 samples" in told["why"][0]
    assert "scans/" not in json.dumps(told)
    assert "photos/" not in json.dumps(told)
