"""Weights in 8 bits: how far they may be from what was saved, and that tied weights stay tied."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from app.distill.corpus import read_corpus
from app.distill.train import Trainer
from app.students import quantised
from app.students.hf import load_network, save_network
from tests.students.tiny import PLAN, VALIDATION, Tiny


@given(scales=st.lists(st.floats(-8, 6), min_size=1, max_size=6), columns=st.integers(1, 50), seed=st.integers(0, 1000))
def test_a_matrix_comes_back_within_half_a_step_of_each_row(scales: list[float], columns: int, seed: int) -> None:
    torch.manual_seed(seed)
    weight = torch.randn(len(scales), columns) * torch.tensor([10.0**scale for scale in scales])[:, None]
    back = through_file({"weight": weight})["weight"]
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert back.dtype == torch.float32
    assert bool(((back - weight).abs() <= step * 0.5001).all())


def test_the_largest_of_a_row_comes_back_almost_exactly() -> None:
    weight = torch.tensor([[1.27, -0.1, 0.004], [-3.0, 2.0, 1.0]])
    back = through_file({"weight": weight})["weight"]
    torch.testing.assert_close(back[0], torch.tensor([1.27, -0.1, 0.0]), atol=1e-6, rtol=0)
    assert back[1, 0].item() == pytest.approx(-3.0, rel=1e-6)


def test_a_row_of_zeros_stays_zero() -> None:
    assert through_file({"weight": torch.zeros(2, 3)})["weight"].abs().max() == 0


def test_vectors_are_kept_exactly() -> None:
    bias = torch.randn(17)
    assert torch.equal(through_file({"bias": bias})["bias"], bias)


def test_a_file_is_four_times_smaller_than_its_matrices(tmp_path: Path) -> None:
    quantised.save({"weight": torch.randn(400, 400)}, tmp_path / "w")
    assert (tmp_path / "w").stat().st_size < 400 * 400 + 400 * 4 + 1000


def test_what_shares_memory_is_written_once(tmp_path: Path) -> None:
    weight = torch.randn(3, 4)
    quantised.save({"first": weight, "second": weight, "alike": weight.clone()}, tmp_path / "w")
    assert set(load_file(tmp_path / "w")) == {"first.int8", "first.scale", "alike.int8", "alike.scale"}


def test_codes_without_their_scale_are_refused(tmp_path: Path) -> None:
    save_file({"weight.int8": torch.zeros(2, 2, dtype=torch.int8)}, tmp_path / "w")
    with pytest.raises(ValueError, match=r"weight.int8 has no scale"):
        quantised.load(tmp_path / "w")


def test_what_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="/w: "):
        quantised.load(tmp_path / "w")


def test_the_output_layer_of_a_loaded_student_is_its_embedding(tiny: Tiny) -> None:
    stored = set(load_file(tiny.path / "model.safetensors"))
    assert not any(name.startswith("decoder.cls.predictions.decoder.weight") for name in stored)
    decoder = load_network(tiny.path, tiny.stored.manifest).decoder
    embedding = decoder.bert.embeddings.word_embeddings.weight
    assert decoder.cls.predictions.decoder.weight.data_ptr() == embedding.data_ptr()
    assert decoder.cls.predictions.decoder.bias.data_ptr() == decoder.cls.predictions.bias.data_ptr()


def test_a_student_loads_in_float32_and_ready_to_compute(tiny: Tiny) -> None:
    network = load_network(tiny.path, tiny.stored.manifest)
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    assert not network.training


def test_scores_survive_quantisation(tiny: Tiny, tmp_path: Path) -> None:
    corpus = read_corpus(tiny.teacher, VALIDATION, PLAN.seed)
    trainer = Trainer(corpus, tiny.encoder, tiny.run, PLAN)
    exact = trainer.train(lambda progress: None)  # the run is finished: this only loads its best epoch
    save_network(exact, tmp_path)
    rounded = load_network(tmp_path, tiny.stored.manifest)
    before, after = (trainer.evaluate(network, corpus.validation).overall for network in (exact, rounded))
    assert after == pytest.approx(before, abs=0.03)
    logits = [trainer.logits(network, corpus.validation)[0].softmax(-1) for network in (exact, rounded)]
    torch.testing.assert_close(*logits, atol=0.02, rtol=0)


def through_file(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        quantised.save(state, Path(folder) / "w")
        return {name: tensor.clone() for name, tensor in quantised.load(Path(folder) / "w").items()}
