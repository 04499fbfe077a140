"""A TLS server by tlslite-ng for 127.0.0.1: PORT KEYS PROFILE, with PROFILE weak or hybrid.

KEYS is a folder with rsa.pem and rsa.key. Answers every request with an empty page."""

import socketserver
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.errors import TLSError

port, keys, profile = sys.argv[1:]


def settings_of(profile):
    settings = HandshakeSettings()
    if profile == "weak":
        settings.minVersion, settings.maxVersion = (3, 0), (3, 3)
        settings.cipherNames += ["rc4", "null", "aes128ccm_8", "aes256ccm_8"]
        settings.macNames += ["md5"]
    else:
        settings.minVersion = (3, 3)
        settings.cipherNames = ["chacha20-poly1305", "aes256gcm", "aes128gcm", "aes128ccm"]
        settings.keyExchangeNames = ["ecdhe_rsa", "dhe_rsa"]
        settings.eccCurves = ["x25519mlkem768", "x25519", "secp256r1"]
        settings.keyShares = ["x25519mlkem768", "x25519"]
    return settings.validate()


def text(name):
    with open(f"{keys}/{name}", encoding="ascii") as file:
        return file.read()


chain = X509CertChain()
chain.parsePemList(text("rsa.pem"))
key = parsePEMKey(text("rsa.key"), private=True)
settings = settings_of(profile)


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        connection = TLSConnection(self.request)
        try:
            connection.handshakeServer(certChain=chain, privateKey=key, settings=settings)
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
            connection.close()
        except (TLSError, OSError):
            pass  # the client has seen enough


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(port)), Handler).serve_forever()
