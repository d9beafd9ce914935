"""A map as clients are given it: every lane has a road mark, an invisible one where the file has none."""

from xml.etree import ElementTree

INVISIBLE = {
    "sOffset": "0",
    "type": "none",
    "weight": "standard",
    "color": "standard",
    "width": "0",
}


def marked(text: str) -> str:
    """The same map; the text itself when nothing is missing.

    The client's lane invasion sensor follows a null pointer on a lane without marks, which ends its process.
    """
    root = ElementTree.fromstring(text)
    bare = [
        lane
        for lane in root.iterfind("road/lanes/laneSection/*/lane")
        if lane.find("roadMark") is None
    ]
    if not bare:
        return text
    for lane in bare:
        ElementTree.SubElement(lane, "roadMark", INVISIBLE)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
