"""Passkeys by the library `webauthn`; its errors end here."""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from domain.identity.challenges import CHALLENGE_LIFE
from domain.identity.passkeys import Assertion, NewCredential, Passkey, PasskeyRefused, RelyingParty

_TIMEOUT_MS = int(CHALLENGE_LIFE.total_seconds() * 1000)
_LONGEST_CREDENTIAL_ID = 1023  # Web Authentication, section 4
_MALFORMED = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What the library raises for credentials that are not what a browser makes."""


class WebAuthnRelyingParty(RelyingParty):
    """`public_url` is where people's browsers find the platform; its host is the relying party's id, so passkeys are bound to it."""

    def __init__(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the public URL must look like https://learn.example.org, not {public_url!r}")
        self._id = parts.hostname
        self._origin = f"{parts.scheme}://{parts.netloc}"

    def registration_options(self, user: str, user_handle: bytes, challenge: bytes, known: Sequence[bytes]) -> str:
        return options_to_json(
            webauthn.generate_registration_options(
                rp_id=self._id,
                rp_name="Paideia",
                user_name=user,
                user_id=user_handle,
                challenge=challenge,
                timeout=_TIMEOUT_MS,
                attestation=AttestationConveyancePreference.NONE,
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
                ),
                exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
            )
        )

    def registered(self, credential: str, challenge: bytes) -> NewCredential:
        try:
            made = webauthn.verify_registration_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=self._id, expected_origin=self._origin
            )
        except _MALFORMED as error:
            raise PasskeyRefused.of("credential", "is not a new passkey for this platform that answers the challenge") from error
        if len(made.credential_id) > _LONGEST_CREDENTIAL_ID:
            raise PasskeyRefused.of("credential", f"must have an id of at most {_LONGEST_CREDENTIAL_ID} bytes")
        return NewCredential(made.credential_id, made.credential_public_key, made.sign_count)

    def sign_in_options(self, challenge: bytes, allowed: Sequence[bytes]) -> str:
        # Alone, a passkey has to be two factors: the device, and whoever unlocks it.
        alone = UserVerificationRequirement.PREFERRED if allowed else UserVerificationRequirement.REQUIRED
        return options_to_json(
            webauthn.generate_authentication_options(
                rp_id=self._id,
                challenge=challenge,
                timeout=_TIMEOUT_MS,
                allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in allowed],
                user_verification=alone,
            )
        )

    def credential_id(self, credential: str) -> bytes | None:
        try:
            return base64url_to_bytes(json.loads(credential)["rawId"])
        except _MALFORMED:
            return None

    def asserted(self, credential: str, challenge: bytes, passkey: Passkey) -> Assertion | None:
        try:
            signed = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                # The counter is the domain's to judge: going back is more than a bad signature.
                credential_current_sign_count=0,
            )
        except _MALFORMED:
            return None
        return Assertion(signed.new_sign_count, signed.user_verified)
