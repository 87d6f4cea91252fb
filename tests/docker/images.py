"""The images' recipes, read by a Dockerfile parser."""

import io
import json
import re
from dataclasses import dataclass

from dockerfile_parse import DockerfileParser

from app.settings import CHECKOUT

SERVICE, VLLM = CHECKOUT / "Dockerfile", CHECKOUT / "docker" / "vllm.Dockerfile"


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str


class Recipe:
    """The instructions of a Dockerfile, stage by stage."""

    def __init__(self, text: str) -> None:
        parser = DockerfileParser(fileobj=io.BytesIO(text.encode()))
        self.stages: list[list[Instruction]] = []
        for it in parser.structure:
            if it["instruction"] == "FROM":
                self.stages.append([])
            if self.stages and it["instruction"] != "COMMENT":
                self.stages[-1].append(Instruction(it["instruction"], it["value"]))
        self.labels: dict[str, str] = parser.labels
        self.environment: dict[str, str] = parser.envs

    def values(self, name: str, stage: int = -1) -> list[str]:
        return [it.value for it in self.stages[stage] if it.name == name]

    def words(self, name: str) -> list[str]:
        """The last stage's one instruction of that name, in its JSON form."""
        (value,) = self.values(name)
        return json.loads(value)

    @property
    def health_check(self) -> list[str]:
        (value,) = self.values("HEALTHCHECK")
        command = re.search(r"CMD (\[.*\])", value)
        assert command
        return json.loads(command[1])

    @property
    def copied(self) -> list[str]:
        """What the build takes from the checkout."""
        lines = [value for stage in range(len(self.stages)) for value in self.values("COPY", stage)]
        return [source for line in lines if not line.startswith("--from") for source in line.split()[:-1]]
