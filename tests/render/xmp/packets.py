"""Reading packets as any RDF reader would."""

from xml.etree import ElementTree

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
CRS = "{http://ns.adobe.com/camera-raw-settings/1.0/}"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


class Packet:
    """The settings of a packet: `settings` and `words` by name, `curves` as points."""

    def __init__(self, text: str) -> None:
        packet = ElementTree.fromstring(text)
        assert packet.tag == "{adobe:ns:meta/}xmpmeta"
        (description,) = packet.findall(f"{RDF}RDF/{RDF}Description")
        attributes = dict(description.attrib)
        assert attributes.pop(f"{RDF}about") == ""
        self.settings = {name.removeprefix(CRS): value for name, value in attributes.items()}
        self.words: dict[str, str] = {}
        self.curves: dict[str, list[tuple[int, int]]] = {}
        for element in description:
            name, (container,) = element.tag.removeprefix(CRS), list(element)
            items = container.findall(f"{RDF}li")
            if container.tag == f"{RDF}Alt":
                (item,) = items
                assert item.get(LANGUAGE) == "x-default"
                self.words[name] = item.text or ""
            else:
                assert container.tag == f"{RDF}Seq"
                self.curves[name] = [tuple(map(int, (item.text or "").split(", "))) for item in items]  # type: ignore[misc]

    @property
    def sliders(self) -> dict[str, float]:
        """The settings that are numbers a person could drag."""
        numbers = {}
        for name, value in self.settings.items():
            if name not in {"UUID", "Version", "ProcessVersion", "RGBTable"} and not name.startswith("Table_"):
                try:
                    numbers[name] = float(value)
                except ValueError:
                    continue
        return numbers
