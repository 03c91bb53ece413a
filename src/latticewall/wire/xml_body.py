"""XML bodies: the answers of query, ec2 and rest-xml, and the requests of rest-xml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from xml.parsers import expat

from latticewall.apimodel.shapes import Shape
from latticewall.wire import scalars
from latticewall.wire.scalars import Malformed

_MAX_DEPTH = 100

_ESCAPES = {
    **dict.fromkeys((*range(0x20), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)), "\ufffd"),  # XML 1.0 cannot carry these at all
    ord("\t"): "\t",
    ord("\n"): "\n",
    ord("\r"): "&#xD;",  # a literal one would be read back as a line feed
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
}


def escape(text: str) -> str:
    return text.translate(_ESCAPES)


def element(name: str, content: str, attributes: str = "") -> str:
    """One element around content that is already XML."""
    return f"<{name}{attributes}>{content}</{name}>" if content else f"<{name}{attributes}/>"


def text_element(name: str, text: str) -> str:
    return element(name, escape(text))


def document(root: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}'.encode()


# --- writing


@dataclass(frozen=True)
class XmlStyle:
    """What differs between the XML protocols: the element of a list item without a name of its own."""

    item: str = "member"


def members(shape: Shape, value: Mapping[str, Any], style: XmlStyle) -> str:
    """The elements of a structure's members: only what the shape knows, without the members that are None."""
    return "".join(
        _member(name, member, value[name], style)
        for name, member in shape.members.items()
        if value.get(name) is not None and not member.location and not member.xml_attribute
    )


def _member(name: str, shape: Shape, value: Any, style: XmlStyle) -> str:
    if shape.flattened and shape.type == "list":
        own = shape.member.location_name or shape.location_name or name
        return "".join(value_element(own, shape.member, item, style) for item in value if item is not None)
    tag = shape.location_name or name
    if shape.flattened and shape.type == "map":
        return "".join(element(tag, entry) for entry in _entries(shape, value, style))
    return value_element(tag, shape, value, style)


def value_element(tag: str, shape: Shape, value: Any, style: XmlStyle) -> str:
    """The element of one value."""
    match shape.type:
        case "structure":
            return element(tag, members(shape, value, style), _attributes(shape, value))
        case "list":
            item = shape.member.location_name or style.item
            return element(tag, "".join(value_element(item, shape.member, entry, style) for entry in value if entry is not None))
        case "map":
            return element(tag, "".join(element("entry", entry) for entry in _entries(shape, value, style)))
        case _:
            text = scalars.to_text(shape, value, "iso8601")
            return text_element(tag, quote(text, safe="") if shape.percent_encoded else text)


def _entries(shape: Shape, value: Mapping[str, Any], style: XmlStyle) -> Iterable[str]:
    key, content = shape.key.location_name or "key", shape.value.location_name or "value"
    for name, item in value.items():
        if item is not None:
            yield value_element(key, shape.key, name, style) + value_element(content, shape.value, item, style)


def _attributes(shape: Shape, value: Mapping[str, Any]) -> str:
    """The members that are attributes, after the declaration of the prefix they may need (S3's `xsi:type`)."""
    attributes = [
        f' {member.location_name or name}="{escape(str(value[name]))}"'
        for name, member in shape.members.items()
        if member.xml_attribute and value.get(name) is not None
    ]
    prefix = f' xmlns:{shape.xml_prefix}="{escape(shape.xml_namespace)}"' if attributes and shape.xml_prefix else ""
    return prefix + "".join(attributes)


# --- reading


@dataclass
class Node:
    """An element: its name without namespace, attributes, children and text."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""


def load(body: bytes) -> Node:
    """The root element of a body. Raises Malformed; a document type declaration is refused, so no entity can be declared."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    root = Node("")
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _MAX_DEPTH:
            raise Malformed("the XML is nested too deeply")
        node = Node(name.rpartition(" ")[2], attributes)
        stack[-1].children.append(node)
        stack.append(node)

    def characters(text: str) -> None:
        stack[-1].text += text

    def refuse(*_: object) -> None:
        raise Malformed("a document type declaration is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: stack.pop()
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat's own signature
    except (expat.ExpatError, ValueError) as error:
        raise Malformed(f"the body is not valid XML: {error}") from None
    return root.children[0]


def read(shape: Shape, node: Node) -> Any:
    """The document of an element. Unknown elements are ignored. Raises Malformed."""
    match shape.type:
        case "structure":
            return read_members(shape, node)
        case "list":
            return [read(shape.member, child) for child in node.children]
        case "map":
            return dict(_read_entry(shape, entry) for entry in node.children)
        case _:
            return scalars.from_text(shape, node.text)


def read_members(shape: Shape, node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        if member.location:
            continue
        if member.xml_attribute:
            local = (member.location_name or name).rpartition(":")[2]
            values = [value for key, value in node.attributes.items() if key.rpartition(" ")[2] == local]
            found.update({name: values[0]} if values else {})
            continue
        tag = (member.member.location_name if member.flattened and member.type == "list" else "") or member.location_name or name
        nodes = [child for child in node.children if child.name == tag]
        if nodes and member.flattened and member.type == "list":
            found[name] = [read(member.member, child) for child in nodes]
        elif nodes and member.flattened and member.type == "map":
            found[name] = dict(_read_entry(member, child) for child in nodes)
        elif nodes:
            found[name] = read(member, nodes[0])
    return found


def _read_entry(shape: Shape, entry: Node) -> tuple[str, Any]:
    by_name = {child.name: child for child in entry.children}
    key = by_name.get(shape.key.location_name or "key")
    value = by_name.get(shape.value.location_name or "value")
    if key is None or value is None:
        raise Malformed("a map entry lacks its key or value")
    return str(read(shape.key, key)), read(shape.value, value)
