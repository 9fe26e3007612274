using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Attestation;

/// <summary>
/// Translates a failed attestation into the error for the client. The error does not contain the attestation code, which is for operators. It distinguishes only: no current attestation,
/// rejected by a policy, and rejected Evidence.
/// </summary>
internal static class AttestationErrorTranslator
{
    public static OpenAiError Translate(AttestationException exception) => exception switch
    {
        { Code: Codes.AtlsTimeout or Codes.AtlsEvidenceUnavailable or Codes.AtlsLeaseEnded } or { Code: Codes.PolicyMissing, Verdict: null } => OpenAiError.AttestationRequired,
        { Verdict.Outcome: Outcome.Indeterminate, Code: not Codes.PolicyMissing } => OpenAiError.AttestationRequired,
        { Code: var code } when code.StartsWith("policy-", StringComparison.Ordinal) || code == Codes.SimulatedNotAllowed => OpenAiError.AttestationRefused,
        _ => OpenAiError.AttestationFailed,
    };
}
