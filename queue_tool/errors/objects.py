"""Errors of the object that a request names: it does not exist, or its state does not allow the action."""

from __future__ import annotations

from queue_tool.errors.base import FAILS_AGAIN, QueueToolError

# -- missing objects ---------------------------------------------------------------------------------------


class NotFound(QueueToolError):
    """There is nothing at this address."""

    code = "not_found"
    cause = "The service has no route with this path."
    remedy = f"Correct the path: the page `/docs` of the service shows all routes. {FAILS_AGAIN}"


class TaskNotFound(NotFound):
    """Job not found"""

    code = "task_not_found"
    cause = "No task has this token: it never existed, its retention is over, or an admin deleted its dead letter."
    remedy = f"Check the token. {FAILS_AGAIN}"


class NoResult(NotFound):
    """This task has no result yet."""

    code = "no_result"
    cause = "The task that `job_id` of `GET /get_result` names has not ended."
    remedy = "Send the same request again when the task has ended: `GET /check_status` says whether it has."


class BatchNotFound(NotFound):
    """There is no batch with this id."""

    code = "batch_not_found"
    cause = "No batch has this id: it never existed, or its retention is over."
    remedy = f"Check the id. {FAILS_AGAIN}"


class QueueNotFound(NotFound):
    """There is no queue with this name."""

    code = "queue_not_found"
    cause = "The path or the parameter `queue` names no queue. The queues are `high`, `default` and `low`."
    remedy = f"Use one of these names. {FAILS_AGAIN}"


class WebhookNotFound(NotFound):
    """There is no webhook with this id."""

    code = "webhook_not_found"
    cause = "No webhook has this id: it never existed, or an admin deleted it."
    remedy = f"Check the id: `GET /webhooks` lists all webhooks. {FAILS_AGAIN}"


class DeliveryNotFound(NotFound):
    """The webhook has no message with this id."""

    code = "delivery_not_found"
    cause = "No message of the webhook has this id: it never existed, or it is too old."
    remedy = f"Check the id: `GET /webhooks/<webhook>/deliveries` lists the messages. {FAILS_AGAIN}"


class ScheduleNotFound(NotFound):
    """There is no schedule with this id."""

    code = "schedule_not_found"
    cause = "No schedule has this id: it never existed, or an admin deleted it."
    remedy = f"Check the id: `GET /schedules` lists all schedules. {FAILS_AGAIN}"


class HostNotFound(NotFound):
    """No supervisor runs on a host with this name."""

    code = "host_not_found"
    cause = "The parameter `host` names no host on which a supervisor (`queue-tool up` or `flask run`) runs."
    remedy = f"Use a host that `GET /workers` lists in `supervisors`. {FAILS_AGAIN}"


class EmptyMessage(NotFound):
    """Algo deu errado: the message is missing or empty. Send `{"message": "..."}`."""

    code = "empty_message"
    cause = (
        "The body of `POST /api/queue/push` is missing, has no `message`, or its `message` is an empty string or null. "
        "`0`, `false`, `[]` and `{}` are messages."
    )
    remedy = f"Send a message that is not empty. {FAILS_AGAIN}"


class ReceiptNotFound(NotFound):
    """No message has this receipt."""

    code = "receipt_not_found"
    cause = (
        "The message was acknowledged or given back before, or its lease ran out and another client has taken it since."
    )
    remedy = (
        "Nothing is left to do with this receipt. If the lease ran out, another client processes the message again: "
        f"ask for a longer lease next time. {FAILS_AGAIN}"
    )


class KeyNotFound(NotFound):
    """There is no API key with this id."""

    code = "key_not_found"
    cause = "No API key has this id."
    remedy = f"Check the id: `queue-tool keys list` and the page `/dashboard/keys` show all keys. {FAILS_AGAIN}"


class TaskRemoved(QueueToolError):
    """The task of this Idempotency-Key has ended, and was removed since. It does not run again."""

    code = "task_removed"
    cause = "An earlier request with this `Idempotency-Key` created a task that has ended and was deleted since."
    remedy = f"To run such a task again, send it with a new `Idempotency-Key`. {FAILS_AGAIN}"


