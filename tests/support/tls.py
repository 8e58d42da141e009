"""Self-signed certificates, and a TLS proxy in front of a plain server."""

from __future__ import annotations

import datetime
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(folder: Path, *, address: str = "") -> tuple[Path, Path]:
    """Write a self-signed certificate for *address*, or for the name of another host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somewhere.example")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@contextmanager
def tls_proxy(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """Yield a port that speaks TLS and forwards everything to *port* of this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve(client: socket.socket) -> None:
        """Forward both directions in one thread: two threads cannot use an encrypted socket at once."""
        with (
            suppress(OSError),
            context.wrap_socket(client, server_side=True) as inside,
            socket.create_connection(("127.0.0.1", port)) as plain,
        ):
            while True:
                readable = [inside] if inside.pending() else select.select([inside, plain], [], [])[0]
                for source, sink in ((inside, plain), (plain, inside)):
                    if source in readable:
                        data = source.recv(65536)
                        if not data:
                            return
                        sink.sendall(data)

    def accept(proxy_socket: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = proxy_socket.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as proxy_socket:
        threading.Thread(target=accept, args=(proxy_socket,), daemon=True).start()
        yield proxy_socket.getsockname()[1]
        proxy_socket.shutdown(socket.SHUT_RDWR)
