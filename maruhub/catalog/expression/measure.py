"""What a filter takes for one row, summed over its tree; whatever is no word of one is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from maruhub.catalog.expression import words
from maruhub.catalog.expression.reading import TABLE
from maruhub.catalog.expression.width import NUMBER
from maruhub.errors import InvalidInput

Node = Mapping[str, Any]
"""A part of the tree, as DuckDB serialises it."""
Widths = Callable[[str], int]
"""The widest value of a column, by the name that the text has for it; raises InvalidInput if there is none."""

Inner = Callable[[Node], "Taken"]

_CELL: Final = 16
"""What DuckDB keeps of any value beside its text."""
_DEEPEST: Final = 250
_NODES: Final = 256
_JSON_TIMES: Final = 32
_REGEXES: Final = 8
_STATES: Final = 1 << 19
"""RE2 gives up a pattern of more than 8 MiB, 16 bytes a state."""
_COPIED_IN: Final = 8
"""A list of constants as short as this may become one comparison each; longer ones are looked up."""
_REPEATED: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_TRUTHS: Final = frozenset({"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"})
_PICKS: Final = frozenset({"OPERATOR_COALESCE", "ARRAY_EXTRACT", "STRUCT_EXTRACT", "ARRAY_CONSTRUCTOR"})
_HINT: Final = (
    "A filter over HTTP may hold comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, CASE WHEN, casts, and functions "
    "such as lower, substr, contains, regexp_matches, len, year: docs/reference/filters.md."
)


class Taken(NamedTuple):
    """What a part of a filter takes, for one row.

    Args:
        width: Bytes of its value, written out as text.
        varies: Whether a column is in it; what is the same for all rows is worked out once.
        nodes: Steps of the plan, those that the optimizer copies counted as often.
        made: Bytes of all values that are made on the way.
        steps: Bytes looked at, or steps of a search.
        regexes: Patterns that are compiled.
    """

    width: int
    varies: bool = True
    nodes: int = 0
    made: int = 0
    steps: int = 0
    regexes: int = 0

    def times(self, n: int) -> Taken:
        """The same ``n`` times."""
        return Taken(self.width, self.varies, *(n * each for each in self[2:]))


def taken(tree: Node, widths: Widths) -> Taken:
    """What a filter takes for one row.

    Raises:
        InvalidInput: It holds what a bounded filter can't, or too much of it; names what.
    """
    found = _measured(tree, widths, 0)
    if found.nodes > _NODES:
        raise InvalidInput(
            f"the expression takes {found.nodes} steps, over HTTP it may be {_NODES}.",
            hint="IN (…) does what many comparisons with OR do; BETWEEN and short IN count what they compare again.",
        )
    if found.regexes > _REGEXES:
        raise InvalidInput(f"the expression holds {found.regexes} patterns, over HTTP it may be {_REGEXES}.")
    return found


def _refused(what: str) -> InvalidInput:
    return InvalidInput(f"a filter over HTTP can't hold {what}.", hint=_HINT)


def _measured(node: Node, widths: Widths, depth: int) -> Taken:
    kind = str(node["class"])
    measure = _MEASURES.get(kind)
    if measure is None:
        raise _refused(words.CALLED.get(kind, kind))
    if depth > _DEEPEST:
        raise _refused("so much in each other")
    return measure(node, lambda part: _measured(part, widths, depth + 1), widths)


def _one_more(
    parts: Iterable[Taken], *, times: int | None = None, steps: int | None = None, nodes: int | None = None
) -> Taken:
    """A step over parts: its value is ``times`` what they are together; None: of fixed size."""
    listed = list(parts)
    varies = any(part.varies for part in listed)
    if nodes is None:
        # For each argument there is a vector, so that ten thousand are not one step.
        nodes = max(len(listed) - 1, 1) if varies else 1
    together = sum(part.width for part in listed)
    width = NUMBER if times is None else times * (together + 4 * len(listed)) + NUMBER
    return Taken(
        width,
        varies,
        nodes + sum(part.nodes for part in listed),
        _CELL + (0 if times is None else width) + sum(part.made for part in listed),
        (together if steps is None else steps) + sum(part.steps for part in listed),
        sum(part.regexes for part in listed),
    )


def _column(node: Node, _inner: Inner, widths: Widths) -> Taken:
    first, *fields = node["column_names"]
    if fields and TABLE in (name.casefold() for name in (first, *fields)):
        # A column may be called as the table or its schema is: main.TABLE.caption is no field of a column main.
        raise _refused("a column by its table")
    # Binding n names takes n × n steps, and isn't interrupted.
    return Taken(widths(first), nodes=len(fields))


def _constant(node: Node, _inner: Inner, _widths: Widths) -> Taken:
    text = len(node["literal"]["text"].encode(errors="replace"))
    return Taken(text if node["literal"]["kind"] == "STRING" else max(4 * text, NUMBER), varies=False)


def _comparison(node: Node, inner: Inner, _widths: Widths) -> Taken:
    return _one_more(map(inner, (node["left"], node["right"])))


def _conjunction(node: Node, inner: Inner, _widths: Widths) -> Taken:
    return _one_more(map(inner, node["children"]))


def _between(node: Node, inner: Inner, _widths: Widths) -> Taken:
    # It becomes two comparisons, and so do those in its subject: twenty in each other are a million.
    return _one_more([inner(node["input"]).times(2), inner(node["lower"]), inner(node["upper"])])


def _operator(node: Node, inner: Inner, _widths: Widths) -> Taken:
    kind, children = str(node["type"]), node["children"]
    parts = [inner(child) for child in children]
    if kind in _TRUTHS:
        return _one_more(parts)
    if kind in _PICKS:
        return _one_more(parts, times=2 if kind == "ARRAY_CONSTRUCTOR" else 1)
    if kind != "COMPARE_IN":
        raise _refused(words.CALLED.get(kind, kind))
    subject, *listed = parts
    compared = len(listed) if any(part.varies for part in listed) else min(len(listed), _COPIED_IN)
    return _one_more([subject.times(compared), *listed], nodes=compared)


def _case(node: Node, inner: Inner, _widths: Widths) -> Taken:
    checks = [part for check in node["case_checks"] for part in (check["when_expr"], check["then_expr"])]
    return _one_more(map(inner, [*checks, node["else_expr"]]), times=1)


def _cast(node: Node, inner: Inner, _widths: Widths) -> Taken:
    to = node["type_expr"]
    name = str(to["type_name"]).upper()
    times = words.TEXT_TYPES.get(name)
    is_known = times is not None or name in words.FIXED_TYPES
    is_plain = to["class"] == "TYPE" and all(each["class"] == "CONSTANT" for each in to["children"])
    if not is_known or not is_plain or len(to["qualified_name"]["path"]) != 1:
        raise _refused(f"a cast to {name[:80]}")
    return _one_more([inner(node["child"])], times=times)


def _function(node: Node, inner: Inner, _widths: Widths) -> Taken:
    name, arguments = str(node["function_name"]), node["arguments"]
    called = name[:80] if node["is_operator"] else f"{name[:80]}()"
    is_qualified = len(node["qualified_name"]["path"]) != 1
    is_aggregate = node["filter"] or node["distinct"] or node["order_bys"]["orders"] or node["export_state"]
    if is_qualified or is_aggregate or any(each["name"] for each in arguments):
        raise _refused(f"{called} with anything but its arguments")
    nodes = [each["expression"] for each in arguments]
    parts = [inner(each) for each in nodes]
    if name in words.FIXED:
        return _one_more(parts)
    if name in words.TEXTS:
        return _one_more(parts, times=words.TEXTS[name])
    if name in words.SEARCHES:
        return _one_more(parts, steps=_product(parts))
    if name in words.REGEXES:
        return _regex(called, nodes, parts)
    if name in words.JSON:
        return _json(called, nodes, parts)
    raise _refused(called)


def _product(parts: list[Taken]) -> int:
    return (parts[0].width + 1) * sum(part.width + 1 for part in parts[1:]) if parts else 0


def _regex(called: str, nodes: list[Node], parts: list[Taken]) -> Taken:
    pattern = _constant_text(nodes)
    if pattern is None or any(node["class"] != "CONSTANT" for node in nodes[2:]):
        raise _refused(f"{called} with a pattern or options that are no constants")
    found = _one_more(parts, times=1, steps=parts[0].width * _states(pattern))
    return found._replace(regexes=found.regexes + 1)


def _states(pattern: str) -> int:
    """More than the states that RE2 makes of a pattern: a class of Unicode's alone is some 400."""
    states = len(pattern) * (512 if re.search(r"\\p", pattern, re.IGNORECASE) else 32)
    for low, high in _REPEATED.findall(pattern):
        states *= max(int(low[:5]), int(high[:5] or 0), 1)
    return min(states, _STATES)


def _json(called: str, nodes: list[Node], parts: list[Taken]) -> Taken:
    path = _constant_text(nodes)
    if path is None or "*" in path or ".." in path:
        raise _refused(f"{called} with a path that is no constant, or has wildcards")
    return _one_more(parts, times=_JSON_TIMES)._replace(width=parts[0].width)


def _constant_text(nodes: list[Node]) -> str | None:
    """The second argument, if it is a text that is written there."""
    if len(nodes) < 2 or nodes[1]["class"] != "CONSTANT" or nodes[1]["literal"]["kind"] != "STRING":
        return None
    return str(nodes[1]["literal"]["text"])


_MEASURES: Final[Mapping[str, Callable[[Node, Inner, Widths], Taken]]] = {
    "COLUMN_REF": _column,
    "CONSTANT": _constant,
    "COMPARISON": _comparison,
    "CONJUNCTION": _conjunction,
    "BETWEEN": _between,
    "OPERATOR": _operator,
    "CASE": _case,
    "CAST": _cast,
    "FUNCTION": _function,
}
