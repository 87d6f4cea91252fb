"""Fine-tuning of students that write their answers: Flan-T5 in full, Llama by LoRA."""
