"""What the teacher's tokens cost, in US dollars by the prices that are set."""

from app.prompts.teacher import messages
from app.settings import Settings
from app.teacher.call import MAX_TOKENS

LONGEST_INTENT = 200
"""Characters."""

BYTES_PER_TOKEN = 3
"""Of a prompt: fewer than English has (about four), so that an estimate is rather too high."""


def dollars(settings: Settings, prompt_tokens: float, completion_tokens: float) -> float:
    """What a call cost."""
    prompt, completion = settings.teacher_prompt_dollars, settings.teacher_completion_dollars
    return (prompt_tokens * prompt + completion_tokens * completion) / 1e6


def most_dollars(settings: Settings, tool: str) -> float:
    """What a call about a tool will cost at most, by the longest prompt and the longest answer."""
    prompt = sum(len(message["content"].encode()) for message in messages(tool, "x" * LONGEST_INTENT))
    return dollars(settings, prompt / BYTES_PER_TOKEN, MAX_TOKENS)
