"""The folder of one training run: its log, and the state from which a killed run goes on."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from app.distill.whole import write_whole

LAST_EPOCHS = 3
"""The released weights are the best of so many last epochs."""


class TrainingRun:
    """State is written whole or not at all, after every epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The log, one entry a finished epoch."""
        log = self.folder / "log.json"
        return json.loads(log.read_text(encoding="utf-8")) if log.is_file() else []

    def save_epoch(
        self,
        entry: dict[str, Any],
        averaged: nn.Module,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Write the averaged weights of the epoch, the state to go on from, and last the log entry."""
        log = self.epochs
        _write(averaged.state_dict(), self.checkpoint(len(log)))
        _write(model.state_dict(), self._state("model", len(log) + 1))
        moments = {
            f"{index}.{name}": value
            for index, state in optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        _write(moments, self._state("optimizer", len(log) + 1))
        write_whole(self.folder / "log.json", json.dumps([*log, entry], indent=1))
        for name in ("model", "optimizer"):
            self._state(name, len(log)).unlink(missing_ok=True)

    def restore(self, averaged: nn.Module, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Load the state after the last finished epoch; returns the number of finished epochs."""
        done = len(self.epochs)
        if done:
            averaged.load_state_dict(load_file(self.checkpoint(done - 1)), strict=False)
            model.load_state_dict(load_file(self._state("model", done)), strict=False)
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in load_file(self._state("optimizer", done)).items():
                index, _, key = name.partition(".")
                state.setdefault(int(index), {})[key] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        return done

    def _state(self, name: str, done: int) -> Path:
        """Named by the finished epochs: what a kill leaves half written is never taken for the state of the log."""
        return self.folder / f"{name}-{done:02}.safetensors"

    def checkpoint(self, epoch: int) -> Path:
        """Where the averaged weights of an epoch lie, counted from 0."""
        return self.folder / f"epoch-{epoch + 1:02}.safetensors"

    def best(self) -> int:
        """The best of the last epochs by overall score, counted from 1."""
        return int(max(self.epochs[-LAST_EPOCHS:], key=lambda entry: entry["overall"])["epoch"])

    def prune(self) -> None:
        """Remove the checkpoints that can no longer be the best."""
        for file in sorted(self.folder.glob("epoch-*.safetensors"), key=_epoch)[:-LAST_EPOCHS]:
            file.unlink()


def _epoch(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _write(state: dict[str, Tensor], file: Path) -> None:
    """Tied weights share memory and are written once."""
    distinct: dict[int, str] = {}
    for name, tensor in state.items():
        distinct.setdefault(tensor.data_ptr(), name)
    draft = file.with_suffix(".part")
    save_file({name: state[name].contiguous() for name in distinct.values()}, draft)
    draft.replace(file)
