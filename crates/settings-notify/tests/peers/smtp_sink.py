"""An SMTP server for tests: aiosmtpd behind a scripted handler.

Prints one JSON line with the port it listens on, then one for every message it took: the envelope, the raw bytes and
what Python's own email package makes of them. Ends when its standard input closes, so that no test leaves it behind.

Recipients decide what happens: refuse@ (550 at RCPT), later@ (451 at RCPT), spam@ (554 at DATA), slow@ (no answer to
DATA). Everybody else's mail is taken.
"""

import argparse
import asyncio
import email
import email.policy
import json
import os
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

ANSWERS = {
    "refuse": "550 5.1.1 <{}>: recipient unknown",
    "later": "451 4.7.1 <{}>: greylisted, try again later",
}


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


def parsed(raw: bytes) -> dict:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return {
        "type": message.get_content_type(),
        "headers": [[name, str(value)] for name, value in message.items()],
        "parts": {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in leaves},
        "part_count": len(leaves),
        "defects": [repr(d) for part in message.walk() for d in part.defects]
        + [repr(d) for _, value in message.items() for d in value.defects],
    }


class Handler:
    async def handle_RCPT(self, server, session: Session, envelope: Envelope, address: str, options: list) -> str:
        answer = ANSWERS.get(address.partition("@")[0])
        if answer:
            return answer.format(address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session: Session, envelope: Envelope) -> str:
        locals_ = {address.partition("@")[0] for address in envelope.rcpt_tos}
        if "spam" in locals_:
            return "554 5.7.1 not for {}".format(envelope.rcpt_tos[0])
        if "slow" in locals_:
            await asyncio.sleep(3600)
        raw = envelope.original_content
        say(
            {
                "mail_from": envelope.mail_from,
                "rcpt_tos": envelope.rcpt_tos,
                "mail_options": envelope.mail_options,
                "tls": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
                "login": session.auth_data.login.decode() if session.auth_data else None,
                "raw": raw.decode("utf-8", "replace"),
                "ascii": raw.isascii(),
                "email": parsed(raw),
            }
        )
        return "250 2.0.0 taken"


async def serve(args: argparse.Namespace) -> None:
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)

    def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(args.user.encode(), args.password.encode())
        # Unhandled, so that the server itself answers 535.
        return AuthResult(success=right, handled=False, auth_data=data)

    def factory() -> SMTP:
        return SMTP(
            Handler(),
            hostname="sink.example",
            loop=loop,
            tls_context=context if args.tls == "starttls" else None,
            require_starttls=args.tls == "starttls",
            authenticator=authenticate if args.user else None,
            auth_required=bool(args.user),
            auth_require_tls=False,
        )

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(args.greet.encode() + b"\r\n")
        await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    if args.greet:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
    else:
        tls = context if args.tls == "implicit" else None
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=tls)
    say({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", choices=["starttls", "implicit"])
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--greet", help="say this line to everybody and hang up")
    args = parser.parse_args()
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    asyncio.run(serve(args))


if __name__ == "__main__":
    main()
