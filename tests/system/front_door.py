"""A client of the front door that believes nothing: every answer is compared with schemas/openapi.yaml."""

import base64
import http.client
import json
import pathlib
import subprocess
import time
import urllib.parse

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "schemas/openapi.yaml"


class Document:
    """The OpenAPI document, and which of its answers were seen."""

    def __init__(self):
        self.text = DOCUMENT.read_text(encoding="utf-8")
        self.root = yaml.safe_load(self.text)
        self.seen = set()

    def resolve(self, node):
        while "$ref" in node:
            target = self.root
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            node = target
        return node

    def described(self):
        """Every (path, method, status) that it describes one by one."""
        return {(path, method, int(status)) for path, methods in self.root["paths"].items()
                for method, operation in methods.items() if method != "parameters"
                for status in operation["responses"] if status != "default"}

    def pattern(self, path):
        """The path of the document that a path is one of; itself where there is none."""
        parts = path.split("/")
        for pattern in self.root["paths"]:
            its = pattern.split("/")
            if len(its) == len(parts) and all(a == b or a.startswith("{") for a, b in zip(its, parts)):
                return pattern
        return path

    def methods(self, path):
        return {method: operation for method, operation in self.root["paths"].get(path, {}).items() if method != "parameters"}

    def matches(self, schema, value):
        """Fails where a value is not what a schema says; references are the document's."""
        resolver = jsonschema.RefResolver("", self.root)
        jsonschema.Draft202012Validator(schema, resolver=resolver).validate(value)

    def check(self, path, method, answer):
        """Fails where an answer is not described. Of other paths and methods, what all paths have is."""
        methods = self.methods(path)
        if methods and method not in methods:
            described = {"405": {"$ref": "#/components/responses/Method"}}  # of whichever method it has
            method = next(iter(methods))
        else:
            described = methods.get(method, {}).get("responses", {"default": {"$ref": "#/components/responses/Other"}})
        assert str(answer.status) in described or "default" in described, (path, method, answer.status, answer.body)
        response = self.resolve(described.get(str(answer.status)) or described["default"])
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in response["content"], (path, method, answer.status, kind)
        self.matches(response["content"][kind]["schema"], answer.json if kind == "application/json" else answer.body.decode())
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            value = answer.headers[name]
            assert value is not None or not header.get("required"), (name, path, answer.status)
            self.matches(header["schema"], int(value) if header["schema"].get("type") == "integer" else value)
        self.seen.add((path, method, answer.status))

    def bodies(self):
        """(path, method) of all requests that have a body, and what the document says of it."""
        return {(path, method): operation["requestBody"]["content"]["application/json"] for path in self.root["paths"]
                for method, operation in self.methods(path).items() if "requestBody" in operation}

    def check_request(self, body, path="/v1/sessions", method="post"):
        """Whether a body is one that the document allows."""
        try:
            self.matches(self.bodies()[path, method]["schema"], body)
        except jsonschema.ValidationError:
            return False
        return True


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        self.json = json.loads(self.body) if self.headers.get_content_type() == "application/json" else None

    @property
    def code(self):
        return self.json["error"]["code"]


class Door:
    """The front door of a cluster."""

    def __init__(self, cluster, document):
        self.cluster, self.document = cluster, document

    @property
    def address(self):
        host, _, port = (self.cluster.run_dir / "matchmaker-0.front").read_text(encoding="ascii").rpartition(":")
        return host.strip("[]"), int(port)

    def ask(self, method, path, body=None, headers=None):
        """The answer to a request, which is as the document says of the path."""
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        self.document.check(self.document.pattern(path.partition("?")[0]), method.lower(), answer)
        return answer

    def act(self, method, path, token=None, **body):
        """The answer to what somebody asks; GET and DELETE have it in the query. `token`: in the header."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if method in ("GET", "DELETE"):
            return self.ask(method, path + ("?" + urllib.parse.urlencode(body) if body else ""), headers=headers)
        return self.ask(method, path, json.dumps(body), headers | {"Content-Type": "application/json"})

    def session(self, **body):
        return self.ask("POST", "/v1/sessions", json.dumps(body), {"Content-Type": "application/json"})

    def admitted(self, **body):
        """The session of somebody who is let in, as soon as the gateways take tokens."""
        assert self.document.check_request(body)
        deadline = time.monotonic() + 30
        while (answer := self.session(**body)).status == 503 and time.monotonic() < deadline:
            time.sleep(float(answer.headers["Retry-After"]))
        assert answer.status == 201, answer.body
        return answer.json


# --- what a studio has


def make_key(path):
    """A key pair as the README says: PATH.key to sign with, PATH.pem for the cluster."""
    private, public = path.with_suffix(".key"), path.with_suffix(".pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private


def encoded(part):
    part = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def sign(private, claims, header=None):
    """A token of the studio, signed with Ed25519 whatever its header says."""
    text = encoded(header or {"alg": "EdDSA", "typ": "JWT"}) + b"." + encoded(claims)
    message = private.with_suffix(".message")
    message.write_bytes(text)
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", private, "-rawin", "-in", message], check=True,
                               capture_output=True).stdout
    return (text + b"." + encoded(signature)).decode()
