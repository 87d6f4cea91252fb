"""Spelling, the automaton, T5 and Llama token by token, and both writers, with networks of random weights."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from app.grade import TOOLS
from app.grade.codecs import CODECS, RowCodec
from app.students.causal_steps import CausalSteps
from app.students.spelling import Spelling, missing
from app.students.t5_steps import T5Steps
from app.students.writing import ConstrainedWriter, FreeWriter
from tests.grade.strategies import answers
from tests.students.tiny_writers import llama, llama_tokenizer, t5, t5_tokenizer

ROWS = {name: codec for name, codec in CODECS.items() if isinstance(codec, RowCodec)}
PROMPTS = [[5, 60, 70, 1], [80, 90, 1], [10, 110, 120, 130, 1]]


@pytest.fixture(scope="module", params=ROWS)
def spelling(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Spelling:
    codec = ROWS[request.param]
    tokenizer = t5_tokenizer(tmp_path_factory.mktemp("t5"))
    tokenizer.add_tokens(missing(codec, tokenizer))
    return Spelling(codec, tokenizer)


@given(data=st.data())
@pytest.mark.parametrize("tool", TOOLS)
def test_an_answer_comes_back_from_its_tokens_and_the_automaton_takes_them(data: st.DataObject, tool: str) -> None:
    codec = data.draw(st.sampled_from([*ROWS.values()]))
    spelling = _SPELLINGS[codec.name]
    text = data.draw(answers(codec.grammar(tool)))
    ids = spelling.ids(tool, text)
    assert spelling.text(ids) == text
    automaton = _AUTOMATA[codec.name]
    state = automaton.start[tool]
    for index in ids[:-1]:
        place = spelling.alphabet.index(index)
        assert automaton.allowed[state, place]
        state = int(automaton.next[state, place])
    assert state == automaton.end
    assert len(ids) <= automaton.longest


@given(data=st.data())
@pytest.mark.parametrize("tool", TOOLS)
def test_every_walk_through_the_automaton_is_an_answer(data: st.DataObject, tool: str) -> None:
    name = data.draw(st.sampled_from([*ROWS]))
    spelling, automaton = _SPELLINGS[name], _AUTOMATA[name]
    state, ids = automaton.start[tool], []
    while state != automaton.end:
        place = data.draw(st.sampled_from(automaton.allowed[state].nonzero()[0].tolist()))
        ids.append(spelling.alphabet[place])
        state = int(automaton.next[state, place])
    assert ROWS[name].grammar(tool).accepts(spelling.text(ids))


def test_a_tokenizer_without_the_codecs_tokens_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(ValueError, match=r"lacks \d+ tokens of the codec compact, e.g. <unused>"):
        Spelling(ROWS["compact"], llama_tokenizer())
    assert missing(ROWS["letters"], llama_tokenizer()) == []


def test_t5_written_out_gives_the_logits_of_the_stock_network(tmp_path: Path) -> None:
    network = t5(t5_tokenizer(tmp_path))
    with torch.inference_mode():
        steps = T5Steps(network, None, 20)
        logits, tokens = _greedy(steps, 12)
        ids = torch.tensor([[*prompt, *[0] * (5 - len(prompt))] for prompt in PROMPTS])
        begun = torch.cat([torch.zeros(3, 1, dtype=torch.long), tokens[:, :-1]], dim=1)
        stock = network(input_ids=ids, attention_mask=ids != 0, decoder_input_ids=begun).logits
    torch.testing.assert_close(logits, stock, rtol=1e-3, atol=1e-3 * float(stock.abs().max()))


def test_llama_step_by_step_gives_the_logits_of_each_prompt_alone() -> None:
    network = llama(_LLAMA)
    with torch.inference_mode():
        logits, tokens = _greedy(CausalSteps(network, None), 12)
        for row, prompt in enumerate(PROMPTS):
            whole = torch.tensor([[*prompt, *tokens[row, :-1].tolist()]])
            stock = network(input_ids=whole).logits[0, len(prompt) - 1 :]
            torch.testing.assert_close(logits[row], stock, rtol=1e-3, atol=1e-3 * float(stock.abs().max()))


def test_only_the_logits_of_the_alphabet_are_computed_and_they_are_the_same() -> None:
    network, some = llama(_LLAMA), [7, 3, 99]
    with torch.inference_mode():
        few, every = CausalSteps(network, some).begin(PROMPTS), CausalSteps(network, None).begin(PROMPTS)
    torch.testing.assert_close(few, every[:, some])


def test_a_random_network_writes_valid_answers_under_the_grammar(spelling: Spelling) -> None:
    codec, automaton = spelling.codec, spelling.automaton()
    tokenizer = spelling.tokenizer
    writer = ConstrainedWriter(
        T5Steps(t5(tokenizer, codec.name), spelling.alphabet, automaton.longest), spelling, automaton
    )
    tools = [*TOOLS, *TOOLS]
    with torch.inference_mode():
        written = writer.write([[5, 60 + i, 70, 1] for i in range(6)], tools)
    texts = [spelling.text(ids) for ids in written]
    for tool, text in zip(tools, texts, strict=True):
        assert codec.grammar(tool).accepts(text)
    assert len({*texts}) > 2


def test_the_grammar_binds_only_where_the_network_would_leave_it() -> None:
    spelling, automaton = _SPELLINGS["letters"], _AUTOMATA["letters"]
    wanted = {
        tool: spelling.ids(tool, text) for tool, text in {"adjust": "0B0(17)0000000000"[:17], "filter": "DH"}.items()
    }
    scripted = Scripted(spelling, [wanted["adjust"], wanted["filter"]])
    assert ConstrainedWriter(scripted, spelling, automaton).write([[1], [1]], ["adjust", "filter"]) == [
        wanted["adjust"][:-1],
        wanted["filter"][:-1],
    ]
    # One pass a token of the longest answer: none is spent on the end token, none on an answer that has ended.
    assert scripted.passes == len(wanted["adjust"]) - 1


def test_a_free_writer_stops_at_the_end_token_or_at_its_limit() -> None:
    spelling = _SPELLINGS["letters"]
    ids = spelling.ids("filter", "DH")
    whole = Scripted(spelling, [ids, [*ids[:-1], *ids[:-1], *ids[:-1]]], vocabulary=len(spelling.tokenizer))
    assert FreeWriter(whole, spelling.end, 5).write([[1], [1]], ["filter", "filter"]) == [ids, [*ids[:-1] * 2, ids[0]]]


class Scripted:
    """A network that is sure of certain answers."""

    device = torch.device("cpu")

    def __init__(self, spelling: Spelling, wanted: Sequence[Sequence[int]], vocabulary: int | None = None) -> None:
        self._columns = [*range(vocabulary)] if vocabulary else spelling.alphabet
        self._wanted, self.passes = wanted, 0

    def begin(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        assert len(prompts) == len(self._wanted)
        return self._logits()

    def step(self, tokens: Tensor) -> Tensor:
        assert len(tokens) == len(self._wanted)
        return self._logits()

    def _logits(self) -> Tensor:
        logits = torch.zeros(len(self._wanted), len(self._columns))
        for row, ids in enumerate(self._wanted):
            if self.passes < len(ids):
                logits[row, self._columns.index(ids[self.passes])] = 9
        self.passes += 1
        return logits


def _greedy(steps: T5Steps | CausalSteps, count: int) -> tuple[Tensor, Tensor]:
    """Logits [B, count, V] and the tokens that follow from them [B, count]."""
    logits = [steps.begin(PROMPTS)]
    while len(logits) < count:
        logits.append(steps.step(logits[-1].argmax(dim=-1)))
    stacked = torch.stack(logits, dim=1)
    return stacked, stacked.argmax(dim=-1)


def _spelled(codec: RowCodec) -> Spelling:
    tokenizer: PreTrainedTokenizerBase = llama_tokenizer()
    tokenizer.add_tokens(missing(codec, tokenizer))
    return Spelling(codec, tokenizer)


_LLAMA = llama_tokenizer()
_SPELLINGS = {name: _spelled(codec) for name, codec in ROWS.items()}
_AUTOMATA = {name: spelling.automaton() for name, spelling in _SPELLINGS.items()}
