"""What the texts of a log mean: canonical settings of a tool, the tool unused, or nothing that a tool takes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from app.distill.collect.rule import VETTED
from app.grade import GradeError, strict_json, tool_model

EXAMPLES = 3


@dataclass(slots=True)
class Vetting:
    """`rows` are those of the table `vetted`; `refused` names some of the `bad` outputs and what is wrong with them."""

    rows: list[tuple[str, str, str | None, bool]] = field(default_factory=list)
    bad: int = 0
    refused: list[str] = field(default_factory=list)

    def table(self) -> ir.Table:
        columns = list(zip(*self.rows, strict=True)) or [()] * len(VETTED)
        types = [pa.string()] * 3 + [pa.bool_()]
        arrays = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
        return ibis.memtable(pa.table(arrays, names=list(VETTED)))


def vet(outputs: Iterable[tuple[str, str]]) -> Vetting:
    """Read each distinct output of a tool."""
    found = Vetting()
    for tool, output in outputs:
        try:
            settings = canonical(tool, output)
        except (strict_json.StrictJSONError, GradeError) as error:
            found.rows.append((tool, output, None, False))
            found.bad += 1
            if len(found.refused) < EXAMPLES:
                found.refused.append(str(error))
        else:
            found.rows.append((tool, output, settings, True))
    return found


def canonical(tool: str, output: str) -> str | None:
    """JSON of what is not neutral, as datasets are written; None where the tool changes nothing.

    Raises StrictJSONError, GradeError.
    """
    data = strict_json.read(output)
    settings = None if data is None else tool_model(tool).parse(data).canonical()
    return None if settings is None else json.dumps(settings.model_dump(exclude_defaults=True))
