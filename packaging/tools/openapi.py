"""Cuts GitHub's OpenAPI description (standard input) to the operations that a file names, with all that they refer to.

One repair: `nullable` beside `oneOf` or `anyOf` makes some validators take everything for null, so it goes into the first
of the alternatives that is no reference, where it means the same.
"""

import json
import sys


def repaired(value):
    """The value with `nullable` where validators understand it, without prose and examples."""
    if isinstance(value, list):
        return [repaired(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: repaired(item) for name, item in value.items() if not is_prose(name, item)}
    for word in ("oneOf", "anyOf"):
        if value.get("nullable") is True and isinstance(value.get(word), list):
            del value["nullable"]
            # Beside a reference it would be ignored; where all are references there is no place, and null is refused.
            for index, alternative in enumerate(value[word]):
                if "$ref" not in alternative:
                    value[word][index] = {**alternative, "nullable": True}
                    break
    return value


def is_prose(name, item):
    """Whether a member is for readers only; a property of such a name is a schema, which is an object."""
    if name in ("example", "examples", "externalDocs", "summary", "x-github", "x-octokit"):
        return not (isinstance(item, dict) and "type" in item)
    return False


def references(value):
    """Every `#/components/KIND/NAME` below a value."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def main(operations):
    """Prints the cut description."""
    full = json.load(sys.stdin)
    with open(operations, encoding="utf-8") as file:
        wanted = [line.split() for line in file if line.strip()]
    paths = {}
    for method, path in wanted:
        paths.setdefault(path, {})[method] = repaired(full["paths"][path][method])
    components = {}
    open_references = set(references(paths))
    while open_references:
        reference = open_references.pop()
        _, _, kind, name = reference.split("/")
        if name in components.setdefault(kind, {}):
            continue
        components[kind][name] = repaired(full["components"][kind][name])
        open_references |= set(references(components[kind][name]))
    info = {"title": full["info"]["title"], "version": full["info"]["version"]}
    cut = {"openapi": full["openapi"], "info": info, "servers": full["servers"]}
    json.dump({**cut, "paths": paths, "components": components}, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main(sys.argv[1])
