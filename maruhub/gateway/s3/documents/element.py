"""XML that a client sends, read into plain elements by a hardened parser.

Pure and bounded: UTF-8 only, no DTD, no entities of one's own, limits of size, depth and count.
Names come without their namespace: S3's clients send it or leave it out. Whatever isn't so is
``MalformedXML``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from maruhub.gateway.s3.failure import S3Failure

BYTES_MAX = 8 << 20
_DEPTH_MAX = 16
# An upload completed with 10,000 parts, each with all that may stand in it.
_ELEMENTS_MAX = 120_000
# One (a grantee's type) is all that S3 has.
_ATTRIBUTES_MAX = 8
_CHARSETS = ("utf-8", "utf8", "us-ascii")


@dataclass(slots=True)
class Element:
    """An element: its name and attributes without namespaces, its own text, its children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def only(self, *names: str) -> Element:
        """Itself, if it has no children but those of these names; with such it has no text of its own.

        Raises:
            S3Failure: ``MalformedXML``.
        """
        if names and self.text and not self.text.isspace():
            raise malformed(f"No text can stand in {self.name}.")
        for child in self.children:
            if child.name not in names:
                raise malformed(f"{child.name[:64]} can't stand in {self.name}.")
        return self

    def all(self, name: str) -> list[Element]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]

    def one(self, name: str) -> Element | None:
        """The child of a name, if there is one. Raises: S3Failure: ``MalformedXML`` for several."""
        found = self.all(name)
        if len(found) > 1:
            raise malformed(f"{name} stands more than once in {self.name}.")
        return found[0] if found else None

    def value(self, name: str) -> str | None:
        """The text of a child as it is; None if there is none. It can have no children itself."""
        found = self.one(name)
        if found is None:
            return None
        found.only()
        return found.text

    def word(self, name: str, allowed: Collection[str] = ()) -> str | None:
        """The text of a child without space around; one of those allowed, if any are named."""
        value = self.value(name)
        if value is None:
            return None
        value = value.strip()
        if allowed and value not in allowed:
            raise malformed(f"{name} must be one of {', '.join(sorted(allowed))}.")
        return value

    def number(self, name: str) -> int | None:
        """The text of a child as a whole number of at most 18 digits. Raises: S3Failure: ``MalformedXML``."""
        word = self.word(name)
        if word is None:
            return None
        digits = word.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise malformed(f"{name} must be a whole number.")
        return int(word)

    def truth(self, name: str, default: bool = False) -> bool:
        """The text of a child as ``true`` or ``false``, in any case. Raises: S3Failure: ``MalformedXML``."""
        word = self.word(name)
        if word is None:
            return default
        if word.lower() not in ("true", "false"):
            raise malformed(f"{name} must be true or false.")
        return word.lower() == "true"


class _Tree:
    """What the parser builds; each limit is checked as soon as it is reached."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _ELEMENTS_MAX or len(self._open) >= _DEPTH_MAX:
            raise malformed("The document has too many elements.")
        if len(attributes) > _ATTRIBUTES_MAX:
            raise malformed("An element has too many attributes.")
        element = Element(_local(tag), {_local(name): value for name, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._texts.append([])

    def end(self, tag: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

    def close(self) -> Element | None:
        return self.root


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def read_document(raw: bytes, *names: str, bytes_max: int = BYTES_MAX) -> Element:
    """The root of a document, which must have one of these names.

    Raises:
        S3Failure: ``MalformedXML``; ``MaxMessageLengthExceeded`` beyond ``bytes_max``.
    """
    if len(raw) > bytes_max:
        raise S3Failure("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(bytes_max))
    tree = _Tree()
    parser = DefusedXMLParser(target=tree, encoding="utf-8", forbid_dtd=True)
    parser.parser.XmlDeclHandler = _check_declaration
    try:
        raw.decode()
        parser.feed(raw)
        parser.close()
    except (DefusedXmlException, ParseError, ValueError, LookupError) as wrong:
        raise malformed(str(wrong)[:200]) from None
    if tree.root is None or tree.root.name not in names:
        raise malformed(f"The document must be a {' or '.join(names)}.")
    return tree.root


def _check_declaration(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _CHARSETS:
        raise malformed("The document must be in UTF-8.")


def malformed(why: str) -> S3Failure:
    """The failure of a document that isn't what it should be."""
    return S3Failure(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema."
        f" {why}".rstrip(),
    )
