"""JSON, TOML and XML from outside: bounded in size and depth, their numbers and texts sound."""

from __future__ import annotations

import json
import math
import tomllib
from typing import Any
from xml.etree import ElementTree

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from biasaudit.inputs.files import GIGA, MEGA, Source, read_bytes, read_text

SETTINGS_BYTES = 4 * MEGA
RECORD_BYTES = 64 * MEGA
ANNOTATION_BYTES = 4 * GIGA
XML_BYTES = 16 * MEGA
DEEPEST = 60
"""Tables within tables: what is written for biasaudit has five or six."""
_LARGEST = 2**63


def read_json(source: Source, most: int = RECORD_BYTES, *, finite: bool = True) -> dict[str, Any]:
    """Read a JSON file that holds one table.

    Args:
        source: The file.
        most: How many bytes it may have.
        finite: Whether NaN and infinity are refused.

    Raises:
        BiasAuditError: It cannot be read, is not JSON, is no table, gives a key twice, or holds
            a number or a text that nothing can be made of.
    """
    return json_table(source, read_text(source, most), finite=finite)


def json_table(source: Source, text: str | bytes, *, finite: bool = True) -> dict[str, Any]:
    """Return the table that a text is as JSON; see :func:`read_json`."""
    try:
        tree = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise source.refusal(f"is nested more than {DEEPEST} deep") from None
    except ValueError as error:
        raise source.refusal(f"not JSON ({_short(error)})") from None
    return _table(source, tree, finite)


def read_toml(source: Source, most: int = SETTINGS_BYTES) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        BiasAuditError: It cannot be read, is not TOML, or holds a number or a text that nothing
            can be made of.
    """
    text = read_text(source, most)
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise source.refusal(f"is nested more than {DEEPEST} deep") from None
    except ValueError as error:
        raise source.refusal(f"not TOML ({_short(error)})") from None
    return _table(source, tree, finite=False)


def toml_value(text: str) -> Any:
    """Read one value as TOML has it.

    Raises:
        ValueError: It is no TOML value, more than one, or one that nothing can be made of.
    """
    try:
        tree = tomllib.loads(f"value = {text}")
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} deep") from None
    if tree.keys() != {"value"}:
        raise ValueError("more than one value")
    if wrong := fault_in(tree, finite=False):
        raise ValueError(wrong)
    return tree["value"]


def read_as(source: Source, schema: TypeAdapter[Any], most: int, what: str, hint: str = "") -> Any:
    """Read a JSON file into a type, without building what the type does not hold.

    Args:
        source: The file.
        schema: The type; its validation says which numbers and texts are sound.
        most: How many bytes it may have.
        what: What the file should be, as in ``not COCO JSON``.
        hint: The way out.

    Raises:
        BiasAuditError: It cannot be read, or is not of the type.
    """
    content = read_bytes(source, most).removeprefix(b"\xef\xbb\xbf")
    try:
        return schema.validate_json(content)
    except ValidationError as error:
        raise source.refusal(f"not {what} ({first_fault(error)})", hint) from None
    except (ValueError, RecursionError) as error:
        raise source.refusal(f"not {what} ({_short(error)})", hint) from None


def read_xml(source: Source, root: str, most: int = XML_BYTES) -> ElementTree.Element:
    """Read an XML file whose root element is called ``root``.

    Entities that a file declares are expanded by expat, which stops where they grow too much.

    Raises:
        BiasAuditError: It cannot be read, is not XML, or has another root.
    """
    try:
        found = ElementTree.fromstring(read_bytes(source, most))
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise source.refusal(f"not XML ({_short(error)})") from None
    if found.tag != root:
        raise source.refusal(f"its root is <{str(found.tag)[:40]}>, not <{root}>")
    return found


def first_fault(error: ValidationError) -> str:
    """Say in a few words what the first fault is and in which field; an unknown key comes first.

    Returns:
        Such as ``images[3].width: field required``.
    """
    fault = first_of(error)
    where = ""
    for part in fault["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    where = where[:200]
    if fault["type"] == "extra_forbidden":
        return f"unknown key '{where}'"
    message = fault["msg"][:1].lower() + fault["msg"][1:300]
    return f"{where}: {message}" if where else message


def first_of(error: ValidationError) -> ErrorDetails:
    """Return the fault that a message tells of: an unknown key, or else the first."""
    faults = error.errors(include_url=False, include_input=False)
    return next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])


def fault_in(tree: Any, *, finite: bool) -> str:
    """Say what is wrong with the numbers, texts or depth of a document; nothing where all is well.

    Args:
        tree: Tables, lists, texts and numbers.
        finite: Whether NaN and infinity are wrong.
    """
    waiting: list[tuple[Any, int]] = [(tree, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            return f"is nested more than {DEEPEST} deep"
        if isinstance(value, dict):
            waiting += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple):
            waiting += [(part, depth + 1) for part in value]
        elif isinstance(value, str):
            if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                return "holds half of a surrogate pair, which is no text"
        elif isinstance(value, int):
            if not -_LARGEST <= value < _LARGEST:
                return "holds a whole number of more than 64 bits"
        elif isinstance(value, float) and finite and not math.isfinite(value):
            return "holds a number that is not finite"
    return ""


def _table(source: Source, tree: Any, finite: bool) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise source.refusal("holds no table")
    if wrong := fault_in(tree, finite=finite):
        raise source.refusal(wrong)
    return tree


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key '{twice[:60]}' is given twice")
    return table


def _short(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:200]
