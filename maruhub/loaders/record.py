"""What a run is told of batches, before they are handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maruhub.loaders.following import Course
    from maruhub.loaders.plan import Step
    from maruhub.loaders.source import Door, Recorder, SampleSource


class Record:
    """Tells the recorders of one run. For one thread at a time.

    Args:
        recorder: Of ``view``; None: nothing is recorded.
        view: What the batches begin with.
        door: Makes recorders of what joins later.
    """

    def __init__(self, recorder: Recorder | None, view: SampleSource, door: Door | None) -> None:
        self._recorders = {} if recorder is None else {view.digest: recorder}
        self._door = door

    def tell(self, course: Course, step: Step) -> None:
        """A step is about to be handed out; raises what a recorder raises, and then it must not be."""
        if not self._recorders:
            return
        if course.joins:
            # Which rows come is no plain order of any of the views: all of each may be read.
            for view in (course.view, *(join.view for join in course.joins)):
                self._of(view).reads(view.digest, 0, None, 0, len(view))
            return
        size = course.order.size
        spans = course.order.spans(step.epoch, step.position, min(step.end, size))
        if step.end > size:  # padded from the epoch's beginning
            spans += course.order.spans(step.epoch, 0, min(step.end - size, size))
        recorder = self._of(course.view)
        for span in spans:
            recorder.reads(course.view.digest, span.epoch, span.seed, span.start, span.stop)

    def _of(self, view: SampleSource) -> Recorder:
        if view.digest not in self._recorders:
            assert self._door is not None, "only what came through it is another view"
            self._recorders[view.digest] = self._door.recorder(view)
        return self._recorders[view.digest]
