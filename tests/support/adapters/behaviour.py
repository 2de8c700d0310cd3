"""The behaviour that every adapter shares: one table of situations (DESIGN §4, §6).

An adapter's tests inherit :class:`AdapterBehaviour`, once for each way of mounting a receiver at
``/webhooks/dub``.  ``mount`` serves ``setup.registry()``, a receiver with its handler; or, with
``is_route``, it decorates a handler with ``setup.hooks``, which answers ``OWN_BODY`` with the
status that ``setup.run(event)`` returns, or ``None``.  ``cannot`` names the needs of situations
that a framework cannot be put into at all; everything else has the same status everywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dubhooks import DeliveryRecord, MemoryStore, Webhooks
from dubhooks.events._base import Event
from tests.support.adapters.clients import Client, Response
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import (
    MAX_BODY,
    OWN_BODY,
    READ_TIMEOUT,
    SECRET,
    SITUATIONS,
    Situation,
    Step,
)


class Setup:
    """What an adapter mounts: a receiver and the handler of one situation."""

    def __init__(self, situation: Situation, path: Path) -> None:
        self.records: list[DeliveryRecord] = []
        self.runs = 0
        self.events = situation.events
        self.dedupe: Any = situation.dedupe
        self._answers = situation.answers
        settings: dict[str, Any] = {"store": MemoryStore(), "max_body": MAX_BODY}
        settings |= situation.settings(path)
        self.hooks = Webhooks(SECRET, observers=[self.records.append], **settings)
        """The receiver, without handlers of its events: what a route decorator takes."""
        if situation.registered:
            self.hooks.on(*situation.registered)(self._take)
        self.read_timeout = READ_TIMEOUT if situation.needs == "stall" else 30.0
        """Seconds; pass it on where an adapter has such an argument."""

    def run(self, event: Event) -> int | None:
        """Be the handler: return the status to answer, or ``None``; or raise."""
        assert isinstance(event, self.events or Event)
        answer = self._answers[min(self.runs, len(self._answers) - 1)]
        self.runs += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _take(self, event: Any) -> Any:
        """Be the handler of other events, whose result is never sent."""
        self.runs += 1
        return OWN_BODY

    def registry(self, *, is_async: bool = False) -> Webhooks:
        """Return the receiver with its handler registered, as a view or an endpoint takes it."""

        def handler(event: Any) -> object:
            status = self.run(event)
            return None if status is None else _Answered(status)

        register: Any = self.hooks.on_unhandled
        if self.events:
            register = self.hooks.on(*self.events, dedupe=self.dedupe)
        register(of_kind(handler, is_async=is_async))
        return self.hooks


@dataclass(frozen=True)
class _Answered:
    status_code: int


class AdapterBehaviour:
    """Inherit this, once for each way an adapter mounts a receiver."""

    is_route: ClassVar[bool] = False
    """The mount is a decorator on a route's handler."""
    cannot: ClassVar[frozenset[str]] = frozenset()
    """Needs of situations that this adapter can never be in."""

    def mount(self, setup: Setup) -> Client:
        """Serve ``setup`` at ``/webhooks/dub``."""
        raise NotImplementedError

    def expect_reply(self, step: Step) -> dict[str, str | None]:
        """Return the JSON of our own reply to a step."""
        return {"outcome": step.outcome} | ({"code": step.code} if step.code else {})

    def test_situation(self, situation: Situation, tmp_path: Path) -> None:
        """Every situation has the same status, outcome and number of runs as everywhere."""
        setup = Setup(situation, tmp_path)
        client = self.mount(setup)
        for number, step in enumerate(situation.steps, 1):
            told = len(setup.records)
            response = step.request.send(client)
            where = f"request {number}: {response}"
            assert response.status == step.status, where
            assert setup.runs == step.runs, where
            self._check_answer(step, response, where)
            _check_records(step, setup.records[told:], where)
        situation.check(client, tmp_path)

    def _check_answer(self, step: Step, response: Response, where: str) -> None:
        for name, value in step.headers.items():
            assert response.headers.get(name, "absent").startswith(value), where
        if step.is_own and self.is_route:
            assert response.body.decode() == OWN_BODY, where
        elif step.outcome is not None and step.outcome != "failed":
            assert json.loads(response.body) == self.expect_reply(step), where
            assert response.headers["content-type"] == "application/json", where

    def __init_subclass__(cls) -> None:
        """Give the subclass the situations that it can be in."""
        super().__init_subclass__()
        table = [
            pytest.param(situation, id=situation.name)
            for situation in SITUATIONS
            if situation.needs not in cls.cannot and (situation.needs != "route" or cls.is_route)
        ]

        @pytest.mark.parametrize("situation", table)
        def test_situation(self: AdapterBehaviour, situation: Situation, tmp_path: Path) -> None:
            AdapterBehaviour.test_situation(self, situation, tmp_path)

        test_situation.__doc__ = AdapterBehaviour.test_situation.__doc__
        cls.test_situation = test_situation  # type: ignore[method-assign]


def _check_records(step: Step, records: list[DeliveryRecord], where: str) -> None:
    if step.outcome is not None:
        assert [record.outcome for record in records] == [step.outcome], where
        # A handler's exception is the framework's to answer, with 500 as is ours.
        assert records[0].status == step.status, where
