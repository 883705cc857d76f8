"""Every word of a filter over HTTP is documented, and none that is not one."""

from __future__ import annotations

import re

from maruhub.catalog.expression import words
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs/reference/filters.md").read_text()
OPERATORS_OF = {"~~": "LIKE", "~~*": "ILIKE", "~~~": "GLOB"}
WORDS = words.FIXED | words.SEARCHES | words.REGEXES | words.JSON | words.TEXTS.keys()


def test_every_word_stands_on_the_page() -> None:
    named = {word.replace("\\|", "|") for word in re.findall(r"`([^`\s]+)`", PAGE)}
    spelled = {OPERATORS_OF.get(word.removeprefix("!"), word) for word in WORDS if "_escape" not in word}
    assert spelled - named == set()


def test_every_function_of_the_page_is_a_word() -> None:
    table = PAGE.split("## Words")[1].split("There is no clock")[0]
    functions = set(re.findall(r"`([a-z][a-z_0-9]+)`", table))
    assert functions - WORDS == {"coalesce", "ifnull"}, "those two are parsed as operators"
