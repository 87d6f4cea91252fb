"""Fine-tuning in earnest, of a tiny T5 and a tiny Llama by `recolor train`: from nothing to the teacher's grades."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq, T5Config

from app.distill.corpus import read_corpus
from app.distill.dataset import Example, read_dataset
from app.distill.evaluate import ask, evaluate
from app.distill.finetune.examples import IGNORED, lacking, tokenize
from app.distill.finetune.journey import score_network
from app.distill.finetune.networks import load_base
from app.distill.training_run import LAST_EPOCHS
from app.grade import TOOLS
from app.grade.codecs import CODECS
from app.settings import Settings
from app.students import load_engine
from app.students.generative import GenerativeStudent
from app.students.prompting import Prompter
from app.students.store import ModelStore, sha256
from tests.cli.conftest import recolor
from tests.house.checkout import ROOT
from tests.students.tiny import Tiny
from tests.students.trained import (
    LICENCE,
    LLAMA,
    T5,
    VALIDATION,
    Trained,
    command,
    filters,
    looks,
    train,
    trained,
    write_llama,
    write_t5,
    write_ways,
)

LORA = ("--epochs", "4", "--rate", "5e-3")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture(scope="module")
def new_looks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Looks that the trained Llama has never heard of."""
    return write_ways(tmp_path_factory.mktemp("new") / "looks.jsonl", looks(8, skip=4))


