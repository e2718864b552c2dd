"""As much of JSON Schema (2020-12) as our document uses; a keyword it does not know is an error, never a pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
SAYS_NOTHING = {"title", "description", "default", "examples", "example", "format", "$ref"}


def faults(value: Any, schema: Any, root: dict[str, Any], place: str = "") -> Iterator[str]:
    """What of `value` does not fit `schema`; `$ref` leads into `root`."""
    if "$ref" in schema:
        yield from faults(value, resolved(schema["$ref"], root), root, place)
    for keyword, wanted in schema.items():
        if keyword in SAYS_NOTHING:
            continue
        check = CHECKS.get(keyword)
        assert check is not None, f"the keyword {keyword} is not known here"
        if not check(value, wanted, schema):
            yield f"{place or '/'}: {keyword}"
    yield from _within(value, schema, root, place)


def resolved(ref: str, root: dict[str, Any]) -> Any:
    """The part of the document a reference names."""
    found: Any = root
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _within(value: Any, schema: Any, root: dict[str, Any], place: str) -> Iterator[str]:
    for keyword, least in (("anyOf", 1), ("oneOf", 1), ("allOf", len(schema.get("allOf", ())))):
        fits = [one for one in schema.get(keyword, ()) if not list(faults(value, one, root, place))]
        if keyword in schema and (len(fits) < least or (keyword == "oneOf" and len(fits) > 1)):
            yield f"{place or '/'}: {keyword}"
    if isinstance(value, dict):
        named = schema.get("properties", {})
        other = schema.get("additionalProperties", True)
        for name, member in value.items():
            matching = [one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
            inner = named.get(name) or next(iter(matching), other)
            if isinstance(inner, dict):
                yield from faults(member, inner, root, f"{place}/{name}")
    if isinstance(value, list):
        firsts = schema.get("prefixItems", [])
        for number, item in enumerate(value):
            inner = firsts[number] if number < len(firsts) else schema.get("items", True)
            if isinstance(inner, dict):
                yield from faults(item, inner, root, f"{place}/{number}")


def _is_of(value: Any, names: str | list[str]) -> bool:
    listed = [names] if isinstance(names, str) else names
    return any(isinstance(value, TYPES[name]) and (name != "integer" or not isinstance(value, bool)) for name in listed)


def _closed(value: Any, wanted: Any, schema: Any) -> bool:
    if wanted is not False or not isinstance(value, dict):
        return True
    patterns = schema.get("patternProperties", ())
    return all(name in schema.get("properties", {}) or any(re.search(one, name) for one in patterns) for name in value)


CHECKS: dict[str, Any] = {
    "type": lambda value, wanted, _: _is_of(value, wanted),
    "enum": lambda value, wanted, _: value in wanted,
    "const": lambda value, wanted, _: value == wanted,
    "pattern": lambda value, wanted, _: not isinstance(value, str) or re.search(wanted, value) is not None,
    "minLength": lambda value, wanted, _: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda value, wanted, _: not isinstance(value, str) or len(value) <= wanted,
    "minimum": lambda value, wanted, _: not isinstance(value, int) or value >= wanted,
    "maximum": lambda value, wanted, _: not isinstance(value, int) or value <= wanted,
    "minItems": lambda value, wanted, _: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda value, wanted, _: not isinstance(value, list) or len(value) <= wanted,
    "required": lambda value, wanted, _: not isinstance(value, dict) or set(wanted) <= set(value),
    "propertyNames": lambda value, wanted, _: (
        not isinstance(value, dict) or all(re.search(wanted.get("pattern", ""), name) for name in value)
    ),
    "additionalProperties": _closed,
    **dict.fromkeys(
        ("properties", "patternProperties", "items", "prefixItems", "anyOf", "oneOf", "allOf"), lambda *_: True
    ),
}
