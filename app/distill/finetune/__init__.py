"""Fine-tuning of students that write their answers: Flan-T5 in full, Llama by LoRA."""

from app.distill.finetune.journey import FinetuneJourney, travel
from app.distill.finetune.plan import FinetunePlan, Lora

__all__ = ["FinetuneJourney", "FinetunePlan", "Lora", "travel"]
