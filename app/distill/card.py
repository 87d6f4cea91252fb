"""The model card of a release: what it is, what it learned from, how good it is, where it fails."""

from typing import Any

from app.grade import TOOLS
from app.students.manifest import Manifest


def model_card(manifest: Manifest, scores: dict[str, Any]) -> str:
    """Markdown. `scores` is what goes into the manifest: a plain evaluation under ``test``, and ``behaviours``."""
    test, behaviours = scores["test"], scores["behaviours"]
    training = manifest.training
    return f"""# {manifest.model}

A small encoder-decoder that reads a look in the user's words and answers with the settings of {len(TOOLS)} editing
tools. The encoder is a BERT started from {manifest.base_model}; the decoder asks for every parameter of
every tool at once and answers them in one pass. Stock `transformers` classes (`{manifest.architecture}`), weights in 8
bits (`weight.int8 * weight.scale`, row by row), turned back into float32 when loaded.

- **Licence:** {manifest.licence}. The encoder is derived from {manifest.base_model} (Apache-2.0).
- **Data:** {_datasets(manifest)}: settings that a
  large language model chose under the project's own guide. No user data.
- **Trained by:** `{training["command"]}` (seed {training["plan"]["seed"]}, {training["plan"]["epochs"]} epochs,
  {training["examples"]} examples, {training["validation"]} held out for validation;
  best epoch {training["best_epoch"]}).

## Scores on the test split

{_table(test)}

"r3" and "r5" are rows of popularity at least 3 and 4, which stands in for calls. Two teachers agree at 0.83.
Valid answers: {test["validity"]:.1%} constrained, {scores["free"]["validity"]:.1%} free. Spurious parameters an
answer: {test["scores"]["All"]["spurious"]:.2f} (between two teachers 1.42). Tokens an answer, all tools:
{test["tokens"]:.1f}. Intents it says it cannot read: {test["unread"]} of {test["scores"]["All"]["rows"]}; they are
scored as no tool used.
Behaviours passed: {behaviours["passed"]} of {behaviours["total"]} ({behaviours["passed"] / behaviours["total"]:.0%}).

## Limits

It reads Latin letters, digits and emoji; other scripts are reported as `low_confidence`. Weakest domains:
{_weakest(test["domains"])}. It knows films, games and places only as far as its small encoder and
the training intents do, and answers an unknown name with a guess.
"""


def writer_card(manifest: Manifest, scores: dict[str, Any]) -> str:
    """The card of a student that writes its answers; `scores` as for `model_card`."""
    test, free, behaviours = scores["test"], scores["free"], scores["behaviours"]
    training = manifest.training
    adapter = f" A LoRA adapter on {manifest.base}." if manifest.base else ""
    return f"""# {manifest.model}

{manifest.base_model}, fine-tuned to answer a look in the user's words with the settings of {len(TOOLS)} editing tools
(`{manifest.architecture}`, codec `{manifest.codec}`, prompt `{manifest.prompt}`).{adapter}

- **Licence:** {manifest.licence}.
- **Data:** {_datasets(manifest)}: settings that a
  large language model chose under the project's own guide. No user data.
- **Trained by:** `{training["command"]}` ({training["examples"]} examples, {training["validation"]} intents
  held out for validation; best epoch {training["best_epoch"]}). Loss and score, epoch by epoch: `training.png`.

## Scores on the test split

{_table(test)}

"r3" and "r5" are rows of popularity at least 3 and 4, which stands in for calls. Valid answers:
{test["validity"]:.1%} ({test["decoding"]}), {free["validity"]:.1%} free. Tokens an answer, all tools:
{test["tokens"]:.1f}. Behaviours passed: {behaviours["passed"]} of {behaviours["total"]}. Weakest domains:
{_weakest(test["domains"])}.
"""


def _table(test: dict[str, Any]) -> str:
    header = "| rows | n | " + " | ".join(f"{tool} sel. / qual. / final" for tool in TOOLS) + " | overall |"
    lines = [header, "|" + "---|" * (len(TOOLS) + 3)]
    for name, scores in test["scores"].items():
        cells = [
            f"{tool['selection']:.2f} / {tool['quality']:.2f} / {tool['final']:.2f}"
            for tool in scores["tools"].values()
        ]
        lines.append(f"| {name} | {scores['rows']} | {' | '.join(cells)} | **{scores['overall']:.3f}** |")
    return "\n".join(lines)


def _datasets(manifest: Manifest) -> str:
    return ", ".join(f"`{name}` (SHA-256 {digest[:12]}…)" for name, digest in manifest.datasets.items())


def _weakest(domains: dict[str, Any]) -> str:
    worst = sorted(domains.items(), key=lambda item: float(item[1]["overall"]))[:4]
    return ", ".join(f"{name} ({scores['overall']:.2f})" for name, scores in worst)
