"""Prints the values of golden.rs, from an implementation of its own (Python 3 with `cryptography`)."""
import binascii, hashlib, hmac, uuid
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID = uuid.UUID("0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b").bytes
WS = uuid.UUID("0192f0c1-0000-7000-8000-000000000001").bytes
PERSON = uuid.UUID("0192f0c1-0000-7000-8000-000000000002").bytes


def enc(*parts):
    return b"".join(len(p).to_bytes(8, "big") + p for p in parts)


def mac(key, *parts):
    return hmac.new(key, enc(*parts), hashlib.sha256).digest()


def raw(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def base62(raw_bytes, width):
    n, out = int.from_bytes(raw_bytes, "big"), ""
    for _ in range(width):
        n, digit = divmod(n, 62)
        out = DIGITS[digit] + out
    return out


prk = raw(b"settings-root-v1", bytes(range(32)))
K = {
    name: raw(prk, name.encode() + b"\x01")
    for name in "token-digest invitation-token sign-in-token api-key-seal audit-mac audit-salt-wrapping cursor audit-checkpoint value-digest".split()
}


def token(prefix, label, secret):
    body = f"{prefix}{base62(ID, 22)}_{base62(secret, 43)}"
    text = f"{body}_{base62(binascii.crc32(body.encode()).to_bytes(4, 'big'), 6)}"
    return text, mac(K["token-digest"], label, ID, secret).hex()


def seal(key, nonce, header, context, plain):
    return header + nonce + AESGCM(key).encrypt(nonce, plain, enc(header, *context))


print("API_KEY", *token("wsk_", b"api-key", bytes(range(100, 132))))
print("SESSION", *token("ses_", b"session", bytes(range(100, 132))))
print("INVITATION", *token("inv_", b"invitation", mac(K["invitation-token"], ID, (3).to_bytes(8, "big"))))
print("SIGN_IN", *token("sgn_", b"sign-in", mac(K["sign-in-token"], ID)))
micros = (1_800_000_000_123_456).to_bytes(8, "big")
for name, expires in (("SEAL_NEVER", b""), ("SEAL_EXPIRES", micros)):
    print(name, mac(K["api-key-seal"], WS, ID, b"runs:read secrets:read", expires, bytes([9] * 32)).hex())
cursor_key = mac(K["cursor"], b"context")
import base64
print("CURSOR", base64.urlsafe_b64encode(seal(cursor_key, bytes([5] * 12), b"\x01", [b"context"], b"position")).decode().rstrip("="))

salt = bytes(range(50, 82))
print("SALT", seal(K["audit-salt-wrapping"], bytes([6] * 12), b"\x01", [WS, PERSON], salt).hex())


def part(b):
    return enc(b)


def maybe(b):
    return bytes([b is not None]) + part(b or b"")


def record(seq, changes):
    out = b"\x01" + part(WS) + seq.to_bytes(8, "big") + (1_800_000_000_123_456_000).to_bytes(16, "big")
    out += part(b"api_key.created") + part(b"medium") + part(b"member") + maybe(None) + part(b"api_key") + maybe(ID)
    out += len(changes).to_bytes(8, "big")
    for field, before, after in changes:
        out += part(field) + maybe(before) + maybe(after)
    return out


def event(seq, prev, fields, changes):
    pairs, openings = [], []
    for field, value in fields:
        place = [WS, seq.to_bytes(8, "big"), field]
        nonce = mac(salt, b"nonce", *place)
        pairs += [field, mac(nonce, b"audit-pii-v1", *place, value).hex().encode()]
        openings.append(seal(mac(salt, b"opening"), bytes([7] * 12), b"\x01", [b"opening", *place], value))
    leaf = hashlib.sha256(enc(b"leaf", record(seq, changes), *pairs)).digest()
    node = hashlib.sha256(enc(b"node", prev, leaf)).digest()
    return pairs, openings, node, mac(K["audit-mac"], WS, node)


pairs, openings, node, seal_ = event(7, bytes([3] * 32), [(b"actor", b"ada"), (b"name", "Zoë".encode())], [(b"scopes", None, b"runs:read")])
print("COMMITMENTS", [p.decode() for p in pairs])
print("OPENINGS", [o.hex() for o in openings])
print("HASH", node.hex())
print("MAC", seal_.hex())

kek, header = bytes(range(200, 232)), b"\x01\x02k1"
print("KEK", base64.b64encode(kek).decode())
print("WRAPPED", seal(kek, bytes([8] * 12), header, [b"settings-keyring", b"a", b"1", b"purpose", b"service-root"], bytes(range(32))).hex())

data_key, workspace = bytes(range(64, 96)), str(uuid.UUID(bytes=WS)).encode()
labels = [b"generation", b"3", b"purpose", b"data-key", b"workspace", workspace]
print("DATA_KEY", seal(kek, bytes([10] * 12), header, [b"settings-keyring", *labels], data_key).hex())
for kind, place in (("variable", b"0192f0c1-0000-7000-8000-000000000002"), ("secret", b"0192f0c1-0000-7000-8000-000000000002"), ("model-credential", b"client_key https://models.example")):
    bound = [b"settings-value", WS, kind.encode(), ID, (5).to_bytes(8, "big"), place, (3).to_bytes(8, "big")]
    print("VALUE", kind, seal(data_key, bytes([9] * 12), b"\x01", bound, "Zo\u00eb".encode()).hex())
print("VALUE_DIGEST", mac(K["value-digest"], WS, "Zo\u00eb".encode()).hex())

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

signer = Ed25519PrivateKey.from_private_bytes(K["audit-checkpoint"])
public = signer.public_key().public_bytes_raw()
key_id = hashlib.sha256(b"settings-audit\n\x01" + public).digest()[:4]
text = f"settings-audit/{uuid.UUID(bytes=WS)}\n7\n{base64.b64encode(node).decode()}\n"
print("CHECKPOINT_KEY", f"settings-audit+{key_id.hex()}+{base64.b64encode(bytes([1]) + public).decode()}")
print("CHECKPOINT", repr(f"{text}\n\u2014 settings-audit {base64.b64encode(key_id + signer.sign(text.encode())).decode()}\n"))
