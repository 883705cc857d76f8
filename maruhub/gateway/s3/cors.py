"""CORS: which pages of other sites may ask a bucket what, as rules and as headers of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maruhub.gateway.s3.documents.element import Element, malformed, read_document
from maruhub.gateway.s3.documents.text import document, element
from maruhub.gateway.s3.failure import S3Failure

RULES_MAX = 100
CORS_BYTES_MAX = 64 << 10
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
_ID_MAX = 255
VARY = ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


@dataclass(frozen=True)
class CorsRule:
    """Who may ask with which methods and headers, and what a page may see of the answer.

    Attributes:
        origins: With at most one ``*`` each.
        methods: Of ``METHODS``.
        headers: With at most one ``*`` each, in lower case.
        exposed: Headers of the answer that a page may read.
        max_age_s: How long a browser may remember; None: its own time.
        id: Its name, if it has one.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age_s: int | None = None
    id: str = ""

    def allows(self, origin: str, method: str, headers: Sequence[str] = ()) -> bool:
        """Whether a page of this origin may send this method with these headers."""
        return (
            method in self.methods
            and any(_fits(pattern, origin) for pattern in self.origins)
            and all(any(_fits(p, name.lower()) for p in self.headers) for name in headers)
        )


def preflight(rules: Sequence[CorsRule], headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of the answer to a browser's question before its request.

    Args:
        rules: The bucket's; empty if it has none.
        headers: The question's, by lower-case name.

    Raises:
        S3Failure: ``BadRequest`` for what is no such question, ``AccessDenied`` for a no.
    """
    origin, method = headers.get("origin"), headers.get("access-control-request-method", "")
    if origin is None:
        raise S3Failure("BadRequest", "Insufficient information. Origin request header needed.")
    if method not in METHODS:
        raise S3Failure("BadRequest", f"Invalid Access-Control-Request-Method: {method[:32] or 'null'}")
    if not rules:
        raise S3Failure("AccessDenied", "CORSResponse: CORS is not enabled for this bucket.", Method=method)
    asked = [h.strip().lower() for h in headers.get("access-control-request-headers", "").split(",")]
    asked = [name for name in asked if name]
    for rule in rules:
        if rule.allows(origin, method, asked):
            answer = _answer(rule, origin)
            if asked:
                answer.append(("access-control-allow-headers", ", ".join(asked)))
            return answer
    raise S3Failure(
        "AccessDenied",
        "CORSResponse: This CORS request is not allowed. The origin, method or headers asked for are in no"
        " rule of the bucket.",
        Method=method,
    )


def cors_headers(rules: Sequence[CorsRule], method: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that any other answer gets; none without ``Origin`` or a rule for it."""
    origin = headers.get("origin")
    if origin is None:
        return [VARY] if rules else []
    for rule in rules:
        if rule.allows(origin, method):
            return _answer(rule, origin)
    return [VARY] if rules else []


def _answer(rule: CorsRule, origin: str) -> list[tuple[str, str]]:
    anyone = next(p for p in rule.origins if _fits(p, origin)) == "*"
    answer = [
        ("access-control-allow-origin", "*" if anyone else origin),
        ("access-control-allow-methods", ", ".join(rule.methods)),
    ]
    if not anyone:
        answer.append(("access-control-allow-credentials", "true"))
    if rule.exposed:
        answer.append(("access-control-expose-headers", ", ".join(rule.exposed)))
    if rule.max_age_s is not None:
        answer.append(("access-control-max-age", str(rule.max_age_s)))
    return [*answer, VARY]


def read_cors(raw: bytes) -> tuple[CorsRule, ...]:
    """The rules of a CORSConfiguration.

    Raises:
        S3Failure: ``MalformedXML``, or ``InvalidRequest`` for a method or pattern that can't be.
    """
    root = read_document(raw, "CORSConfiguration", bytes_max=CORS_BYTES_MAX).only("CORSRule")
    if not 1 <= len(root.children) <= RULES_MAX:
        raise malformed(f"A CORSConfiguration has 1 to {RULES_MAX} rules.")
    return tuple(_rule(child) for child in root.children)


def _rule(given: Element) -> CorsRule:
    given.only("ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds")
    origins, methods = _texts(given, "AllowedOrigin"), _texts(given, "AllowedMethod")
    headers = tuple(name.lower() for name in _texts(given, "AllowedHeader"))
    exposed = _texts(given, "ExposeHeader")
    age, name = given.number("MaxAgeSeconds"), given.word("ID") or ""
    if not origins or not methods or len(name) > _ID_MAX or (age is not None and not 0 <= age < 2**31):
        raise malformed("A CORSRule has an AllowedOrigin and an AllowedMethod.")
    for method in methods:
        if method not in METHODS:
            raise S3Failure(
                "InvalidRequest",
                f"Found unsupported HTTP method in CORS config. Unsupported method is {method[:32]}",
            )
    for pattern in (*origins, *headers):
        if pattern.count("*") > 1:
            raise S3Failure("InvalidRequest", f"{pattern[:200]} can not have more than one wildcard.")
    for header in exposed:
        if "*" in header:
            raise S3Failure("InvalidRequest", f"ExposeHeader {header[:200]} contains wildcard.")
    return CorsRule(origins, methods, headers, exposed, age, name)


def _texts(given: Element, name: str) -> tuple[str, ...]:
    texts = tuple(child.only().text.strip() for child in given.all(name))
    for text in texts:
        # They go out in headers again: no line may be smuggled in.
        if not text or not text.isascii() or not text.isprintable():
            raise malformed(f"{name} must be printable ASCII.")
    return texts


def write_cors(rules: Sequence[CorsRule]) -> bytes:
    """The answer of GetBucketCors."""
    return document("CORSConfiguration", "".join(f"<CORSRule>{_content(rule)}</CORSRule>" for rule in rules))


def _content(rule: CorsRule) -> str:
    listed = (
        ("AllowedOrigin", rule.origins),
        ("AllowedMethod", rule.methods),
        ("AllowedHeader", rule.headers),
        ("ExposeHeader", rule.exposed),
    )
    texts = "".join(element(name, text) for name, values in listed for text in values)
    return element("ID", rule.id or None) + texts + element("MaxAgeSeconds", rule.max_age_s)


def _fits(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern with at most one ``*``; ``?`` is a character like others."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