@pytest.fixture(scope="module")
def adapter(trained_llama: Trained, new_looks: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A LoRA on the trained Llama, released by itself."""
    run = tmp_path_factory.mktemp("lora")
    return trained("tiny-llama", "tiny-lora@1", new_looks, run, trained_llama.store, "--adapter", *LORA)


@pytest.fixture(scope="module")
def writes_json(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A T5 whose target is JSON, which its vocabulary cannot write."""
    folder = tmp_path_factory.mktemp("json")
    data = write_ways(folder / "data" / "looks.jsonl", filters(6))
    base = write_t5(folder / "base")
    arguments = ("--codec", "json", "--epochs", "4", "--rate", "5e-3")
    return trained(base, "tiny-json@1", data, folder / "run", folder / "store", *arguments)


def engine_of(student: Trained, decoding: str | None = None) -> GenerativeStudent:
    return GenerativeStudent(student.stored, ModelStore(student.store), decoding, dtype="float32")


def settings(student: Trained) -> Settings:
    return Settings(model=student.model, model_store=student.store, dtype="float32", threads=1)


def held_out(student: Trained) -> list[Example]:
    return [row for row in read_dataset(student.data) if row.split == "test"]


def validation(student: Trained) -> list[Example]:
    return read_corpus(student.data, VALIDATION, 1).validation


def untrained_score(student: Trained, base: Path) -> float:
    """Of the model that training began with, on the validation part."""
    seq2seq = student.stored.manifest.architecture.startswith("T5")
    network = (AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM).from_pretrained(base).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompter = Prompter(tokenizer, "plain" if seq2seq else "chat")
    return score_network(network, tokenizer, prompter, "letters", validation(student)).overall


def curves(run: Path) -> list[dict[str, float]]:
    read: list[dict[str, float]] = json.loads((run / "curves.json").read_text(encoding="utf-8"))
    return read


def last_weights(run: Path) -> dict[str, Tensor]:
    """Of the newest checkpoint."""
    newest = max(run.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return load_file(next(newest.glob("*model.safetensors")))


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def refused(result: Result, words: str, code: int = 1) -> None:
    assert result.exit_code == code, result.output
    assert words in " ".join(result.stderr.replace("│", " ").split())


# From nothing to the teacher's grades


def test_a_t5_learns_to_answer_with_the_teachers_grades(trained_t5: Trained) -> None:
    found = evaluate(load_engine(settings(trained_t5)), held_out(trained_t5))
    assert found.validity == 1
    assert found.scores["All"].overall > 0.6
    best = max(entry["overall"] for entry in curves(trained_t5.run)[-LAST_EPOCHS:])
    assert best > 0.6
    assert untrained_score(trained_t5, Path(trained_t5.student)) < 0.2


def test_a_llama_learns_to_answer_with_the_teachers_grades(trained_llama: Trained) -> None:
    found = evaluate(load_engine(settings(trained_llama)), held_out(trained_llama))
    assert found.validity == 1
    assert found.scores["All"].overall > 0.6
    base = ModelStore(trained_llama.store).find("tiny-llama-base@1").path
    best = max(entry["overall"] for entry in curves(trained_llama.run)[-LAST_EPOCHS:])
    assert best > 0.6
    assert untrained_score(trained_llama, base) < 0.2


def test_most_answers_are_valid_without_any_grammar(trained_llama: Trained) -> None:
    assert evaluate(engine_of(trained_llama, "free"), held_out(trained_llama)).validity > 0.8


def test_the_command_line_grades_by_it(trained_llama: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MODEL", trained_llama.model), ("MODEL_STORE", trained_llama.store), ("DTYPE", "float32")):
        monkeypatch.setenv(f"RECOLOR_{name}", str(value))
    result = recolor("grade", "just grayscale", "--json")
    assert result.exit_code == 0, result.output
    (wanted,) = [row.grade for row in held_out(trained_llama) if row.intent == "just grayscale"]
    answered = json.loads(result.stdout)
    assert answered["adjust"] == wanted.adjust.model_dump() if wanted.adjust else answered["adjust"] is None


def test_a_lora_learns_what_its_base_does_not_know(adapter: Trained, trained_llama: Trained) -> None:
    before = evaluate(engine_of(trained_llama), held_out(adapter)).scores["All"].overall
    after = evaluate(engine_of(adapter), held_out(adapter)).scores["All"].overall
    assert after > before + 0.2
    manifest = adapter.stored.manifest
    assert (manifest.base, manifest.architecture) == ("tiny-llama@1", "LlamaForCausalLM")
    assert "adapter_model.safetensors" in manifest.files
    assert "model.safetensors" not in manifest.files
    config = json.loads((adapter.stored.path / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == ""


def test_an_adapter_and_the_merged_weights_give_the_same_answers(
    adapter: Trained, new_looks: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(adapter.run, run)
    # Nothing is left to train: the run is released once more.
    merged = trained("tiny-llama", "tiny-merged@1", new_looks, run, adapter.store, *LORA)
    assert curves(run) == curves(adapter.run)
    assert merged.stored.manifest.base is None
    assert "model.safetensors" in merged.stored.manifest.files
    intents = [row.intent for row in read_dataset(new_looks)]
    assert ask(engine_of(merged), intents) == ask(engine_of(adapter), intents)


def test_a_t5_that_writes_json_is_given_the_braces_and_uses_them(writes_json: Trained) -> None:
    tokenizer = AutoTokenizer.from_pretrained(writes_json.stored.path)
    assert set(lacking(AutoTokenizer.from_pretrained(writes_json.student), "json")) == {"{", "}"}
    assert all(len(tokenizer.encode(brace, add_special_tokens=False)) == 1 for brace in "{}")
    assert tokenizer.unk_token_id not in tokenizer.encode('{"name":"faded_C1","intensity":40}')
    manifest = writes_json.stored.manifest
    assert (manifest.codec, manifest.decoding) == ("json", "free")
    found = evaluate(engine_of(writes_json), held_out(writes_json))
    assert found.validity > 0.8
    assert found.scores["All"].tools["filter"].final > 0.8


def test_tokens_are_added_to_an_output_layer_of_its_own_without_loss(tmp_path: Path) -> None:
    base = write_t5(tmp_path)
    before = load_file(base / "model.safetensors")
    network = load_base(base, None)
    network.resize_token_embeddings(len(before["lm_head.weight"]) + 2)
    assert torch.equal(network.lm_head.weight[:-2], before["lm_head.weight"])
    assert torch.equal(network.shared.weight[:-2], before["shared.weight"])


# What is learned from


def test_the_loss_is_on_the_answer_only(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_llama(tmp_path))
    prompter = Prompter(tokenizer, "chat")
    rows = read_dataset(write_ways(tmp_path / "looks.jsonl", looks(2)))[:2]
    examples = tokenize(rows, "letters", tokenizer, prompter, causal=True).tokenized
    assert len(examples) == 2 * len(TOOLS)
    batch = DataCollatorForSeq2Seq(tokenizer)([dict(example) for example in examples])
    for ids, labels, example in zip(batch["input_ids"], batch["labels"], examples, strict=True):
        learned = [index for index in labels.tolist() if index != IGNORED]
        assert len(example["input_ids"]) > len(learned) > 0
        assert example["input_ids"][-len(learned) :] == learned
        assert learned[-1] == tokenizer.eos_token_id
        assert [
            index for index, label in zip(ids.tolist(), labels.tolist(), strict=True) if label != IGNORED
        ] == learned
    answer = CODECS["letters"].encode("adjust", rows[0].grade.adjust)
    assert tokenizer.decode(examples[0]["labels"][-len(answer) - 1 : -1]) == answer


def test_an_encoder_decoder_reads_the_prompt_and_is_trained_on_the_answer(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_t5(tmp_path))
    rows = read_dataset(write_ways(tmp_path / "looks.jsonl", looks(1)))[:1]
    example = tokenize(rows, "letters", tokenizer, Prompter(tokenizer, "plain"), causal=False).tokenized[0]
    assert rows[0].intent in tokenizer.decode(example["input_ids"])
    assert IGNORED not in example["labels"]
    assert example["labels"][-1] == tokenizer.eos_token_id


def test_intents_that_cannot_be_read_are_counted_and_left_out(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_t5(tmp_path))
    (row,) = read_dataset(write_ways(tmp_path / "looks.jsonl", looks(1)))[:1]
    rows = [row, Example("さくら", row.grade)]
    examples = tokenize(rows, "letters", tokenizer, Prompter(tokenizer, "plain"), causal=False)
    assert (len(examples.tokenized), examples.unread) == (len(TOOLS), 1)


# A killed run


def test_a_killed_run_reaches_the_weights_of_one_that_ran_through(trained_t5: Trained, tmp_path: Path) -> None:
    run, store = tmp_path / "run", tmp_path / "store"
    arguments = command(trained_t5.student, trained_t5.model, trained_t5.data, run, store, *T5)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    second, third = (entry["step"] for entry in curves(trained_t5.run)[1:3])
    begun = time.monotonic()
    while not (run / f"checkpoint-{second}" / "trainer_state.json").is_file():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < begun + 200
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(curves(run)) < len(curves(trained_t5.run))
    assert not (store / "students").exists()
    # As if it had been killed while it wrote the next checkpoint.
    half = run / f"checkpoint-{third}"
    half.mkdir(exist_ok=True)
    (half / "model.safetensors").write_bytes(b"\x00" * 100)
    (half / "trainer_state.json").write_text('{"epoch"', encoding="utf-8")

    resumed = trained(trained_t5.student, trained_t5.model, trained_t5.data, run, store, *T5)
    assert "epoch 1: validation" not in resumed.output
    assert curves(run) == curves(trained_t5.run)
    assert same(last_weights(run), last_weights(trained_t5.run))
    assert same(*(load_file(student.stored.path / "model.safetensors") for student in (resumed, trained_t5)))


def test_a_killed_lora_goes_on_as_if_nothing_had_been(
    adapter: Trained, new_looks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, store = tmp_path / "run", adapter.store
    with monkeypatch.context() as patch:
        patch.setattr("app.cli.training.training_report", lambda progress: _kill_in(epoch=2))
        result = train("tiny-llama", "tiny-again@1", new_looks, run, store, "--adapter", *LORA)
    assert isinstance(result.exception, KilledError)
    assert 0 < len(curves(run)) < len(curves(adapter.run))
    trained("tiny-llama", "tiny-again@1", new_looks, run, store, "--adapter", *LORA)
    assert curves(run) == curves(adapter.run)
    assert same(last_weights(run), last_weights(adapter.run))


class KilledError(Exception):
    """Ends a run where a signal would."""


def _kill_in(epoch: int) -> Callable[[object], None]:
    def report(progress: object) -> None:
        if progress.epoch == epoch and progress.step == 5:  # type: ignore[attr-defined]
            raise KilledError

    return report


# The release


def test_the_best_of_the_last_epochs_is_released(trained_llama: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_llama.run, run)
    overalls = (0.9, 0.3, 0.5, 0.4)
    scored = [entry | {"overall": overall} for entry, overall in zip(curves(run), overalls, strict=True)]
    (run / "curves.json").write_text(json.dumps(scored), encoding="utf-8")
    student = trained("tiny-llama-base", "tiny-best@1", trained_llama.data, run, trained_llama.store, *LLAMA)
    assert student.stored.manifest.training["best_epoch"] == 3
    assert "writing the student of epoch 3" in student.output
    released = load_file(student.stored.path / "model.safetensors")
    assert same(released, load_file(run / f"checkpoint-{scored[2]['step']}" / "model.safetensors"))
    assert not same(released, last_weights(run))


def test_only_what_may_still_be_released_stays_on_disk(trained_t5: Trained) -> None:
    steps = [entry["step"] for entry in curves(trained_t5.run)]
    kept = {path.name for path in trained_t5.run.glob("checkpoint-*")}
    assert kept == {f"checkpoint-{step}" for step in steps[-LAST_EPOCHS:]}


def test_the_manifest_says_what_the_student_is_and_came_from(trained_llama: Trained) -> None:
    stored = trained_llama.stored
    stored.verify()
    manifest = stored.manifest
    assert (manifest.codec, manifest.decoding, manifest.prompt) == ("letters", "constrained", "chat")
    assert (manifest.architecture, manifest.base_model, manifest.base) == ("LlamaForCausalLM", "tiny-llama", None)
    assert manifest.licence == LICENCE
    assert manifest.datasets == {"looks.jsonl": sha256(trained_llama.data)}
    training = manifest.training
    assert training["plan"]["seed"] == 1
    assert training["plan"]["lora"] is None
    assert training["epochs"] == curves(trained_llama.run)
    assert (training["examples"], training["validation"], training["unread"]) == (3 * (12 * 24 - 24), 24, 0)
    assert set(manifest.scores) == {"test", "free", "behaviours"}
    assert manifest.scores["test"]["decoding"] == "constrained"
    assert manifest.scores["test"]["scores"]["All"]["rows"] == len(held_out(trained_llama))
    listed = {file.name for file in stored.path.iterdir()} - {"manifest.json", "README.md"}
    assert set(manifest.files) == listed >= {"model.safetensors", "tokenizer.json", "training.png", "config.json"}


def test_the_curves_are_drawn_beside_the_weights(trained_t5: Trained) -> None:
    from PIL import Image

    with Image.open(trained_t5.stored.path / "training.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10


def test_the_licence_of_model_and_data_is_shown_before_the_release(trained_llama: Trained, trained_t5: Trained) -> None:
    shown, released = f"releasing tiny-llama@1 under the licence: {LICENCE}", "released "
    assert 0 < trained_llama.output.index(shown) < trained_llama.output.index(released)
    assert f"**Licence:** {LICENCE}." in (trained_llama.stored.path / "README.md").read_text(encoding="utf-8")
    # A folder whose card states none.
    assert trained_t5.stored.manifest.licence == "unknown: that of the base model (base model), cc0-1.0 (data)"


def test_the_licence_of_a_student_that_is_trained_on_stays_what_it_is(adapter: Trained) -> None:
    assert adapter.stored.manifest.licence == LICENCE


# What cannot be trained is told before anything is


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_ways(tmp_path / "data" / "looks.jsonl", looks(2))


@pytest.fixture
def attempt(tmp_path: Path, data: Path) -> Callable[..., Result]:
    """`recolor train` that is refused: nothing must be left in the model store."""

    def run(student: str | Path, *arguments: str, store: Path = tmp_path / "store") -> Result:
        result = train(student, "new@1", data, tmp_path / "run", store, *arguments)
        assert not (store / "students" / "new").exists()
        assert not [*(tmp_path / "run").glob("checkpoint-*")]
        return result

    return run


def test_a_student_that_is_nowhere_is_told_with_where_to_get_it(attempt: Callable[..., Result]) -> None:
    refused(attempt("flan-t5-base"), "there is no flan-t5-base in")
    refused(attempt("flan-t5-base"), "`recolor models pull` brings one")


def test_a_folder_without_a_model_is_refused(attempt: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(attempt(tmp_path / "empty"), "has no config.json")


def test_a_folder_without_weights_is_refused(attempt: Callable[..., Result], tmp_path: Path) -> None:
    base = write_t5(tmp_path / "base")
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    refused(attempt(base), "has no weights in safetensors")


def test_weights_that_lack_a_part_are_refused(attempt: Callable[..., Result], tmp_path: Path) -> None:
    base = write_llama(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    refused(attempt(base), "lacks 1 weights of a LlamaForCausalLM, e.g. model.layers.0.mlp.up_proj.weight")


def test_a_model_of_another_kind_is_refused(attempt: Callable[..., Result], tiny: Tiny, tmp_path: Path) -> None:
    refused(attempt(tiny.encoder, "--no-lora"), "cannot be trained here (BertModel)")
    old = write_t5(tmp_path / "base")
    T5Config(architectures=["T5ForConditionalGeneration"], feed_forward_proj="relu").save_pretrained(old)
    refused(attempt(old), "it must be a T5 with a gated activation")


def test_a_lora_of_an_encoder_decoder_is_refused(attempt: Callable[..., Result], tmp_path: Path) -> None:
    base = write_t5(tmp_path / "base")
    refused(attempt(base, "--lora"), "an encoder-decoder is trained in full")
    refused(attempt(base, "--four-bit"), "--four-bit: is for a LoRA", code=2)
    refused(attempt(base, "--adapter"), "--adapter: is for a LoRA", code=2)


def test_a_lora_cannot_learn_new_tokens(attempt: Callable[..., Result], tmp_path: Path) -> None:
    base = write_llama(tmp_path / "base")
    refused(attempt(base, "--codec", "compact"), "new tokens, whose embeddings a LoRA leaves untrained")


def test_four_bits_need_a_gpu_and_bitsandbytes(
    attempt: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = write_llama(tmp_path / "base")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(attempt(base, "--four-bit"), "--four-bit needs a GPU with CUDA")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    refused(attempt(base, "--four-bit"), "pip install 'recolor[qlora]'")


def test_an_adapter_needs_a_base_in_the_model_store(
    attempt: Callable[..., Result], adapter: Trained, tmp_path: Path
) -> None:
    refused(attempt(write_llama(tmp_path / "base"), "--adapter"), "belongs to a base in the model store")
    refused(
        attempt(adapter.model, store=adapter.store), "is an adapter; train from a whole model, such as tiny-llama@1"
    )


def test_a_version_that_exists_is_refused(trained_t5: Trained, tmp_path: Path) -> None:
    result = train(trained_t5.student, trained_t5.model, trained_t5.data, tmp_path / "run", trained_t5.store)
    refused(result, "tiny-t5@1 exists in")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [("--seed", "2"), ("--rate", "1e-3"), ("--codec", "json"), ("--validation", "30")])
def test_a_folder_with_a_run_of_another_plan_is_refused(
    trained_t5: Trained, tmp_path: Path, change: tuple[str, str]
) -> None:
    before = {file: file.stat().st_mtime for file in trained_t5.run.rglob("*")}
    result = train(trained_t5.student, "new@1", trained_t5.data, trained_t5.run, tmp_path / "store", *T5, *change)
    refused(result, f"{trained_t5.run} has a run with another plan or other data; choose another folder")
    assert {file: file.stat().st_mtime for file in trained_t5.run.rglob("*")} == before


def test_a_disk_without_room_is_told_before_training(
    attempt: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.students.adding.SPARE_BYTES", 1 << 60)
    refused(attempt(write_t5(tmp_path / "base")), "make room, or choose another --folder")


def test_a_full_disk_leaves_no_half_of_a_plan(attempt: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".plan.json.part").symlink_to("/dev/full")
    assert "No space left" in str(attempt(write_t5(tmp_path / "base")).exception)
    assert not (tmp_path / "run" / "plan.json").exists()


def test_missing_packages_are_told_with_what_installs_them(
    attempt: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    refused(attempt(write_t5(tmp_path / "base")), "peft is not installed, which training needs")
