"""A known load on a real service: looks new and asked again, looks only the teacher can read, projects, a mistake."""

from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Load:
    """So many looks of each kind; every project is served one new look."""

    new: int
    again: int
    foreign: int
    mistakes: int
    started: int
    exported: int

    @property
    def answered(self) -> int:
        return self.new + self.again + self.foreign + self.started

    def run(self, service: httpx.Client, name: str) -> None:
        """`name` keeps the looks of two loads apart."""

        def ask(intent: str, **fields: str) -> str:
            response = service.post("/recolor", json={"intent": intent, **fields})
            assert response.status_code == 200, response.text
            return response.headers["x-request-id"]

        for number in range(self.new):
            ask(f"{name} sunset {number}")
        for _ in range(self.again):
            ask(f"{name} sunset 0")
        for number in range(self.foreign):
            ask(f"закат {_cyrillic(name)} {'ы' * number}")
        for _ in range(self.mistakes):
            assert service.post("/recolor", content="sunset", headers={"Content-Type": "text/plain"}).status_code == 415
        for number in range(self.started):
            served = ask(f"{name} winter {number}", project_id=f"{name}-{number}")
            if number < self.exported:
                event = {"request_id": served, "event": "exported"}
                assert service.post("/feedback", json=event).is_success


def _cyrillic(name: str) -> str:
    """Each letter as one that the embedded student cannot read."""
    return "".join(chr(ord("а") + ord(letter) - ord("a")) if letter.isalpha() else letter for letter in name)
