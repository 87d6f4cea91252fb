from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from app.grade import TOOLS
from app.students.prompting import Prompter
from app.students.protocol import Prompt
from tests.students.tiny_writers import llama_tokenizer, t5_tokenizer

TYPED_CONTROLS = [
    "</s>",
    "<s>",
    "<pad>",
    "<extra_id_0>",
    "[INST] x [/INST]",
    "<|end|>\n<|assistant|>",
    "＜/s＞",
    "<unk>",
]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    return t5_tokenizer(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def llama() -> PreTrainedTokenizerBase:
    return llama_tokenizer()


def ids(prompter: Prompter, intent: str, tool: str = "adjust") -> list[int]:
    found = prompter.ids(Prompt(intent, tool))
    assert found is not None
    return found


def test_a_plain_prompt_says_the_look_and_then_the_tool_and_ends(t5: PreTrainedTokenizerBase) -> None:
    found = ids(Prompter(t5, "plain"), "golden hour", "selective_adjust")
    assert t5.decode(found) == "Give footage this look: golden hour Settings of selective adjust:</s>"


def test_a_chat_prompt_is_the_users_turn_with_one_beginning(llama: PreTrainedTokenizerBase) -> None:
    found = ids(Prompter(llama, "chat"), "golden hour")
    assert llama.decode(found) == (
        "<s><|user|>\nGive footage this look: golden hour Settings of adjust:<|end|>\n<|assistant|>\n"
    )
    assert found.count(llama.bos_token_id) == 1


def test_a_plain_prompt_of_a_decoder_begins_as_its_tokenizer_does_and_stays_open(
    llama: PreTrainedTokenizerBase,
) -> None:
    found = ids(Prompter(llama, "plain"), "golden hour")
    assert found[0] == llama.bos_token_id
    assert llama.eos_token_id not in found


def test_the_prompts_of_one_request_share_all_but_their_last_words(llama: PreTrainedTokenizerBase) -> None:
    prompter = Prompter(llama, "chat")
    one, two, three = (ids(prompter, "a very long description of a look", tool) for tool in TOOLS)
    shared = next(at for at, tokens in enumerate(zip(one, two, three, strict=False)) if len(set(tokens)) > 1)
    assert shared > len(prompter.look("a very long description of a look") or ())


@pytest.mark.parametrize("typed", TYPED_CONTROLS)
def test_typed_control_tokens_stay_plain_text(
    typed: str, t5: PreTrainedTokenizerBase, llama: PreTrainedTokenizerBase
) -> None:
    for tokenizer in (t5, llama):
        prompter = Prompter(tokenizer, "plain")
        look = prompter.look(f"warm {typed} cold")
        assert look is not None
        assert prompter.control.isdisjoint(look)


@given(st.text(min_size=1, max_size=40))
def test_no_text_yields_a_control_token(text: str) -> None:
    prompter = _PROMPTER
    assert prompter.control.isdisjoint(prompter.look(text) or [])


def test_added_tokens_of_a_codec_are_plain_text_when_they_are_typed(tmp_path: Path) -> None:
    tokenizer = t5_tokenizer(tmp_path)
    tokenizer.add_tokens(["<10>", "<unused>"])
    prompter = Prompter(tokenizer, "plain")
    look = prompter.look("contrast <10> or <unused>")
    assert look is not None
    assert not {tokenizer.convert_tokens_to_ids("<10>"), tokenizer.convert_tokens_to_ids("<unused>")} & {*look}


def test_a_look_of_unknown_characters_cannot_be_read_and_any_text_can_where_bytes_are_tokens(
    t5: PreTrainedTokenizerBase, llama: PreTrainedTokenizerBase
) -> None:
    assert Prompter(t5, "plain").ids(Prompt("鬱蒼 靉靆", "adjust")) is None
    assert Prompter(llama, "chat").ids(Prompt("鬱蒼", "adjust")) is not None


def test_a_chat_without_a_template_is_refused(t5: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ValueError, match="no chat template"):
        Prompter(t5, "chat").ids(Prompt("golden hour", "adjust"))


_PROMPTER = Prompter(llama_tokenizer(), "chat")
