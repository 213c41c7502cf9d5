"""Requests made out of the OpenAPI document: one as it may be, and everything that is wrong with it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Json = Any
"""What a document holds."""
LONG = "x" * 6000
HUGE = 10**30
SAMPLES = {"date-time": "2026-11-22T06:00:00Z", "date": "2026-11-22", "binary": "x"}
PATTERNS = ("gas", "wgs84", "a1", "1.5", "10m")
"""One of them fits every pattern of the document; a test says when none does."""


@dataclass(frozen=True)
class Asking:
    """A request. `body` None: none is sent. `why`: what is wrong with it, "" nothing."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    why: str = ""
    type: str = "application/json"

    @property
    def url(self) -> str:
        asked = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in self.query.items())
        return f"{self.path}?{asked}" if asked else self.path


@dataclass(frozen=True)
class Operation:
    """One route and method of the document."""

    document: Mapping[str, Json]
    method: str
    path: str
    told: Mapping[str, Json]

    def parameters(self, where: str) -> list[Mapping[str, Json]]:
        return [one for one in self.told.get("parameters", []) if one["in"] == where]

    @property
    def body(self) -> Mapping[str, Json] | None:
        """The schema of its JSON body."""
        content = self.told.get("requestBody", {}).get("content", {})
        return content["application/json"]["schema"] if "application/json" in content else None

    def right(self, ids: Mapping[str, str]) -> Asking:
        """A request that fits the document; `ids`: what its path may name."""
        made = None if self.body is None else json.dumps(self.sample(self.body)).encode()
        query = {one["name"]: str(self.sample(one["schema"])) for one in self.parameters("query") if one["required"]}
        if "requestBody" in self.told and made is None:
            return Asking(
                self.method, self.named(ids), query, b"%PDF-1.7 " + b"x" * 20, type="application/octet-stream"
            )
        return Asking(self.method, self.named(ids), query, made)

    def named(self, ids: Mapping[str, str]) -> str:
        """The path with names in place of its parameters."""
        area = self.path.removeprefix("/api/v1/").partition("/")[0]
        path = self.path
        for one in self.parameters("path"):
            name = one["name"]
            path = path.replace(f"{{{name}}}", quote(ids.get(name) or ids.get(area) or "none", safe=""))
        return path

    def resolved(self, schema: Mapping[str, Json]) -> Mapping[str, Json]:
        """The schema itself, without reference and without null."""
        if "$ref" in schema:
            return self.resolved(self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        for one in schema.get("anyOf", schema.get("allOf", ())):
            if one.get("type") != "null":
                return self.resolved(one)
        return schema

    def sample(self, schema: Mapping[str, Json]) -> Json:
        """Something small that fits."""
        known = self.resolved(schema)
        if "enum" in known or "const" in known:
            return known["enum"][0] if "enum" in known else known["const"]
        match known.get("type"):
            case "object":
                wanted = {name: known["properties"][name] for name in known.get("required", ())}
                return {name: self.sample(inner) for name, inner in wanted.items()}
            case "array":
                return [self.sample(known["items"])] * known.get("minItems", 0)
            case "integer" | "number":
                return known.get("minimum", known.get("exclusiveMinimum", 0) + 1)
            case "boolean":
                return True
        if "pattern" in known:
            return fitting(known["pattern"])
        return SAMPLES.get(
            known.get("format", ""), "gas"[: known.get("maxLength", 3)] * max(1, known.get("minLength", 1))
        )

    def is_text(self, schema: Mapping[str, Json]) -> bool:
        """Whether any text, or one of a pattern, is what it wants."""
        known = self.resolved(schema)
        return known.get("type") == "string" and not {"enum", "format"} & set(known)

    def wrong(self, ids: Mapping[str, str]) -> Iterator[Asking]:
        """Everything that does not fit, one thing at a time."""
        right = self.right(ids)
        for one in self.parameters("query"):
            for text in wrong_texts(self.resolved(one["schema"])):
                query = {**right.query, one["name"]: text}
                yield Asking(
                    self.method, right.path, query, right.body, f"query {one['name']}={text[:30]!r}", right.type
                )
        if self.body is None:
            return
        for body in (b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff\xfe", b"[" * 50_000, b'{"a":' * 50_000,
                     b'{"a": ' + b"9" * 5000 + b"}"):  # fmt: skip
            if body in (b"", b"null") and not self.told["requestBody"].get("required", False):
                continue
            yield Asking(self.method, right.path, right.query, body, f"body {body[:20]!r}")
        yield Asking(self.method, right.path, right.query, right.body, "body as text", "text/plain")
        yield from self._wrong_fields(right)

    def _wrong_fields(self, right: Asking) -> Iterator[Asking]:
        assert self.body is not None
        known, given = self.resolved(self.body), json.loads(right.body or b"{}")
        if known.get("type") != "object":
            return
        changed: list[tuple[Json, str]] = [
            ({k: v for k, v in given.items() if k != name}, f"without {name}") for name in known.get("required", ())
        ]
        for name, schema in known.get("properties", {}).items():
            choices = schema.get("anyOf", ())
            nullable = any(one.get("type") == "null" for one in choices)
            for value in wrong_values(self.resolved(schema), len(choices) - nullable > 1):
                changed.append(({**given, name: value}, f"{name}: {json.dumps(value)[:40]}"))
            if not nullable:
                changed.append(({**given, name: None}, f"{name}: null"))
        if known.get("additionalProperties") is False:
            changed.append(({**given, "surplus": 1}, "surplus"))
        for body, why in changed:
            yield Asking(self.method, right.path, right.query, json.dumps(body).encode(), why)


def fitting(pattern: str) -> str:
    """A text that fits a pattern of the document."""
    return next(text for text in PATTERNS if re.search(pattern, text))


def wrong_texts(schema: Mapping[str, Json]) -> list[str]:
    """Texts in a query that are none of what the schema wants."""
    match schema.get("type"):
        case "integer" | "number":
            below = [str(schema["minimum"] - 1)] if "minimum" in schema else []
            return ["x", "", "1e", "NaN", "0x1f", *below, *([str(HUGE)] if "maximum" in schema else [])]
        case "boolean":
            return ["perhaps", ""]
    if "enum" in schema:
        return ["nonsense", schema["enum"][0] + "\n", "\x00"]
    if schema.get("format") in ("date", "date-time"):
        return ["yesterday", "2026-13-40", "9" * 400, ""]
    return [LONG] if schema.get("maxLength", 1e9) < len(LONG) else []


def wrong_values(schema: Mapping[str, Json], one_of_many: bool) -> list[Json]:
    """Values in a body that are none of what the schema wants. `one_of_many`: others may be wanted as well."""
    if one_of_many or "type" not in schema:
        return [{"a": {"b": []}}]
    found: list[Json] = [{"a": [1]}, [[]]] if schema["type"] not in ("object", "array") else ["x", 7]
    match schema["type"]:
        case "string":
            found += [7, True]
            found += [LONG] if schema.get("maxLength", 1e9) < len(LONG) else []
            found += [""] if schema.get("minLength", 0) > 0 else []
            found += ["nonsense"] if "enum" in schema else []
            found += [text for text in ("\u0000 \n", "a/b c") if not re.search(schema.get("pattern", ""), text)]
            found += ["yesterday", "2026-02-30T00:00:00Z"] if schema.get("format") == "date-time" else []
        case "integer" | "number":
            found += ["x", *([schema["minimum"] - 1] if "minimum" in schema else [])]
            found += [HUGE] if "maximum" in schema else []
        case "boolean":
            found += ["perhaps", 7]
        case "array":
            found += [[{"a": 1}], [None]]
            found += [["x"] * (schema["maxItems"] + 1)] if "maxItems" in schema else []
    return found


def operations(document: Mapping[str, Json]) -> list[Operation]:
    return [
        Operation(document, method.upper(), path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
