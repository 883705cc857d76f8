"""Who a process is, and that half of it is refused."""

from __future__ import annotations

import pytest

from maruhub.adapters.world import find_world
from maruhub.errors import InvalidInput


@pytest.fixture(autouse=True)
def nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def test_arguments_before_the_environment_before_being_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_world() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "5")
    assert find_world() == (2, 5)
    assert find_world(1, 3) == (1, 3)


@pytest.mark.parametrize(("rank", "world"), [("1", None), (None, "2"), ("one", "2"), ("-1", "2"), ("", "2")])
def test_half_a_world_is_refused(
    monkeypatch: pytest.MonkeyPatch, rank: str | None, world: str | None
) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", world)):
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=r"RANK|rank"):
        find_world()


@pytest.mark.parametrize("given", [{"rank": 1}, {"world": 2}])
def test_half_an_argument_too(given: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="missing"):
        find_world(**given)
