"""The OpenAPI document: it keeps the rules of OpenAPI 3.1 and JSON Schema 2020-12, and says what the server does.

The rules are written down here (no validator for 3.1 is packaged in Debian 12): the members that objects of the document must
and may have, references that lead somewhere, path parameters that stand in their path, unique operation ids."""
import re
from lib import *

server = Eimd()
DOC = {}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}
SCHEMA = {"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "minimum", "maximum", "minLength", "pattern", "format",
          "const", "anyOf", "$ref", "description"}


def members(o, where, must, may=()):
    check(isinstance(o, dict), where, "is no object", o)
    check(set(must) <= set(o), where, "lacks", set(must) - set(o))
    check(all(k in must or k in may or k.startswith("x-") for k in o), where, "has", set(o) - set(must) - set(may))


def lead(ref):
    check(ref.startswith("#/"), ref)
    at = DOC
    for part in ref[2:].split("/"):
        check(part in at, ref, "leads nowhere")
        at = at[part]
    return at


def schema(s, where):
    members(s, where, (), SCHEMA)
    if "$ref" in s:
        lead(s["$ref"])
    if "type" in s:
        check(s["type"] in TYPES, where, s)
    if "pattern" in s:
        re.compile(s["pattern"])
    for name, one in s.get("properties", {}).items():
        schema(one, where + "." + name)
    check(set(s.get("required", ())) <= set(s.get("properties", {})) and len(set(s.get("required", ()))) == len(s.get("required", ())), where, s)
    if isinstance(s.get("additionalProperties"), dict):
        schema(s["additionalProperties"], where + ".*")
    if "items" in s:
        schema(s["items"], where + "[]")
    for one in s.get("anyOf", ()):
        schema(one, where + "|")
    check(s.get("anyOf", [1]), where, "anyOf is empty")
    check(all(isinstance(s.get(k, 0), int) and s.get(k, 0) >= 0 for k in ("minItems", "maxItems", "minLength")), where, s)


def content(c, where):
    check(isinstance(c, dict) and c, where, c)
    for kind, one in c.items():
        check(re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind), where, kind)
        members(one, where, (), ("schema",))
        if "schema" in one:
            schema(one["schema"], where)


def response(r, where):
    if "$ref" in r:
        members(r, where, ("$ref",))
        r = lead(r["$ref"])
    members(r, where, ("description",), ("content", "headers"))
    if "content" in r:
        content(r["content"], where)


def operation(o, path, where):
    members(o, where, ("operationId", "responses"), ("summary", "tags", "parameters", "requestBody", "security"))
    check(re.fullmatch(r"[a-z0-9_]+", o["operationId"]) and o["summary"], where, o)
    seen = set()
    for p in o["parameters"]:
        members(p, where, ("name", "in", "schema"), ("required", "description"))
        check(p["in"] in ("path", "query", "header") and (p["in"], p["name"]) not in seen, where, p)
        check(p["in"] != "path" or p["required"] is True, where, p)
        seen.add((p["in"], p["name"]))
        schema(p["schema"], where)
    same(sorted(n for i, n in seen if i == "path"), sorted(re.findall(r"{(\w+)}", path)), where)
    if "requestBody" in o:
        members(o["requestBody"], where, ("content",), ("required",))
        content(o["requestBody"]["content"], where)
    check(o["responses"] and any(s.startswith("2") for s in o["responses"]), where)
    for status, r in o["responses"].items():
        check(re.fullmatch(r"[1-5](\d\d|XX)|default", status), where, status)
        response(r, where + " " + status)
    for need in o.get("security", ()):
        check(set(need) <= set(DOC["components"]["securitySchemes"]), where, need)


