"""Where a value stands in a record: `customer.name`, `lines[].part_number`."""

from typing import Any

__all__ = ["ABSENT", "at_path"]


ABSENT = object()


def at_path(record: Any, path: str) -> Any:
    """The value at a path such as `customer.name` or `lines[].part_number`; ABSENT where there is none."""
    if "." not in path and "[" not in path:
        return record.get(path, ABSENT) if isinstance(record, dict) else ABSENT
    value: Any = record
    steps = path.split(".")
    for index, step in enumerate(steps):
        name, each, _ = step.partition("[]")
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
        if each:
            rest = ".".join(steps[index + 1 :])
            items = value if isinstance(value, list) else []
            found = [at_path(item, rest) if rest else item for item in items]
            found = [item for item in found if item is not ABSENT]
            if "[]" in rest:  # lists within a list: their elements, side by side
                found = [one for item in found for one in item]
            return found or ABSENT
    return value
