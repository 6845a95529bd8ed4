"""The label of a batch, made from what a client sent."""

from __future__ import annotations

from collections.abc import Mapping

from queue_tool.errors import BadParameter
from queue_tool.model.batch import Label
from queue_tool.model.payloads.queries import LONGEST_LABEL, MOST_LABELS
from queue_tool.model.receivers import receiver_of


def label_of(name: str | None, metadata: Mapping[str, str], webhook: str | None = None) -> Label:
    """Return the label of a batch.

    Raises:
        BadParameter: the name, a key or a value is empty or too long, or there are too many metadata.
        BadWebhook: the webhook is no URL that can be called.
    """
    if webhook is not None:
        receiver_of(webhook)
    if len(metadata) > MOST_LABELS:
        raise BadParameter(f"The batch has {len(metadata)} metadata entries; the limit is {MOST_LABELS}.")
    for text in (*metadata, *metadata.values(), *([] if name is None else [name])):
        if not 1 <= len(text) <= LONGEST_LABEL:
            raise BadParameter(f"The name and each metadata key and value must have 1 to {LONGEST_LABEL} characters.")
    return Label(name=name, metadata=metadata, webhook=webhook)
