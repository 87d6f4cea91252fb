"""The training itself, by the Trainer of `transformers`: a checkpoint every epoch, from which a killed run goes on."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from app.distill.finetune import processes
from app.distill.finetune.examples import TokenizedExample
from app.distill.finetune.plan import FinetunePlan
from app.distill.scores import Scores
from app.distill.train import Progress
from app.distill.training_run import LAST_EPOCHS
from app.distill.whole import write_whole

CURVES = "curves.json"
STATE = "trainer_state.json"
"""What the Trainer writes last into a checkpoint."""

Evaluate = Callable[[PreTrainedModel], Scores]
Report = Callable[[Progress], None]


class Finetuning:
    """One run in a folder. `evaluate` scores a network on the validation part."""

    def __init__(self, folder: Path, plan: FinetunePlan, evaluate: Evaluate, report: Report) -> None:
        self._folder, self._plan, self._evaluate, self._report = folder, plan, evaluate, report

    def run(
        self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[TokenizedExample]
    ) -> None:
        """Train, or go on where a killed run stopped."""
        trainer = Trainer(
            model=network,
            args=self._arguments(len(examples)),
            train_dataset=list(examples),
            data_collator=DataCollatorForSeq2Seq(tokenizer),
            callbacks=[_Curves(self._folder, self._evaluate, self._report)],
        )
        trainer.remove_callback(PrinterCallback)  # the terminal belongs to our own progress bar
        last = self._last_checkpoint()
        trainer.train(resume_from_checkpoint=None if last is None else str(last))

    def _arguments(self, examples: int) -> TrainingArguments:
        plan, cuda = self._plan, torch.cuda.is_available()
        devices = processes.count()
        accumulated = math.ceil(plan.batch / (plan.device_batch * devices))
        arguments = TrainingArguments(
            output_dir=str(self._folder),
            num_train_epochs=plan.epochs,
            per_device_train_batch_size=math.ceil(plan.batch / (accumulated * devices)),
            gradient_accumulation_steps=accumulated,
            learning_rate=plan.rate,
            warmup_steps=math.ceil(plan.warm_up * plan.epochs * math.ceil(examples / plan.batch)),
            weight_decay=plan.weight_decay,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            bf16=cuda and torch.cuda.is_bf16_supported(),
            save_strategy="epoch",
            save_total_limit=LAST_EPOCHS,
            logging_strategy="epoch",
            seed=plan.seed,
            data_seed=plan.seed,
            dataloader_pin_memory=cuda,
            ddp_find_unused_parameters=False,
            report_to=[],
            remove_unused_columns=False,
            disable_tqdm=True,
        )
        if arguments.n_gpu > 1:
            # Else the Trainer would spread every batch over all GPUs by threads, slowly and in larger batches.
            arguments._n_gpu = 1
        return arguments

    def _last_checkpoint(self) -> Path | None:
        """The newest whole one; what a kill left half written is passed over, and written again."""
        found = sorted(self._folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        return next((path for path in reversed(found) if _is_json(path / STATE)), None)


class _Curves(TrainerCallback):  # type: ignore[misc]
    """Loss and validation score of every epoch, kept in the run's folder, and the progress that is shown."""

    def __init__(self, folder: Path, evaluate: Evaluate, report: Report) -> None:
        self._folder, self._evaluate, self._report = folder, evaluate, report
        self._loss = math.nan

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        epoch, step = divmod(state.global_step - 1, self._steps(args, state))
        if state.is_world_process_zero:
            self._report(Progress(epoch, step + 1, self._steps(args, state), self._loss))

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any) -> None:
        # Comes with the end of an epoch, before its checkpoint is written.
        if not state.is_world_process_zero or "loss" not in logs:
            return
        scores = score_trained(kwargs["model"], self._evaluate)
        self._loss = float(logs["loss"])
        epoch, steps = round(state.epoch or 0), self._steps(args, state)
        entry = {"epoch": epoch, "step": state.global_step, "loss": self._loss, "overall": scores.overall}
        earlier = [entry for entry in read_curves(self._folder) if entry["epoch"] < epoch]
        write_whole(self._folder / CURVES, json.dumps([*earlier, entry], indent=1))
        self._report(Progress(epoch - 1, steps, steps, self._loss, scores))

    @staticmethod
    def _steps(args: Any, state: TrainerState) -> int:
        """Optimizer steps in an epoch."""
        return max(1, round(float(state.max_steps / args.num_train_epochs)))


def read_curves(folder: Path) -> list[dict[str, Any]]:
    """Every finished epoch of the run in a folder: ``epoch`` from 1, ``step``, ``loss``, ``overall``."""
    file = folder / CURVES
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def best_epoch(folder: Path) -> tuple[int, Path]:
    """The best of the last epochs by overall score, counted from 1, and its checkpoint."""
    best = max(read_curves(folder)[-LAST_EPOCHS:], key=lambda entry: entry["overall"])
    return best["epoch"], folder / f"checkpoint-{best['step']}"


def score_trained(network: PreTrainedModel, evaluate: Evaluate) -> Scores:
    """Score a network between two steps of its training, which goes on as if nothing had been."""
    # Of a LoRA the network that it was put into, which computes with it.
    inner = network.get_base_model() if hasattr(network, "peft_config") else network
    network.eval()
    random = torch.get_rng_state()
    with torch.inference_mode():
        scores = evaluate(inner)
    torch.set_rng_state(random)
    network.train()
    return scores


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True
