"""What a lab needs that other machines can reach: certificate, password, names; and the ssh line instead of it all."""

import datetime
import getpass
import hashlib
import ipaddress
import os
import secrets
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.errors import FirstlightError
from firstlight.files import write_whole
from firstlight.lab.home import home
from firstlight.locale import Text

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

WORDS = 5  # of 16 bits each: 80 bits, more than six words of a dice list
PASSWORD_LENGTH = 12  # of a person's own, at least
VALID_DAYS = 397  # browsers accept no more of a certificate for a server


class CertificateUnusable(FirstlightError, ValueError):
    """The certificate or its key cannot be read, or they do not belong together."""

    text = Text(
        what="The certificate {certfile} cannot be used: {reason}",
        why="Other machines reach the lab over TLS only, and TLS needs a certificate (PEM) and its private key.",
        do="Give both: --certfile CERT.pem --keyfile KEY.pem, or give neither, and the lab makes its own.",
    )


class PasswordTooShort(FirstlightError, ValueError):
    """The password could be guessed."""

    text = Text(
        what="The password needs at least {count} characters.",
        why="Whoever guesses it can run any program on this machine as you.",
        do="Take four words that do not belong together.",
    )


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key on disk."""

    certfile: Path
    keyfile: Path | None
    fingerprint: str  # SHA-256, hexadecimal, without colons
    own: bool  # made here, so that the browser will warn

    def spelled(self) -> str:
        """The fingerprint as browsers show it."""
        return ":".join(self.fingerprint[i : i + 2] for i in range(0, len(self.fingerprint), 2)).upper()


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a server that listens there.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("")
        (True, True, False, False)
    """
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def password() -> str:
    """A fresh password of five words that can be read out over the telephone.

    Each word is a proquint (Wilkerson, "A Proposal for Proquints", 2009): consonants and vowels in turn, 16 bits.

    Example:
        >>> len(password().split("-")), len(password())
        (5, 29)
    """
    return "-".join(_proquint(secrets.randbits(16)) for _word in range(WORDS))


def kept_password() -> str:
    """The argon2 hash of the password that the person set once for all remote labs; empty where there is none."""
    try:
        return _password_file().read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def keep_password(word: str) -> None:
    """Set the password of all remote labs from now on, as a hash; an empty one makes each lab choose its own again.

    Raises:
        PasswordTooShort: It could be guessed.
    """
    if not word:
        _password_file().unlink(missing_ok=True)
        return
    if len(word) < PASSWORD_LENGTH:
        raise PasswordTooShort(count=PASSWORD_LENGTH)
    from jupyter_server.auth import passwd

    _password_file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(_password_file(), passwd(word).encode(), mode=0o600)  # argon2


def names_of_this_machine() -> list[str]:
    """The names and addresses under which others may know this machine."""
    names = {socket.gethostname(), socket.getfqdn()}
    with suppress(OSError):
        names.update(str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(socket.gethostname(), None))
    if address := outward_address():
        names.add(address)
    return sorted(name.lower() for name in names if name and not is_loopback(name) and name != "localhost.localdomain")


def outward_address() -> str | None:
    """The address that this machine uses towards others. No packet is sent: a datagram socket only looks up the way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation, RFC 5737
        except OSError:
            return None
        return str(probe.getsockname()[0])


def ssh_line(port: int, host: str | None = None) -> str:
    """The command that a person types at home so that the lab's own URL works there.

    Args:
        port: The lab's port, here and there.
        host: A name of this machine; else what ssh itself was called with, else the machine's own name.
    """
    port_option = ""
    session = os.environ.get("SSH_CONNECTION", "").split()  # client address, client port, server address, server port
    if len(session) == 4:
        host = host or session[2]
        port_option = "" if session[3] == "22" else f"-p {session[3]} "
    host = host or outward_address() or socket.gethostname()
    return f"ssh -N {port_option}-L {port}:127.0.0.1:{port} {_user()}@{host}"


def certificate(certfile: Path | None, keyfile: Path | None, names: list[str]) -> Certificate:
    """The person's own certificate, checked; or one that this machine signs itself, kept for a year.

    Raises:
        CertificateUnusable: It cannot be read, has run out, or the key is not its key.
    """
    if certfile is None:
        if keyfile is not None:
            raise CertificateUnusable(certfile="?", reason="--keyfile without --certfile")
        return _self_signed(names)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certfile, keyfile)
        fingerprint, ends = _read(certfile)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateUnusable(certfile=certfile, reason=getattr(error, "strerror", None) or error) from error
    if ends < datetime.datetime.now(datetime.timezone.utc):
        raise CertificateUnusable(certfile=certfile, reason=f"not valid after {ends:%Y-%m-%d}")
    return Certificate(certfile.absolute(), keyfile.absolute() if keyfile else None, fingerprint, own=False)


def _password_file() -> Path:
    return home() / "password"


def _self_signed(names: list[str]) -> Certificate:
    """One certificate per set of names, so that a browser that was told to trust it still does next week."""
    names = sorted({"localhost", "127.0.0.1", "::1", *names})
    stem = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    folder = home() / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certfile, keyfile = folder / f"{stem}.pem", folder / f"{stem}.key"
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=7)
    with suppress(OSError, ValueError):
        fingerprint, ends = _read(certfile)
        if ends > soon and keyfile.is_file():
            return Certificate(certfile, keyfile, fingerprint, own=True)
    _make(certfile, keyfile, names)
    return Certificate(certfile, keyfile, _read(certfile)[0], own=True)


def _make(certfile: Path, keyfile: Path, names: list[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "firstlight lab")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keyfile.unlink(missing_ok=True)
    with os.fdopen(os.open(keyfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    certfile.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _general_name(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _read(certfile: Path) -> tuple[str, datetime.datetime]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    read = x509.load_pem_x509_certificate(certfile.read_bytes())
    return read.fingerprint(hashes.SHA256()).hex(), read.not_valid_after_utc


def _proquint(bits: int) -> str:
    consonants, vowels = "bdfghjklmnprstvz", "aiou"
    letters = ((consonants, 12, 15), (vowels, 10, 3), (consonants, 6, 15), (vowels, 4, 3), (consonants, 0, 15))
    return "".join(alphabet[bits >> shift & mask] for alphabet, shift, mask in letters)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name for this user: containers
        return "USER"