def fits(v, s):
    """Does the value have the form? As far as the document's schemas go."""
    if "$ref" in s:
        return fits(v, lead(s["$ref"]))
    if "anyOf" in s:
        return any(fits(v, one) for one in s["anyOf"])
    if "const" in s:
        return v == s["const"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    if "type" in s and (not isinstance(v, kinds[s["type"]]) or (isinstance(v, bool) and s["type"] != "boolean")):
        return False
    if isinstance(v, str):
        return len(v) >= s.get("minLength", 0) and bool(re.search(s.get("pattern", ""), v))
    if isinstance(v, int):
        return s.get("minimum", v) <= v <= s.get("maximum", v)
    if isinstance(v, list):
        return s.get("minItems", 0) <= len(v) <= s.get("maxItems", len(v)) and all(fits(one, s.get("items", {})) for one in v)
    if isinstance(v, dict):
        more = s.get("additionalProperties", {})
        return set(s.get("required", ())) <= set(v) and all(
            fits(one, s["properties"][k]) if k in s.get("properties", {}) else more is not False and fits(one, more) for k, one in v.items())
    return True


@case
def the_document_keeps_the_rules_of_openapi_3_1():
    DOC.update(server.get("/v1/openapi.json"))
    members(DOC, "document", ("openapi", "info", "paths", "components"), ("servers", "security"))
    check(re.fullmatch(r"3\.1\.\d+", DOC["openapi"]))
    members(DOC["info"], "info", ("title", "version"), ("description",))
    members(DOC["components"], "components", ("schemas", "responses", "securitySchemes"))
    same(DOC["components"]["securitySchemes"]["bearer"], {"type": "http", "scheme": "bearer"})
    for name, one in DOC["components"]["schemas"].items():
        check(re.fullmatch(r"[A-Za-z0-9._-]+", name), name)
        schema(one, name)
    for name, one in DOC["components"]["responses"].items():
        response(one, name)
    ids = []
    for path, item in DOC["paths"].items():
        check(path.startswith("/") and set(item) <= METHODS, path, item.keys())
        for method, one in item.items():
            operation(one, path, method + " " + path)
            ids.append(one["operationId"])
    same(len(ids), len(set(ids)))
    check(len(ids) > 60, len(ids))


@case
def every_route_that_it_names_is_there_and_needs_what_it_says():
    for path, item in DOC["paths"].items():
        concrete = path.replace("{eid}", eid(1)).replace("{id}", "op_" + "0" * 16).replace("{name}", "x").replace("{number}", "0").replace("{size}", "0")
        check(server.api("GET", concrete, token=False).status in ((200,) if path == "/metrics" or item.get("get", {}).get("security") == [] else (401, 405)), path)
        for method in METHODS - {"options", "head", "trace"}:
            if any(method in other and re.fullmatch(re.sub(r"{\w+}", "[^/]+", name), concrete) for name, other in DOC["paths"].items()):
                continue
            same(server.api(method.upper(), concrete).status, 405, method, path)


@case
def a_body_that_breaks_its_form_is_refused_with_the_path():
    for method, path, body, field in (
            ("PUT", "/v1/roles/x", {"permissions": ["device_read", 7]}, "permissions[1]"), ("PUT", "/v1/roles/x", {}, "permissions"),
            ("PUT", "/v1/roles/x", {"permissions": [], "y": 1}, "y"), ("POST", "/v1/tokens", {"name": "a", "role": ""}, "role"),
            ("POST", "/v1/profile-orders", {"eid": "12", "operator": "B", "profile_type": "x"}, "eid"),
            ("PATCH", "/v1/devices/" + eid(1), {"injection": {"binding": "asn1"}}, "injection.address"),
            ("PATCH", "/v1/devices/" + eid(1), {"injection": {"address": "https://x", "binding": "xml"}}, "injection.binding"),
            ("POST", "/v1/devices/%s/operations" % eid(1), {"psmos": [{}, []]}, "psmos[1]")):
        r = server.api(method, path, body)
        same((r.status, r.json()["code"], r.json().get("field")), (400, "E_INVALID", field), path, r)
        check(r.headers["Content-Type"] == "application/problem+json", r)


@case
def answers_have_the_forms_that_it_names():
    server.post("/v1/devices", {"eid": eid(1)}, want=201)
    server.post("/v1/devices/%s/inventory" % eid(1), {}, want=201)
    for path, item in DOC["paths"].items():
        good = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).get("application/json")
        if not good or "{" in path.replace("{eid}", ""):
            continue
        answer = server.get(path.replace("{eid}", eid(1)))
        check(fits(answer, good["schema"]), path, answer)
    problem = server.api("GET", "/v1/devices/1").json()
    check(fits(problem, DOC["components"]["schemas"]["Problem"]), problem)


@case
def eimctl_prints_it():
    r = server.eimctl("openapi")
    same((r.status, json.loads(r.text)), (0, DOC))


main()
