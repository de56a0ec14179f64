"""Why something is not proven: it cannot be read, nobody trusted signed it, or its hashes lead elsewhere."""

from schemas.errors import LedgerError


class MalformedError(LedgerError):
    """Bytes are not in their format, so nothing was verified. Fetch them again."""

    code = "malformed"


class UntrustedError(LedgerError):
    """No trusted key signed it, or a trusted key's signature is wrong. Rely on nothing in it; check the keys you were given."""

    code = "untrusted"


class UnprovenError(LedgerError):
    """The hashes do not lead to the root: something was altered. Keep what you were given, it is the evidence."""

    code = "unproven"
