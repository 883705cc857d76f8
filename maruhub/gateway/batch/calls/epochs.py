"""Calls on epochs, as a read request names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.opened.courses import Courses
from maruhub.gateway.batch.request import ReadEpoch, parse_read
from maruhub.gateway.batch.rights import Allowed

if TYPE_CHECKING:
    from maruhub.api.hub import Hub


class Epochs:
    """Calls on epochs of what is read."""

    def __init__(self, courses: Courses) -> None:
        self._courses = courses

    def size(self, hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, int]:
        """How many positions an epoch has, and the rows that it is drawn from."""
        request = parse_read(dict(argument.mapping("the request", fields.take("request"))))
        fields.done()
        if not isinstance(request, ReadEpoch):
            raise InvalidInput("the request names no epoch.")
        course = self._courses.open(request, allowed)
        return {"positions": course.order.size, "rows": len(course.source)}
