"""Receive: stores the work of many AMQP messages in one transaction, and says what becomes of each.

The same elements are accepted, and with the same answers, as over HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from queue_tool.errors import (
    BadParameter,
    BadRequest,
    BadTask,
    IdempotencyKeyReused,
    QueueToolError,
    StoreAway,
    TaskNotFound,
    TaskRemoved,
    TooManyItems,
    TooManyWaiting,
)
from queue_tool.model import json_text
from queue_tool.model.batch import UNNAMED, Element, IdempotencyKey, Judge, Refused, Submission, judge_of
from queue_tool.model.incoming import Incoming, Work, work_of
from queue_tool.model.new_task import PLAIN, Options
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskType
from queue_tool.services import answers
from queue_tool.services.ask import Ask
from queue_tool.services.drafts import BatchDraft, Draft, Kept
from queue_tool.services.submit import Submit, request_digest
from queue_tool.services.together import Failed
from queue_tool.store import Added

MOST_REASONS = 20
"""Errors of elements that a refusal lists."""

_log = logging.getLogger("queue_tool.services.receive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an AMQP message was refused whole: nothing of it was stored."""

    code: str
    sentence: str
    errors: Sequence[Mapping[str, str]] = ()  # reasons with `path` and `message`, the first ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What became of an AMQP message: its work is on disk, or it was refused whole."""

    answer: bytes  # JSON, for the sender
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The AMQP message could not be handled now; later it can."""

    error: QueueToolError


Outcome = Handled | Later


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to an AMQP message that was refused."""

    code: str
    message: str
    errors: Sequence[Mapping[str, str]] | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """Takes AMQP messages."""

    submit: Submit
    ask: Ask
    types: Mapping[str, TaskType]
    max_body: int  # bytes
    max_waiting: int  # tasks that may be queued; 0 is no limit
    runs_inline: bool  # whether tasks run while they are submitted

    def __call__(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """Store the work of several AMQP messages in one transaction; return what became of each.

        What was handled is on disk, or refused. It raises no error.
        """
        drafts = [self._drafted(message) for message in messages]
        added = iter(self.submit.keep([draft for draft in drafts if isinstance(draft, Draft)]))
        kept = [self._kept(draft, next(added)) if isinstance(draft, Draft) else draft for draft in drafts]
        try:
            self.submit.push([each for each in kept if isinstance(each, Kept)])
        except Exception:  # noqa: BLE001 - the work is stored, and the sweeper pushes it
            _log.exception("the tickets of AMQP messages were not pushed")
        return [self._outcome(each) if isinstance(each, Kept) else each for each in kept]

    def _drafted(self, message: Incoming) -> Draft | Outcome:
        """Check an AMQP message. One that came before, and has a key, is carried out alone: its key comes first."""
        try:
            work = work_of(message, self.max_body)
            key = _key(message, work)
            return self._again(work, key) if key and message.redelivered else self._draft(work, key)
        except Exception as error:  # noqa: BLE001 - a bug with one message must not stop the others
            return outcome_of(error)

    def _draft(self, work: Work, key: IdempotencyKey | None) -> Draft | Outcome:
        judge, followers = self._judge(work), self.submit.continuations(work.on_finished)
        if not isinstance(work.value, list):
            _require_task(work)
            draft = self.submit.task_draft(work.value, judge, key, followers)
            return self._of_task(draft) if isinstance(draft, Refused) else draft
        if len(work.value) > self.submit.max_batch:
            raise TooManyItems(f"The array has {len(work.value)} elements; the limit is {self.submit.max_batch}.")
        batch = self.submit.batch_draft(
            work.value, judge, key, label=work.label, some_accepted=True, on_finished=followers
        )
        new = batch.addition.new
        return batch if new.accepted else _of_batch(Submission(batch=None, elements=new.elements))

    def _again(self, work: Work, key: IdempotencyKey) -> Outcome:
        judge = self._judge(work)
        if isinstance(work.value, list):
            return _of_batch(
                self.submit(work.value, judge, key, label=work.label, some_accepted=True, on_finished=work.on_finished)
            )
        _require_task(work)
        return self._of_task(self.submit.single(work.value, judge, key, on_finished=work.on_finished))

    def _judge(self, work: Work) -> Judge:
        if work.task_type is None:
            return Requests(types=self.types, now=self.submit.clock.now())
        if work.task_type not in self.types:
            raise BadParameter(f"There is no task type {work.task_type[:80]!r:.80}.")
        options = PLAIN if work.priority is None else Options(priority=work.priority)
        return judge_of(self.types[work.task_type], options)

    def _kept(self, draft: Draft, added: Added | Failed) -> Kept[Any] | Outcome:
        if isinstance(added, Failed):
            return outcome_of(added.error, is_alone_too_many=self._is_alone_too_many(draft))
        try:
            if isinstance(draft, BatchDraft):
                return self.submit.kept_batch(draft, added)
            return self.submit.kept_task(draft, added)
        except QueueToolError as error:
            return outcome_of(error)

    def _is_alone_too_many(self, draft: Draft) -> bool:
        return bool(self.max_waiting) and len(draft.addition.tasks) > self.max_waiting

    def _outcome(self, kept: Kept[Any]) -> Outcome:
        try:
            result = kept.result
            return _of_batch(result) if isinstance(result, Submission) else self._of_task(result)
        except Exception as error:  # noqa: BLE001 - it is stored, so it is not refused whatever happens to the answer
            found = outcome_of(error)
            return Handled(answer=found.answer) if isinstance(found, Handled) and _is_bug(error) else found

    def _of_task(self, element: Element) -> Handled:
        now = None if self.runs_inline else self.submit.clock.now()
        return Handled(answer=json_text.encode(answers.submitted(element, self.ask, now)))


def outcome_of(error: BaseException, *, is_alone_too_many: bool = False) -> Outcome:
    """Return what becomes of an AMQP message with which this went wrong.

    Args:
        error: what went wrong.
        is_alone_too_many: whether the message has more tasks than may ever wait.
    """
    if isinstance(error, StoreAway) or (isinstance(error, TooManyWaiting) and not is_alone_too_many):
        return Later(error=error)
    if _is_bug(error):
        _log.error("unexpected error with an AMQP message", exc_info=error)
        error = QueueToolError()
    assert isinstance(error, QueueToolError)  # all others are bugs
    if isinstance(error, IdempotencyKeyReused):
        error = IdempotencyKeyReused("This message_id was used with a different message in the last 24 hours.")
    reasons = error.errors[:MOST_REASONS] if isinstance(error, BadTask) else ()
    refused = refuse(Refusal(code=error.code, sentence=error.sentence, errors=reasons))
    if isinstance(error, TaskRemoved | TaskNotFound):  # it was stored when it came for the first time
        return Handled(answer=refused.answer)
    return refused


def refuse(refusal: Refusal) -> Handled:
    """Return the outcome for an AMQP message that is refused for this reason."""
    problem = Problem(code=refusal.code, message=refusal.sentence, errors=refusal.errors or UNSET)
    return Handled(answer=json_text.encode(problem), refusal=refusal)


def _is_bug(error: BaseException) -> bool:
    return not isinstance(error, QueueToolError) or type(error) is QueueToolError


def _key(message: Incoming, work: Work) -> IdempotencyKey | None:
    if work.key is None:
        return None
    return IdempotencyKey(scope=f"amqp {message.queue}", key=work.key, digest=request_digest(message.body, work.digest))


def _require_task(work: Work) -> None:
    if work.task_type is None and not isinstance(work.value, dict):
        raise BadRequest("The body must be a JSON object or an array of objects, if there is no task type.")
    if work.label != UNNAMED:
        raise BadParameter("Only a batch takes the headers name, webhook and metadata: send the task in an array.")


def _of_batch(submission: Submission) -> Handled:
    answer = json_text.encode(answers.received(submission))
    if not submission.is_refused_whole:
        return Handled(answer=answer)
    errors = (
        {"path": f"/{element.index}{error.path}", "message": error.message}
        for element in submission.elements
        if isinstance(element, Refused)
        for error in element.errors
    )
    return Handled(
        answer=answer,
        refusal=Refusal(
            code=BadTask.code, sentence="Every element was refused.", errors=list(islice(errors, MOST_REASONS))
        ),
    )