# -- impossible actions ------------------------------------------------------------------------------------


class TaskEnded(QueueToolError):
    """This task has already ended."""

    code = "task_ended"
    cause = "The task cannot be canceled, because it has finished, failed or been canceled before."
    remedy = f"Read the status of the task: there is nothing left to cancel. {FAILS_AGAIN}"


class TaskNotRetried(QueueToolError):
    """Only a task that failed or was canceled can be retried."""

    code = "task_not_retried"
    cause = (
        "The task is scheduled, queued or running, or it has finished. "
        "`POST /deadletter/<token>/retry` also refuses a canceled task."
    )
    remedy = (
        "If the task fails or is canceled later, send the same request again. "
        "To run a finished task once more, send it as a new task."
    )


class BatchSealed(QueueToolError):
    """This batch is sealed: it takes no more elements."""

    code = "batch_sealed"
    cause = (
        "The batch was sealed or canceled, or it got no elements for a day. "
        "A batch that came in one request takes no more elements either."
    )
    remedy = f"Make another open batch with `POST /batches` and send the elements there. {FAILS_AGAIN}"


class WrongStart(QueueToolError):
    """The batch has another number of elements than `from` says."""

    code = "wrong_start"
    cause = (
        "The value of `from` is not the `total` of the open batch, and no earlier request brought the same bytes with "
        "it. The key `total` of the answer says how many elements the batch has."
    )
    remedy = (
        "Continue with the element whose index is `total`, and `from` with this value. "
        f"`GET /batches/<batch>/elements` returns the answers that you did not get. {FAILS_AGAIN}"
    )

    total: int = 0

    @classmethod
    def because(cls, total: int) -> WrongStart:
        """Return the error.

        Args:
            total: how many elements the batch has.
        """
        error = cls(f"The batch has {total} elements now: continue with `from={total}`.")
        error.total = total
        return error


class WebhookDisabled(QueueToolError):
    """This webhook is disabled. Enable it first."""

    code = "webhook_disabled"
    cause = "The receiver answered 410, so the service sends no more messages to this webhook."
    remedy = "Enable the webhook with `POST /webhooks/<webhook>/enable`, then send the same request again."


class ScheduleInCode(QueueToolError):
    """This schedule is declared in code: it can be paused here, but not changed or deleted."""

    code = "schedule_in_code"
    cause = "The schedule comes from `@task(schedule=...)` in a module of the operator."
    remedy = f"Change the code and start its processes again; or pause the schedule. {FAILS_AGAIN}"


class UniqueKeyTaken(QueueToolError):
    """Another unfinished task has the same unique key."""

    code = "unique_key_taken"
    cause = "The task cannot be retried, because another unfinished task of its type has the same `unique_key`."
    remedy = "Send the same request again when the other task has ended, or cancel the other task first."


class NoSupervisor(QueueToolError):
    """No supervisor runs: only `queue-tool up` and `flask run` can start and stop workers."""

    code = "no_supervisor"
    cause = (
        "No supervisor runs, or it has just been started. Workers that were started with `queue-tool worker` or "
        "`rq worker` have none, and with `QUEUE_TOOL_REDIS_URL=inline:` there are no workers."
    )
    remedy = "Start `queue-tool up`, then send the same request again. Stop other workers where you have started them."


class SeveralSupervisors(QueueToolError):
    """Several supervisors run: say which one with `?host=`."""

    code = "several_supervisors"
    cause = "Supervisors run on several hosts, and the request has no parameter `host`. The sentence lists the hosts."
    remedy = f"Add `?host=` with the name of one host. {FAILS_AGAIN}"


class OutOfBounds(QueueToolError):
    """This number of workers is not between the minimum and the maximum."""

    code = "out_of_bounds"
    cause = (
        "There would be more workers than the maximum of the supervisor, or fewer than its minimum, or the minimum "
        "would be above the maximum. Nothing was changed."
    )
    remedy = f"Ask for fewer or more, or change the bounds with `PUT /workers`. {FAILS_AGAIN}"
