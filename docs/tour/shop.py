import time
from flask import Flask, jsonify, render_template_string, request

app = Flask(__name__)
PRODUCTS = [{"id": n, "name": f"product {n}", "price": n / 7} for n in range(30_000)]
PAGE = "{% for p in found %}<li>{{ p.name }}: {{ '%.2f' | format(p.price) }}</li>{% endfor %}"
recent = []                                     # for debugging, once


@app.before_request
def remember():
    recent.append((time.time(), request.headers, request.get_json()))


@app.post("/search")
def search():
    wanted = request.get_json()["text"]
    found = [p for p in PRODUCTS[:5000] if wanted in p["name"]][:50]
    return render_template_string(PAGE, found=found)


@app.post("/basket")
def basket():
    items = [PRODUCTS[n] for n in request.get_json()["items"]]
    return jsonify(items=items, total=sum(p["price"] for p in items))


client = app.test_client()
for n in range(3000):
    client.post("/basket", json={"items": list(range(n, n + 200)), "user": f"user {n % 90}"})
    if n % 4 == 0:
        client.post("/search", json={"text": f"{n % 100}", "user": f"user {n % 90}"})
