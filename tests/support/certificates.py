"""A certificate authority of the tests' own, made with the openssl program."""
import subprocess


def make_ca(folder, name="LocalCode test CA"):
    """Returns (certificate, key) paths."""
    key, certificate = folder / "ca.key", folder / "ca.pem"
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
        "-keyout", key, "-out", certificate, "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return certificate, key


def make_certificate(folder, ca, name="localhost", alternatives="DNS:localhost,IP:127.0.0.1", file="server"):
    """A server certificate signed by `ca`; returns (certificate, key) paths."""
    key, request, certificate = folder / f"{file}.key", folder / f"{file}.csr", folder / f"{file}.pem"
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    extensions = folder / f"{file}.ext"
    extensions.write_text(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    run("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", "2", "-out", certificate, "-extfile", extensions)
    return certificate, key


def run(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, f"openssl {' '.join(map(str, args))}:\n{done.stderr}"
