"""scikit-learn, and whatever else learns by ``partial_fit``.

The estimator and the state of the batches are saved together by whoever trains; both go on from
there. Nothing of scikit-learn is needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from maruhub import argument
from maruhub.loaders import Batch, Batches

Estimator = TypeVar("Estimator")


def partial_fit(
    estimator: Estimator,
    batches: Batches,
    collate: Callable[[Batch], Any],
    *,
    classes: Sequence[Any] | None = None,
    after_batch: Callable[[Estimator, Batch], None] | None = None,
) -> Estimator:
    """Trains an estimator on batches, from where they are to the end of their epochs.

    Args:
        estimator: Anything with ``partial_fit``.
        batches: Of a view, such as ``view.batches(256, seed=7, epochs=3)``.
        collate: From a batch to ``(X, y)``, or to ``X`` alone for an estimator without targets.
        classes: All classes that will come, for classifiers; see :func:`classes_of`.
        after_batch: Called with the estimator and the batch that it has just learned, for example
            to save both it and ``batches.state_dict()`` now and then.

    Returns:
        The estimator itself.
    """
    learn = getattr(estimator, "partial_fit", None)
    if learn is None:
        raise argument.wrong("estimator", estimator, "an estimator with partial_fit")
    told = {} if classes is None else {"classes": classes}
    for batch in batches:
        if len(batch):
            made = collate(batch)
            learn(*(made if isinstance(made, tuple) else (made,)), **told)
        if after_batch is not None:
            after_batch(estimator, batch)
    return estimator


def classes_of(view: Any, column: str) -> Any:
    """The values of a column of labels, each once and sorted, as classifiers want them."""
    import pyarrow.compute as pc

    values = pc.unique(view.table([column]).column(0).drop_null())
    return values.take(pc.sort_indices(values)).to_numpy(zero_copy_only=False)
