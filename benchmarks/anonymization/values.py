"""Values for the templates' slots: Faker's, by locale, written the way people type them."""

from __future__ import annotations

import re
import unicodedata
from calendar import month_name
from collections.abc import Callable
from functools import cache
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faker import Faker

#: Of Latin script, in turn. English ones are frequent, since the chats are English.
LOCALES = (
    "en_US", "de_DE", "en_GB", "es_ES", "en_IN", "fr_FR", "en_US", "it_IT",
    "en_AU", "pl_PL", "en_CA", "nl_NL", "pt_BR", "es_MX", "sv_SE", "tr_TR",
)  # fmt: skip
CARDS = ("visa16", "visa16", "mastercard", "mastercard", "amex", "discover")
WORDS = ("shadow", "moon", "tiger", "pixel", "sunny", "ninja", "choco", "storm", "lazy", "panda", "vibes", "noodle")
SITES = (
    "youtu.be/{}", "www.youtube.com/watch?v={}", "https://www.instagram.com/p/{}/", "https://t.co/{}",
    "reddit.com/r/{}", "http://bit.ly/{}", "https://docs.google.com/document/d/{}/edit", "discord.gg/{}",
)  # fmt: skip
#: Not Faker's, since its Italian ones differ from one process to the next.
TOWNS = (
    "Leeds",
    "Utrecht",
    "Lyon",
    "Torino",
    "Sevilla",
    "Gdańsk",
    "Austin",
    "Toronto",
    "Recife",
    "İzmir",
    "Malmö",
    "Pune",
)
NOT_DECOMPOSED = str.maketrans("łŁıøØđĐ", "lLioOdD") | {ord("ß"): "ss", ord("æ"): "ae"}

Value = Callable[["Faker", Random], str]


@cache
def faker_of(locale: str) -> Faker:
    """Faker of a locale, made once, since making one takes longer than a hundred values."""
    from faker import Faker

    return Faker(locale)


def fold(text: str) -> str:
    """Leave the accents out, as many people do when they type."""
    decomposed = unicodedata.normalize("NFKD", text.translate(NOT_DECOMPOSED))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _until(make: Callable[[], str], fits: Callable[[str], object]) -> str:
    while not fits(value := make()):
        pass
    return value


def last_name(fake: Faker, _rng: Random) -> str:
    """A family name; Faker's German ones sometimes end in `II`."""
    return _until(fake.last_name, lambda name: not re.search(r"\d|\b[IVX]+$|\.", name))


def first_name(fake: Faker, _rng: Random) -> str:
    """A first name."""
    return str(fake.first_name())


def person(fake: Faker, rng: Random) -> str:
    """A full name, sometimes with an initial or a second first name."""
    middle = rng.choices(["", f"{rng.choice('ABCDEFGHJKLMNPRST')}. ", f"{fake.first_name()} "], [88, 6, 6])[0]
    return f"{fake.first_name()} {middle}{last_name(fake, rng)}"


def email(fake: Faker, rng: Random) -> str:
    """An address at a free host or a company, some with a tag or capitals."""
    value = str(fake.free_email() if rng.random() < 0.7 else fake.ascii_company_email())
    name, host = value.split("@")
    return rng.choices([value, f"{name}+{rng.choice(WORDS)}@{host}", f"{name.title()}@{host}"], [85, 8, 7])[0]


def phone(fake: Faker, rng: Random) -> str:
    """A number of the locale without extension; half of them regrouped."""
    value = re.sub(r"\s*x\d+$", "", _until(fake.phone_number, lambda v: len(re.sub(r"x.*|\D", "", v)) >= 7))
    digits = re.sub(r"\D", "", value.replace("(0)", ""))
    if rng.random() < 0.5:
        return value
    # A country's code is taken to have two digits, the United States' one.
    code = (1 if digits[0] == "1" else 2) if value.startswith("+") else 0
    groups = [f"+{digits[:code]}"] if code else []
    groups += re.findall(r"\d{3,4}(?!\d)|\d{3}|\d+", digits[code:])
    return rng.choice(["", "", " ", "-", "."]).join(groups)


def url(fake: Faker, rng: Random) -> str:
    """A link: a site's own form, a bare domain, or a page on one."""
    code = "".join(rng.choices("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=rng.randint(6, 11)))
    page = "/".join(rng.sample(WORDS, rng.randint(1, 2)))
    forms = [
        rng.choice(SITES).format(code),
        str(fake.url()),
        f"{fake.url()}{page}?id={rng.randint(1, 9999)}",
        f"www.{fake.domain_name()}",
        f"{fake.domain_name()}/{page}",
        str(fake.domain_name()),
    ]
    return rng.choices(forms, [30, 15, 20, 10, 15, 10])[0]


def handle(fake: Faker, rng: Random) -> str:
    """A user name without its `@`."""
    first = re.sub(r"\W", "", fold(fake.first_name())).lower()
    forms = [
        str(fake.user_name()),
        f"{first}.{rng.choice(WORDS)}",
        f"{first}_{rng.randint(1, 99):02d}",
        f"{rng.choice(WORDS)}{rng.choice(WORDS)}{rng.randint(1, 999)}",
        f"xX_{rng.choice(WORDS)}_Xx",
        f"{rng.choice(WORDS)}_{first}",
    ]
    return rng.choice(forms)


def card(fake: Faker, rng: Random) -> str:
    """A card number that passes Luhn: bare, spaced, dashed or dotted."""
    digits = str(fake.credit_card_number(card_type=rng.choice(CARDS)))
    groups = [digits[:4], digits[4:10], digits[10:]] if len(digits) == 15 else re.findall(r"\d{4}", digits)
    return rng.choices(["", " ", "-", "."], [35, 40, 20, 5])[0].join(groups)


def _repaired(value: str) -> str:
    """A British account number has 22 characters; Faker's have 21. Check digits: ISO 7064, mod 97-10."""
    if not value.startswith("GB") or len(value) == 22:
        return value
    body = f"{value[4:]}7"
    rest = int("".join(str(int(c, 36)) for c in f"{body}GB00")) % 97
    return f"GB{98 - rest:02}{body}"


def iban(fake: Faker, rng: Random) -> str:
    """An account with a right checksum: bare or in groups of four."""
    value = _repaired(str(fake.iban()))
    return value if rng.random() < 0.5 else " ".join(re.findall(".{1,4}", value))


def ssn(_fake: Faker, rng: Random) -> str:
    """A US social security number, whatever the locale: dashed, spaced or bare."""
    digits = str(faker_of("en_US").ssn()).split("-")
    return rng.choices(["-", " ", ""], [65, 15, 20])[0].join(digits)


def ip(fake: Faker, rng: Random) -> str:
    """IPv4, one in five IPv6."""
    return str(fake.ipv6() if rng.random() < 0.2 else fake.ipv4())


def birth_date(_fake: Faker, rng: Random) -> str:
    """A full date between 1935 and 2012, day or month first, in figures or words."""
    year, month, day = rng.randint(1935, 2012), rng.randint(1, 12), rng.randint(1, 28)
    name = month_name[month]
    short = rng.choice([name, name[:3], name.lower()])
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    mark = rng.choice("/.-")
    return rng.choice([
        f"{day:02d}{mark}{month:02d}{mark}{year}",
        f"{month:02d}{mark}{day:02d}{mark}{year}",
        f"{day}{mark}{month}{mark}{year}",
        f"{day}{mark}{month}{mark}{year % 100:02d}",
        f"{year}-{month:02d}-{day:02d}",
        f"{day:02d}{month:02d}{year}",
        f"{day} {short} {year}",
        f"{short} {day}, {year}",
        f"{short} {day}{ending} {year}",
        f"{day}{ending} of {short} {year}",
        f"{day}{ending} {short} {year % 100:02d}",
    ])  # fmt: skip


def age(_fake: Faker, rng: Random) -> str:
    """Years, in figures."""
    return str(rng.randint(14, 89))


def address(fake: Faker, _rng: Random) -> str:
    """Street and house number, in the locale's order, on one line."""
    street = _until(fake.street_address, lambda value: re.search(r"\d", value))
    return re.sub(r" ,", ",", ", ".join(part.strip() for part in street.splitlines()))


def place(fake: Faker, rng: Random) -> str:
    """What follows an address now and then: town, with or without its code. Out of scope."""
    city, code = rng.choice(TOWNS), str(fake.postcode())
    return rng.choice([city, f"{code} {city}", f"{city} {code}"])


def number(_fake: Faker, rng: Random) -> str:
    """A long number of no known kind."""
    return str(rng.randint(10**7, 10**11))


VALUES: dict[str, Value] = {
    "PERSON": person, "FIRST_NAME": first_name, "LAST_NAME": last_name, "EMAIL": email, "PHONE": phone,
    "URL": url, "HANDLE": handle, "CARD": card, "IBAN": iban, "SSN": ssn, "IP": ip, "BIRTH_DATE": birth_date,
    "AGE": age, "ADDRESS": address, "PLACE": place, "NUMBER": number,
}  # fmt: skip
