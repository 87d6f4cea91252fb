"""What an answer may look like: a row of choices.

An answer of either codec is one option from each choice, in order; some options end it. A choice with a
single option is fixed text, on which no forward pass need be spent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.grade.codecs.regex import alternatives

Choice = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """`choices` are taken in order; an option in `final` ends the answer early."""

    choices: tuple[Choice, ...]
    final: frozenset[str] = frozenset()

    def split(self, text: str) -> Iterator[str]:
        """Cut an answer into its options. Stops silently where the text leaves the grammar or ends."""
        at = 0
        for choice in self.choices:
            fitting = [option for option in choice if text.startswith(option, at)]
            if not fitting:
                return
            option = max(fitting, key=len)
            yield option
            at += len(option)
            if option in self.final:
                return

    def accepts(self, text: str) -> bool:
        """Whether the whole text is one complete answer."""
        options = list(self.split(text))
        complete = bool(options) and (len(options) == len(self.choices) or options[-1] in self.final)
        return complete and sum(map(len, options)) == len(text)

    def regex(self) -> str:
        """A regular expression that matches whole answers and nothing else."""
        rest = ""
        for choice in reversed(self.choices):
            ends = [option for option in choice if option in self.final]
            going_on = [option for option in choice if option not in self.final]
            written = alternatives(going_on) + rest if going_on else ""
            rest = f"(?:{alternatives(ends)}|{written})" if ends and going_on else written or alternatives(ends)
        return rest
