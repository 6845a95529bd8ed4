"""Deliver: sends what waits in the outbox to the webhooks, each in a thread of its own.

Any number of processes may deliver: a lease lets one of them at a time send to a webhook. A message may arrive twice if
a process dies, and then it has the same id.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.delivery import Leased
from queue_tool.model.made_once import made_once
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.model.webhook import DELIVERED_FOR, EVERY, GONE, KEPT_FOR, TAKEN, TryResult, pause_after
from queue_tool.model.webhook_message import body_of, type_of
from queue_tool.services.submit import make_tokens
from queue_tool.services.webhooks import Answer, Webhooks, signed, try_of
from queue_tool.store import Store

MOST = 32
"""Webhooks to which a process sends at the same time."""

MOST_FAILING = 16
"""Those among them whose last try failed: however many receivers hang, others get their messages."""

MOST_IN_A_ROW = 50
"""Full messages that one webhook gets before another one may have its thread."""

FORGET_EVERY = 60.0
"""Seconds between two searches for what is too old."""

MOST_FORGOTTEN = 1000
"""Rows of each table that one transaction removes."""

_log = logging.getLogger("queue_tool.services.deliver")


class Deliver:
    """Sends messages to webhooks."""

    def __init__(
        self,
        *,
        store: Store,
        webhooks: Callable[[], Webhooks],
        owner: Callable[[], int],
        telemetry: Telemetry,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            store: where the outbox is.
            webhooks: returns the service of webhooks. It is called once, when the first message waits.
            owner: returns the number of this process, and registers it at the first call.
            telemetry: receives the events.
            clock: the time.
            chance: returns random numbers from 0 to 1, for the pauses between two tries.
        """
        self._store = store
        self._make_webhooks = webhooks
        self._owner = owner
        self._telemetry = telemetry
        self._clock = clock
        self._chance = chance
        self._busy: dict[int, bool] = {}  # webhooks to which this process sends now, and whether they fail
        self._changed = threading.Condition()
        self._forget_next = 0.0  # monotonic

    def __call__(self) -> None:
        """Begin to send what may be sent now. It does not wait for any receiver.

        Raises:
            StoreAway: the database is busy or away.
        """
        self._forget_old()
        if not self._store.deliveries.wait():
            return
        now = self._clock.now()
        self._store.outbox_upkeep.assign(lambda: make_tokens(1, now)[0], now)
        for due in self._store.deliveries.due(now, MOST + len(self._busy)):
            if self._takes(due.row, fails=due.fails):
                threading.Thread(target=self._send_in_thread, args=[due.row], name="delivery", daemon=True).start()

    @made_once
    def _webhooks(self) -> Webhooks:
        return self._make_webhooks()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no message is on its way. Return False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)

    def _forget_old(self) -> None:
        """Remove feeds without clients, and what is too old to be delivered again, some of it in each call."""
        if self._clock.monotonic() >= self._forget_next:
            self._store.feeds.forget(self._clock.now())
            removed = self._store.outbox_upkeep.forget(self._clock.now(), DELIVERED_FOR, KEPT_FOR, MOST_FORGOTTEN)
            self._forget_next = self._clock.monotonic() + (0 if removed else FORGET_EVERY)

    def _takes(self, row: int, *, fails: bool) -> bool:
        """Return whether this process begins to send to a webhook, and note it."""
        with self._changed:
            if row in self._busy or len(self._busy) >= MOST or (fails and sum(self._busy.values()) >= MOST_FAILING):
                return False
            self._busy[row] = fails
            return True

    def _send_in_thread(self, row: int) -> None:
        try:
            for _ in range(MOST_IN_A_ROW):
                if not self.send(row):
                    break
        except StoreAway as error:  # the lease runs out, and then somebody sends the message again
            _log.warning("a delivery could not be recorded: %s", error.reason)
        except Exception:  # noqa: BLE001 - other webhooks must get their messages, and the log has the traceback
            _log.exception("a delivery failed")
        finally:
            with self._changed:
                del self._busy[row]
                self._changed.notify_all()

    def send(self, row: int) -> bool:
        """Send the next message to a webhook, and record what came of it. Return whether another may follow at once.

        Raises:
            StoreAway: the database is busy or away.
        """
        now = self._clock.now()
        leased = self._store.deliveries.lease(row, self._owner(), make_tokens(1, now)[0], now)
        if leased is None:
            return False
        body = body_of(leased.ends, leased.at, self._store.end_facts(leased.ends))
        webhooks = self._webhooks
        secrets = leased.to.secrets or [webhooks.own_secret()]
        headers = {**leased.to.headers, **signed(webhooks.sign, secrets, leased.id, now, body)}
        outcome = self._record(leased, webhooks.sender.send(leased.to.url, headers, body), now)
        return outcome is TryResult.DELIVERED and leased.is_full

    def _record(self, leased: Leased, answer: Answer, now: datetime) -> TryResult:
        number = leased.tries + 1
        pause = pause_after(number, self._chance(), answer.retry_after, leased.to.url)
        outcome = _outcome(answer.status, pause)
        retried_in = pause if outcome is TryResult.RETRIED else None
        done = try_of(
            answer,
            message=leased.id,
            type=type_of(leased.ends),
            count=len(leased.ends),
            at=now,
            number=number,
            outcome=outcome,
        )
        if outcome is TryResult.DELIVERED:
            passed = (self._clock.now() - now).total_seconds()
            self._store.deliveries.delivered(leased, done, 0.0 if leased.is_full else max(0.0, EVERY - passed))
        else:
            self._store.deliveries.failed(leased, done, retried_in)
        self._telemetry.emit(_event_of(leased, answer, outcome, retried_in))
        return outcome


def _event_of(leased: Leased, answer: Answer, outcome: TryResult, retried_in: float | None) -> Event:
    """Return the event of a try. `retried_in`: seconds to the next one; None if there is none."""
    if outcome is TryResult.DELIVERED:
        return events.Delivered(
            message=leased.id, ends=len(leased.ends), status=answer.status or 0, seconds=answer.seconds
        )
    return events.NotDelivered(
        message=leased.id,
        tries=leased.tries + 1,
        outcome=outcome.value,
        status=answer.status,
        reason=answer.problem or f"the receiver answered {answer.status}",
        pause=retried_in,
    )


def _outcome(status: int | None, pause: float | None) -> TryResult:
    if status in TAKEN:
        return TryResult.DELIVERED
    if status == GONE:
        return TryResult.DISABLED
    return TryResult.PARKED if pause is None else TryResult.RETRIED
