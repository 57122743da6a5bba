"""Between the messages of credentials and identity's domain."""

from paideia.identity.v1 import credentials_pb2 as pb

from domain.identity import recovery, totp
from domain.identity.challenges import (
    PasskeyProof,
    PasswordProof,
    Proof,
    PutChallenge,
    RecoveryProof,
    SecondProof,
    TotpProof,
    Way,
)
from domain.identity.passkeys import Passkey, RelyingParty, checked_credential
from domain.identity.sessions import Session, check_given_password
from domain.identity.use_cases.get_credentials import CredentialsShown
from domain.shared.errors import InvalidInput
from services.shared.times import timestamp

_WAYS = {
    Way.PASSWORD: pb.CHALLENGE_WAY_PASSWORD,
    Way.TOTP: pb.CHALLENGE_WAY_TOTP,
    Way.PASSKEY: pb.CHALLENGE_WAY_PASSKEY,
    Way.RECOVERY_CODE: pb.CHALLENGE_WAY_RECOVERY_CODE,
}


def challenge_message(challenge: PutChallenge, relying_party: RelyingParty) -> pb.Challenge:
    by_passkey = Way.PASSKEY in challenge.ways
    return pb.Challenge(
        challenge=str(challenge.token),
        ways=[_WAYS[way] for way in challenge.ways],
        passkey_options=relying_party.sign_in_options(challenge.token.digest, challenge.credentials) if by_passkey else "",
        expire_time=timestamp(challenge.expires_at),
    )


def proof_from(answer: pb.ChallengeAnswer) -> Proof:
    """Raises InvalidInput naming the field at fault."""
    match answer.WhichOneof("way"):
        case "password":
            check_given_password(answer.password, "answer.password")
            return PasswordProof(answer.password)
        case "totp_code":
            return TotpProof(totp.checked_code(answer.totp_code, "answer.totp_code"))
        case "recovery_code":
            return RecoveryProof(recovery.checked_code(answer.recovery_code, "answer.recovery_code"))
        case "passkey":
            return PasskeyProof(checked_credential(answer.passkey, "answer.passkey"))
        case _:
            raise InvalidInput.of("answer", "must hold one of password, totp_code, recovery_code and passkey")


def second_proof_from(answer: pb.ChallengeAnswer) -> SecondProof:
    """Raises InvalidInput naming the field at fault: a password is no second factor."""
    proof = proof_from(answer)
    if isinstance(proof, PasswordProof):
        raise InvalidInput.of("answer.password", "does not answer this challenge: the password came before it")
    return proof


def credentials_message(shown: CredentialsShown) -> pb.Credentials:
    factors = shown.factors
    return pb.Credentials(
        has_password=shown.account.password_hash is not None,
        email=shown.account.user.email,
        email_verified=shown.email_verified,
        totp_enabled=factors.totp is not None and factors.totp.confirmed,
        recovery_codes_left=recovery.unused(factors.recovery_codes),
        passkeys=map(passkey_message, factors.passkeys),
    )


def passkey_message(passkey: Passkey) -> pb.Passkey:
    return pb.Passkey(
        name=f"passkeys/{passkey.id}",
        display_name=passkey.display_name,
        create_time=timestamp(passkey.created_at),
        last_use_time=None if passkey.last_used_at is None else timestamp(passkey.last_used_at),
    )


def session_message(session: Session, current: str | None) -> pb.Session:
    return pb.Session(
        name=f"sessions/{session.id}",
        device=session.device,
        create_time=timestamp(session.started_at),
        last_use_time=timestamp(session.last_used_at),
        expire_time=timestamp(session.expires_at),
        methods=sorted(session.authentication.methods),
        current=session.id == current,
    )
