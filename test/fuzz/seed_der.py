#!/usr/bin/env python3
"""Makes test/fuzz/corpus/der from the vectors: each message, and parts of it, behind the number of a type that has its tag.

Run it again when types are added: the number is the place in der_types, which follows the lists of the headers. What
the fuzzer found is kept beside them (found-*)."""
import hashlib
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "test/fuzz/corpus/der"
LISTS = [("sgp32.h", "SGP32_TYPES"), ("es10b.h", "ES10B_TYPES"), ("sgp22.h", "SGP22_TYPES")]
CLASS = {"UNI": 0, "APP": 1, "CTX": 2, "PRIV": 3}
LARGEST = 1000          # octets of a seed
PARTS = 1               # parts of messages for each type


def types():
    """(name, outer tag or None) in the order of der_types."""
    for header, name in LISTS:
        text = (ROOT / "src/asn1" / header).read_text().replace("\\\n", " ")
        rows = re.search(r"#define %s\(T\)(.*)" % name, text).group(1)
        for asn1, tag in re.findall(r'T\(\w+,\s*\w+,\s*\w+,\s*"([^"]+)",\s*([A-Z]+(?:\(\d+\))?)', rows):
            m = re.match(r"([A-Z]+)\((\d+)\)", tag)
            yield asn1, m and outer(CLASS[m.group(1)], int(m.group(2)))


def outer(cls, number):
    first = cls << 6 | 0x20
    return bytes([first | number]) if number < 31 else bytes([first | 31, number])


def parts(der):
    """Every constructed TLV inside, as far as it can be read."""
    at = 0
    while at < len(der):
        start, constructed = at, der[at] & 0x20
        at += 2 if der[at] & 31 == 31 else 1
        if at >= len(der):
            return
        size, at = der[at], at + 1
        if size & 0x80:
            octets = size & 0x7F
            size, at = int.from_bytes(der[at:at + octets], "big"), at + octets
        if at + size > len(der):
            return
        if constructed:
            yield der[start:at + size]
            yield from parts(der[at:at + size])
        at += size


def names(value):
    """The names of all members of a value."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from names(member)
    elif isinstance(value, list):
        for member in value:
            yield from names(member)


def main():
    order = list(types())
    number = {name: i for i, (name, _) in enumerate(order)}
    seeds, seen = set(), set()
    pool = []
    for entry in json.loads((ROOT / "test/vectors/esipa.json").read_text()):
        der = bytes.fromhex(entry["der"])
        pool += parts(der)
        new = set(names(entry["value"])) - seen
        if new:                 # the others differ in numbers only
            seeds.add(bytes([number[entry["type"]]]) + der)
            seen |= new
    for entry in json.loads((ROOT / "test/vectors/wire-forms.json").read_text()):
        if entry["expect"] == "accept":
            seeds.add(bytes([number["EsipaMessageFromIpaToEim"]]) + bytes.fromhex(entry["der"]))
    pool = sorted(set(pool), key=len)
    for i, (name, tag) in enumerate(order):
        fits = [p for p in pool if len(p) < LARGEST and (tag is None or p.startswith(tag))]
        middle = len(fits) // 2
        for part in fits[middle:middle + PARTS] or [(tag or b"\x30") + b"\0"]:
            seeds.add(bytes([i]) + part)
    OUT.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        if len(seed) < LARGEST:
            (OUT / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    print(len(seeds), "seeds,", len(order), "types")


main()
