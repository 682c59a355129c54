"""A webhook's receiver for tests: Python's own HTTP server and the official verifier of Standard Webhooks.

Prints one JSON line with the port it listens on, then one for every request: what it was, and what the verifier made of
it under each of the secrets. Ends when its standard input closes, so that no test leaves it behind.

The path decides what happens: /STATUS answers with it; /status/STATUS?after=TEXT adds a Retry-After; /redirect points to
/200; /silent never answers; /drip sends its body a byte at a time; /huge sends 100 MB; /reset hangs up; /noise is no HTTP.
"""

import argparse
import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

SECRETS: list[str] = []
LOCK = threading.Lock()


def say(line: dict) -> None:
    with LOCK:
        print(json.dumps(line), flush=True)


def verdict(secret: str, body: bytes, headers: dict) -> str:
    try:
        Webhook(secret).verify(body, headers)
        return "genuine"
    except Exception as error:  # The verifier's own classes, and what its parsing raises.
        return str(error)


def platform(secret: str, body: bytes, headers: dict) -> bool:
    key = Webhook(secret)._whsecret
    made = hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made, headers.get("x-provenanceone-signature", ""))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_any(b"")

    def do_POST(self) -> None:
        self.handle_any(self.rfile.read(int(self.headers.get("content-length", 0))))

    def handle_any(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        tampered = body.replace(b"1", b"2", 1)
        say(
            {
                "method": self.command,
                "path": self.path,
                "headers": headers,
                "body": body.decode("utf-8", "replace"),
                "genuine": [verdict(secret, body, headers) for secret in SECRETS],
                "tampered": [verdict(secret, tampered, headers) for secret in SECRETS],
                "platform": [platform(secret, body, headers) for secret in SECRETS],
            }
        )
        self.close_connection = True
        self.answer()

    def answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        word = url.path.strip("/").split("/")[-1]
        after = urllib.parse.parse_qs(url.query).get("after", [None])[0]
        if word == "silent":
            time.sleep(3600)
        elif word == "reset":
            pass
        elif word == "noise":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        elif word == "redirect":
            self.head(307, 0, {"Location": f"http://{self.headers['host']}/200"})
        elif word == "drip":
            self.head(200, 3600, {})
            for _ in range(3600):
                self.wfile.write(b".")
                time.sleep(1)
        elif word == "huge":
            self.head(200, 100_000_000, {})
            for _ in range(1000):
                self.wfile.write(b"x" * 100_000)
        else:
            self.head(int(word), 0, {"Retry-After": after} if after else {})

    def head(self, status: int, length: int, headers: dict) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass  # A client that goes away early is what some tests are about.


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--secret", action="append", default=[])
    SECRETS.extend(parser.parse_args().secret)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    say({"port": server.server_port})
    server.serve_forever()


if __name__ == "__main__":
    main()
