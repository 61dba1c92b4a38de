"""A small web service, all in one process, that leaks.

A load generator sends requests to handlers for five seconds.  The service has
the parts that such services have: a catalogue parsed from JSON, a product
cache with a bound, a session store with expiry, an event log in SQLite, a
compressor, and page templates.  Somewhere in it memory is kept for ever:

    memtrace run tests/programs/leaky_service.py
    memtrace top
    memtrace plot

(The answer: Templates.compiled is keyed by the whole URL with its query, so
that it never hits and never stops growing.)

The same requests are made in each run; nothing but the standard library is
used.  An argument gives the number of requests (1500).
"""
import collections
import json
import random
import re
import sqlite3
import sys
import time
import zlib

RATE = 300  # requests a second


class Catalogue:
    """The products, loaded once at start-up: large, and not a leak."""

    def __init__(self, size):
        document = json.dumps([
            {"id": n, "name": "product %d" % n, "price": n * 7 % 1000 / 10,
             "tags": ["tag%d" % (n % 17), "tag%d" % (n % 23)], "stock": {"here": n % 9, "there": n % 5}}
            for n in range(size)])
        self.products = json.loads(document)

    def find(self, number):
        return self.products[number % len(self.products)]


class LeastRecentlyUsed:
    """A cache with a bound: it grows, then it stops."""

    def __init__(self, bound):
        self.bound = bound
        self.entries = collections.OrderedDict()

    def get(self, key, make):
        if key in self.entries:
            self.entries.move_to_end(key)
            return self.entries[key]
        value = self.entries[key] = make(key)
        if len(self.entries) > self.bound:
            self.entries.popitem(last=False)
        return value


class Sessions:
    """Sessions that expire after a number of requests."""

    def __init__(self, lifetime):
        self.lifetime = lifetime
        self.by_token = {}

    def open(self, token, now):
        session = self.by_token.get(token)
        if session is None:
            session = {"token": token, "basket": [], "history": bytearray(8 * 1024)}
            self.by_token[token] = session
        session["seen"] = now
        return session

    def expire(self, now):
        old = [t for t, s in self.by_token.items() if now - s["seen"] > self.lifetime]
        for token in old:
            del self.by_token[token]


class Templates:
    """Compiles a template into a list of steps, once for each page."""

    field = re.compile(r"\{(\w+)\}")

    def __init__(self):
        self.compiled = {}

    def compile(self, text):
        steps = []
        position = 0
        for match in self.field.finditer(text):
            steps.append(("text", text[position:match.start()]))
            steps.append(("field", match.group(1)))
            position = match.end()
        steps.append(("text", text[position:]))
        return steps

    def get(self, url, text):
        if url not in self.compiled:
            self.compiled[url] = self.compile(text)
        return self.compiled[url]

    def render(self, url, text, values):
        steps = self.get(url, text)
        return "".join(value if kind == "text" else str(values[value]) for kind, value in steps)


class EventLog:
    """What happened, in SQLite: memory of a C library, not of Python."""

    def __init__(self):
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE event (request INTEGER, kind TEXT, body BLOB)")

    def add(self, request, kind, body):
        self.database.execute("INSERT INTO event VALUES (?, ?, ?)", (request, kind, body))

    def trim(self, keep):
        self.database.execute(
            "DELETE FROM event WHERE request < (SELECT max(request) FROM event) - ?", (keep,))


ROW = "<tr><td>{id}</td><td>{name}</td><td class='price'>{price}</td><td>{stock}</td></tr>\n"
PAGE = "<html><title>{name}</title><table>\n" + ROW * 24 + "</table>{token}</html>"


class Service:
    def __init__(self):
        self.catalogue = Catalogue(12000)
        self.templates = Templates()
        self.thumbnails = LeastRecentlyUsed(256)
        self.sessions = Sessions(lifetime=400)
        self.log = EventLog()
        self.routes = {"/product": self.product, "/basket": self.basket, "/search": self.search}

    def thumbnail(self, number):
        seed = random.Random(number)
        return bytes(seed.getrandbits(8) for _ in range(64)) * 256  # 16 KiB

    def product(self, url, query, session):
        product = self.catalogue.find(int(query["id"]))
        self.thumbnails.get(product["id"] % 600, self.thumbnail)
        return self.templates.render(url, PAGE, dict(product, token=session["token"]))

    def basket(self, url, query, session):
        session["basket"].append(json.loads(json.dumps(self.catalogue.find(int(query["id"])))))
        return json.dumps(session["basket"])

    def search(self, url, query, session):
        tag = "tag%s" % (int(query["id"]) % 17)
        found = [p["name"] for p in self.catalogue.products[:400] if tag in p["tags"]]
        return json.dumps(found)

    def handle(self, number, url):
        path, _, text = url.partition("?")
        query = dict(pair.split("=", 1) for pair in text.split("&"))
        session = self.sessions.open(query["user"], number)
        body = self.routes[path](url, query, session)
        packed = zlib.compress(body.encode())
        self.log.add(number, path, packed)
        if number % 100 == 99:
            self.sessions.expire(number)
            self.log.trim(500)
        return len(packed)


def requests(count):
    """The load: mostly products, by some hundreds of users."""
    chance = random.Random(7)
    for number in range(count):
        path = chance.choices(["/product", "/basket", "/search"], [8, 1, 1])[0]
        yield number, "%s?id=%d&user=u%d&click=%d" % (
            path, chance.randrange(12000), chance.randrange(700), number)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    service = Service()
    begin = time.monotonic()
    sent = 0
    for number, url in requests(count):
        due = begin + number / RATE
        ahead = due - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        sent += service.handle(number, url)
    print("%d requests, %d bytes sent, %d pages compiled" % (
        count, sent, len(service.templates.compiled)))


main()
