"""ABC Enterprises in plain Python, from section 7 of the methodology: what the SQL must write, row by row.

Money is cents, times are UTC. The randomness is PostgreSQL's ``hashint8extended``, written anew from its
definition (Bob Jenkins' lookup3): so the SQL's data are shown to depend on nothing but its arguments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_WORD = 2**32 - 1


@dataclass(frozen=True)
class Company:
    """A company and what it did: its sessions in each month before the one in which it churned."""

    customer_id: str
    size: str
    price: int
    sessions: list[list[datetime]]


def simulate(companies: int, months: int, seed: int, start: date) -> Iterator[Company]:
    """The companies in order."""
    width = max(6, len(str(companies)))
    for number in range(1, companies + 1):
        small = fraction(stream(seed, 1), number) < 0.7
        sessions = []
        for month in range(1, months + 1):
            moments = _moments(seed, number, month, 5 if small else 10, start)
            if not moments:
                break
            sessions.append(moments)
        size, price = ("small", 1900) if small else ("large", 9900)
        yield Company(f"abc_{number:0{width}}", size, price, sessions)


def month_start(start: date, month: int) -> datetime:
    """When the month begins, months counting from 1."""
    months = start.year * 12 + start.month - 1 + month - 1
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def stream(of: int, key: int) -> int:
    """The stream of a key within a stream or seed: 64 random bits."""
    return hashint8extended(0, hashint8extended(key, of))


def hashint8extended(key: int, seed: int) -> int:
    """PostgreSQL's hash of a ``bigint``: 64 bits as a signed integer."""
    low, high = key & _WORD, key >> 32 & _WORD
    word = low ^ (high if key >= 0 else ~high & _WORD)
    a = b = c = 0x9E3779B9 + 4 + 3923095
    if seed:
        a, b = a + (seed >> 32 & _WORD) & _WORD, b + (seed & _WORD) & _WORD
        for turn in (4, 6, 8, 16, 19, 4):
            a = a - c & _WORD ^ _rotated(c, turn)
            c = c + b & _WORD
            a, b, c = b, c, a  # each step works on the next of the three
    a = a + word & _WORD
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _rotated(b, turn) & _WORD
        a, b, c = b, c, a
    # After seven steps in turn the three stand one place further.
    b, c = a, b
    bits = b << 32 | c
    return bits - 2**64 if bits >= 2**63 else bits


def integer(of: int, key: int, values: int) -> int:
    """A uniform integer in 0 .. values - 1."""
    return (stream(of, key) & 2**63 - 1) % values


def fraction(of: int, key: int) -> float:
    """A uniform fraction, 0 <= x < 1."""
    return (stream(of, key) >> 11 & 2**53 - 1) / 2**53


def _moments(seed: int, company: int, month: int, typical: int, start: date) -> list[datetime]:
    """The sessions of a company in a month."""
    draws = stream(stream(stream(seed, 2), company), month)
    sign = 1 - 2 * integer(draws, 1, 2)
    sessions = typical + sign * integer(draws, 2, typical + 1)
    begins, ends = month_start(start, month), month_start(start, month + 1)
    moments = stream(stream(stream(seed, 3), company), month)
    microseconds = (ends - begins) // timedelta(microseconds=1)
    return [
        begins + timedelta(microseconds=integer(moments, session, microseconds)) for session in range(1, sessions + 1)
    ]


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD
