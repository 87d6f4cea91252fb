"""A student behind an OpenAI-compatible server, a vLLM server say, so that the web tier scales apart from the GPUs.

The server has the weights; the tokenizer, the codec and the form of the prompt come from the model store, whose entry
needs no weights here. Prompts go over the wire as token ids, each with the grammar of its own tool, and all of a
request at once: the server batches. vLLM understands grammar and allowed tokens; another server (``grammar=False``) is
asked without them, and the student must then be one that is decoded freely.
"""

import structlog
from pydantic import BaseModel

log = structlog.get_logger(__name__)

PROBE_SECONDS = 2.0
"""How often a server that failed is asked whether it is back."""
LONGEST_FREE = 512


class _Choice(BaseModel):
    text: str
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int = 0


class _Completion(BaseModel):
    """The part of a completion that is read; checked here because "compatible" servers vary."""

    choices: list[_Choice]
    usage: _Usage | None = None


class RemoteStudent:
    """A `Student` whose network is elsewhere. Raises ModelStoreError, ValueError for settings that cannot be used."""
