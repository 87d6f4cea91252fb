"""Fresh answers: now and then the teacher answers past cache and student, so that the log keeps rivals to learn from.

Only `POST /recolor` has them: a photo or a LUT is of a look that the user has seen, and must be that look again.

The user gets the teacher's answer, since only what is served can be exported; the student answers what the teacher does
not decide in time. It is not kept in the cache: there it would pose as the student's answer to everyone who asks next.
"""

import random
import time
import uuid
from collections.abc import Callable

import structlog

from app.serving.cache import CacheKey
from app.serving.cascade import TeacherFirst
from app.serving.recoloring import RecolorRequest
from app.serving.verdict import Decided
from app.settings import Settings
from app.students import Student
from app.teacher import Teacher, TeacherAnswer, TeacherError
from app.teacher.price import dollars, most_dollars

log = structlog.get_logger(__name__)

DAY_SECONDS = 86_400


class Budget:
    """Dollars a day, from midnight to midnight UTC, of this process alone: it starts anew with the process."""

    def __init__(self, dollars_a_day: float, clock: Callable[[], float] = time.time) -> None:
        self._most, self._clock = dollars_a_day, clock
        self._day, self._spent, self._refused = 0, 0.0, False

    def reserve(self, amount: float) -> bool:
        """Set an amount aside; False where the day's budget has no room for it, which is logged once a day."""
        day = int(self._clock() // DAY_SECONDS)
        if day != self._day:
            if self._refused:
                log.info("there is a new day's budget for fresh answers", dollars=self._most)
            self._day, self._spent, self._refused = day, 0.0, False
        if self._spent + amount > self._most:
            if not self._refused:
                log.warning("the day's budget for fresh answers has no room left", dollars=self._most)
            self._refused = True
            return False
        self._spent += amount
        return True

    def give_back(self, amount: float) -> None:
        """What was set aside and not needed. A call without an answer gives nothing back: it may have been paid for."""
        self._spent = max(0.0, self._spent - amount)


class Fresh(TeacherFirst):
    """The share of requests that the teacher answers, within a budget. Raises ValueError as `TeacherFirst`.

    `chance` gives numbers in [0, 1), evenly.
    """

    def __init__(
        self,
        student: Student,
        teacher: Teacher,
        settings: Settings,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(student, teacher, settings)
        self._settings, self._chance = settings, chance
        self._budget = Budget(settings.teacher_fresh_dollars, clock)

    def takes(self, request: RecolorRequest) -> bool:
        """Whether it is this request's turn, the teacher may be asked and the budget has room; then it is reserved."""
        if not request.fresh or self._chance() >= self._settings.teacher_fresh_share or not self._teacher.ready:
            return False
        return self._budget.reserve(sum(most_dollars(self._settings, tool) for tool in request.tools))

    def key(self, tool: str, intent: str) -> CacheKey:
        """Different every time: nothing is found in the cache, and nobody shares what was paid for one request."""
        return CacheKey("fresh", tool, uuid.uuid4().hex)

    def keeps(self, decided: Decided) -> bool:
        return False

    async def _ask(self, intent: str, tool: str, seconds: float) -> TeacherAnswer:
        most = most_dollars(self._settings, tool)
        try:
            answer = await super()._ask(intent, tool, seconds)
        except TeacherError as error:
            if not error.asked:
                self._budget.give_back(most)
            raise
        if answer.prompt_tokens:  # some servers do not say what a call took
            self._budget.give_back(most - dollars(self._settings, answer.prompt_tokens, answer.completion_tokens))
        return answer
