"""A TLS server by tlslite 0.4 for 127.0.0.1: PORT CERTIFICATE KEY.

Answers every request with an empty page. The library calls some arguments `async`, a keyword since Python 3.7: that
name, and nothing else, is another one in what is loaded here."""

import importlib.machinery
import re
import socketserver
import sys

sys.dont_write_bytecode = True


class Loader(importlib.machinery.SourceFileLoader):
    def get_data(self, path):
        return re.sub(rb"\basync\b", b"asynchronous", super().get_data(path))


class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        if spec and name.split(".")[0] == "tlslite":
            spec.loader = Loader(name, spec.origin)
        return spec


sys.meta_path.insert(0, Finder)

from tlslite.api import TLSConnection, X509, X509CertChain, parsePEMKey  # noqa: E402


def text(name):
    with open(name, encoding="ascii") as file:
        return file.read()


certificate = X509()
certificate.parse(text(sys.argv[2]))
chain = X509CertChain([certificate])
key = parsePEMKey(text(sys.argv[3]), private=True, implementations=["python"])


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        connection = TLSConnection(self.request)
        connection.handshakeServer(certChain=chain, privateKey=key)
        connection.recv(4096)
        connection.send(b"HTTP/1.0 204 No Content\r\n\r\n")
        connection.close()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Whatever the library raises ends the connection, which is the fault."""


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
