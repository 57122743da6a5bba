"""The use cases of credentials and sessions, put together once."""

import secrets
from dataclasses import dataclass

from domain.identity.credential_ports import Vault
from domain.identity.passkeys import RelyingParty
from domain.identity.ports import NewPlatformUnit, NewSecret, NewUnit, PasswordHasher, TokenSigner
from domain.identity.use_cases.answer_challenge import AnswerChallenge
from domain.identity.use_cases.begin_passkey_registration import BeginPasskeyRegistration
from domain.identity.use_cases.begin_passkey_sign_in import BeginPasskeySignIn
from domain.identity.use_cases.begin_step_up import BeginStepUp
from domain.identity.use_cases.change_factors import ChangeFactors
from domain.identity.use_cases.check_factor import CheckFactor
from domain.identity.use_cases.complete_sign_in import CompleteSignIn
from domain.identity.use_cases.complete_step_up import CompleteStepUp
from domain.identity.use_cases.confirm_totp import ConfirmTotp
from domain.identity.use_cases.count_attempt import CountAttempt
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.disable_totp import DisableTotp
from domain.identity.use_cases.enrol_totp import EnrolTotp
from domain.identity.use_cases.get_credentials import GetCredentials
from domain.identity.use_cases.issue_recovery_codes import IssueRecoveryCodes
from domain.identity.use_cases.list_sessions import ListSessions
from domain.identity.use_cases.prove_password import ProvePassword
from domain.identity.use_cases.put_challenge import PutNewChallenge
from domain.identity.use_cases.register_passkey import RegisterPasskey
from domain.identity.use_cases.rename_passkey import RenamePasskey
from domain.identity.use_cases.renew_recovery_codes import RenewRecoveryCodes
from domain.identity.use_cases.request_email_verification import RequestEmailVerification
from domain.identity.use_cases.request_password_reset import RequestPasswordReset
from domain.identity.use_cases.reset_password import ResetPassword
from domain.identity.use_cases.reset_second_factors import ResetSecondFactors
from domain.identity.use_cases.revoke_passkey import RevokePasskey
from domain.identity.use_cases.revoke_session import RevokeSession
from domain.identity.use_cases.sign_out_everywhere import SignOutEverywhere
from domain.identity.use_cases.start_session import StartSession
from domain.identity.use_cases.verify_email import VerifyEmail
from domain.shared.clock import Clock
from domain.shared.ids import NewId


@dataclass(frozen=True, slots=True)
class CredentialUseCases:
    """What the rpcs of credentials call."""

    relying_party: RelyingParty
    vault: Vault
    complete_sign_in: CompleteSignIn
    begin_passkey_sign_in: BeginPasskeySignIn
    begin_step_up: BeginStepUp
    complete_step_up: CompleteStepUp
    get_credentials: GetCredentials
    enrol_totp: EnrolTotp
    confirm_totp: ConfirmTotp
    disable_totp: DisableTotp
    renew_recovery_codes: RenewRecoveryCodes
    begin_passkey_registration: BeginPasskeyRegistration
    register_passkey: RegisterPasskey
    rename_passkey: RenamePasskey
    revoke_passkey: RevokePasskey
    reset_second_factors: ResetSecondFactors
    list_sessions: ListSessions
    revoke_session: RevokeSession
    sign_out_everywhere: SignOutEverywhere
    request_email_verification: RequestEmailVerification
    verify_email: VerifyEmail
    request_password_reset: RequestPasswordReset
    reset_password: ResetPassword


def credential_use_cases(
    *,
    new_unit: NewUnit,
    new_platform_unit: NewPlatformUnit,
    prove_password: ProvePassword,
    current_signing_key: CurrentSigningKey,
    passwords: PasswordHasher,
    signer: TokenSigner,
    vault: Vault,
    relying_party: RelyingParty,
    new_id: NewId,
    new_secret: NewSecret,
    clock: Clock,
) -> CredentialUseCases:
    count = CountAttempt(new_platform_unit, clock)
    check = CheckFactor(vault, relying_party, clock)
    answer = AnswerChallenge(new_unit, count, check, clock)
    put = PutNewChallenge(new_id, new_secret, clock)
    change = ChangeFactors(new_unit, clock)
    issue_codes = IssueRecoveryCodes(vault, secrets.randbelow)
    return CredentialUseCases(
        relying_party=relying_party,
        vault=vault,
        complete_sign_in=CompleteSignIn(answer, current_signing_key, StartSession(signer, new_id, new_secret, clock)),
        begin_passkey_sign_in=BeginPasskeySignIn(new_unit, put),
        begin_step_up=BeginStepUp(new_unit, put),
        complete_step_up=CompleteStepUp(new_unit, answer, prove_password, current_signing_key, signer, clock),
        get_credentials=GetCredentials(new_unit),
        enrol_totp=EnrolTotp(new_unit, vault, secrets.token_bytes, clock),
        confirm_totp=ConfirmTotp(new_unit, count, check, issue_codes, clock),
        disable_totp=DisableTotp(change),
        renew_recovery_codes=RenewRecoveryCodes(change, issue_codes),
        begin_passkey_registration=BeginPasskeyRegistration(new_unit, put, clock),
        register_passkey=RegisterPasskey(change, relying_party, issue_codes, new_id, clock),
        rename_passkey=RenamePasskey(new_unit),
        revoke_passkey=RevokePasskey(change),
        reset_second_factors=ResetSecondFactors(new_unit, clock),
        list_sessions=ListSessions(new_unit, clock),
        revoke_session=RevokeSession(new_unit, clock),
        sign_out_everywhere=SignOutEverywhere(new_unit, clock),
        request_email_verification=RequestEmailVerification(new_unit, count, new_secret, clock),
        verify_email=VerifyEmail(new_unit, clock),
        request_password_reset=RequestPasswordReset(new_unit, count, new_secret, clock),
        reset_password=ResetPassword(new_unit, passwords, clock),
    )
