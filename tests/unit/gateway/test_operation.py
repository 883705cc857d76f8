"""The table of operations and its page agree."""

from __future__ import annotations

import re
from pathlib import Path

from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.policies.policy import ACTIONS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "s3.md"
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` (\w+) \| `?([^|`]*)`? \| `?([^|`]*)`? \| (\w+) \|$", re.MULTILINE)


def test_the_page_says_what_the_table_says():
    said = [tuple(cell.strip() for cell in row) for row in ROW.findall(PAGE.read_text())]
    assert said == [
        (o.api_name, o.method, o.place.value, o.chosen_by, o.action, o.support.value) for o in Operation
    ]


def test_names_are_their_members_and_stand_once():
    assert len({o.api_name for o in Operation}) == len(Operation)
    for operation in Operation:
        if operation is not Operation.PREFLIGHT:
            assert operation.api_name.lower() == operation.name.replace("_", "").lower()


def test_every_operation_but_a_preflight_needs_a_right():
    assert [o for o in Operation if not o.action] == [Operation.PREFLIGHT]
    assert all(o.action in ACTIONS for o in Operation if o.action.startswith("s3:"))
