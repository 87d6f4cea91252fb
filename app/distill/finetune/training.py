"""The training itself, by the Trainer of `transformers`: checkpoints every epoch, from which a killed run goes on.

On several GPUs: ``accelerate launch -m app.cli train --student …``; only the first process scores and releases.
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from app.distill.finetune.examples import TokenizedExample
from app.distill.finetune.plan import FinetunePlan
from app.distill.scores import Scores
from app.distill.train import Progress

LAST_EPOCHS = 3
"""The released weights are the best of so many last epochs."""
CURVES = "curves.json"

Evaluate = Callable[[PreTrainedModel], Scores]
Report = Callable[[Progress], None]


class Finetuning:
    """One run in a folder. `evaluate` scores a network on the validation part."""

    def __init__(self, folder: Path, plan: FinetunePlan, evaluate: Evaluate, report: Report) -> None:
        self._folder, self._plan, self._evaluate, self._report = folder, plan, evaluate, report

    def run(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[TokenizedExample]
    ) -> Path:
        """Train, or go on where a killed run stopped; returns the checkpoint of the best of the last epochs."""
        curves = Curves(self._folder, self._evaluate, self._report)
        trainer = Trainer(
            model=network,
            args=self._arguments(len(examples)),
            train_dataset=list(examples),
            data_collator=DataCollatorForSeq2Seq(tokenizer, model=network),
            callbacks=[curves],
        )
        # The terminal belongs to our own progress bar.
        trainer.callback_handler.callbacks = [
            kept
            for kept in trainer.callback_handler.callbacks
            if "Progress" not in type(kept).__name__ and "Printer" not in type(kept).__name__
        ]
        trainer.train(resume_from_checkpoint=get_last_checkpoint(str(self._folder)))
        return self._checkpoint(curves.best(), self._steps(len(examples)))

    def _arguments(self, examples: int) -> TrainingArguments:
        plan, cuda = self._plan, torch.cuda.is_available()
        devices = int(os.environ.get("WORLD_SIZE", "1"))
        held = min(plan.device_batch, max(1, plan.batch // devices))
        return TrainingArguments(
            output_dir=str(self._folder),
            num_train_epochs=plan.epochs,
            per_device_train_batch_size=held,
            gradient_accumulation_steps=max(1, plan.batch // (held * devices)),
            learning_rate=plan.rate,
            warmup_steps=math.ceil(plan.warm_up * plan.epochs * self._steps(examples)),
            weight_decay=plan.weight_decay,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            bf16=cuda,
            save_strategy="epoch",
            save_total_limit=LAST_EPOCHS,
            logging_strategy="epoch",
            train_sampling_strategy="group_by_length",
            seed=plan.seed,
            data_seed=plan.seed,
            dataloader_pin_memory=cuda,
            report_to=[],
            remove_unused_columns=False,
            disable_tqdm=True,
        )

    def _steps(self, examples: int) -> int:
        """Optimizer steps in an epoch."""
        return math.ceil(examples / self._plan.batch)

    def _checkpoint(self, epoch: int, steps: int) -> Path:
        """The checkpoint that was saved at the end of an epoch, counted from 1."""
        found = sorted(self._folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        behind = self._plan.epochs - epoch
        return found[-1 - behind]


class Curves(TrainerCallback):  # type: ignore[misc]
    """Loss and validation score of every epoch, kept in the run's folder, and the progress that is shown."""

    def __init__(self, folder: Path, evaluate: Evaluate, report: Report) -> None:
        self._file, self._evaluate, self._report = folder / CURVES, evaluate, report

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """One entry a finished epoch: ``epoch`` from 1, ``loss``, ``overall``."""
        return read_curves(self._file.parent)

    def best(self) -> int:
        """The best of the last epochs by overall score, counted from 1."""
        return int(max(self.epochs[-LAST_EPOCHS:], key=lambda entry: entry["overall"])["epoch"])

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        steps = max(1, round(state.max_steps / args.num_train_epochs))
        if state.is_world_process_zero:
            self._report(Progress((state.global_step - 1) // steps, state.global_step % steps, steps, math.nan))

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any) -> None:
        # Comes with the end of an epoch, before its checkpoint is written.
        if state.is_world_process_zero and "loss" in logs:
            network: PreTrainedModel = kwargs["model"]
            epoch = round(float(state.epoch or 0))
            scores = score_trained(network, self._evaluate)
            entry = {"epoch": epoch, "loss": float(logs["loss"]), "overall": scores.overall}
            kept = [earlier for earlier in self.epochs if earlier["epoch"] < epoch]
            draft = self._file.with_suffix(".part")
            draft.write_text(json.dumps([*kept, entry], indent=1), encoding="utf-8")
            draft.replace(self._file)
            steps = max(1, round(state.max_steps / args.num_train_epochs))
            self._report(Progress(epoch - 1, steps, steps, entry["loss"], scores))


def read_curves(folder: Path) -> list[dict[str, Any]]:
    """Loss and score of every finished epoch of the run in a folder."""
    file = folder / CURVES
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def score_trained(network: PreTrainedModel, evaluate: Evaluate) -> Scores:
    """Score a network between two steps of its training, which goes on as if nothing had been."""
    network.eval()
    random = torch.get_rng_state()
    with torch.inference_mode():
        scores = evaluate(network)
    torch.set_rng_state(random)
    network.train()
    return scores
