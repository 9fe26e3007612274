using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Attestation;

/// <summary>What a client hears where no machine may see its prompt. The code of the refusal is for operators; a client learns only whose turn it is.</summary>
internal static class AttestationErrors
{
    public static OpenAiError Explain(AttestationException exception) => exception switch
    {
        { Code: Codes.AtlsTimeout or Codes.AtlsEvidenceUnavailable or Codes.AtlsLeaseEnded } or { Code: Codes.PolicyMissing, Verdict: null } => OpenAiError.AttestationRequired,
        { Verdict.Outcome: Outcome.Indeterminate, Code: not Codes.PolicyMissing } => OpenAiError.AttestationRequired,
        { Code: var code } when code.StartsWith("policy-", StringComparison.Ordinal) || code == Codes.SimulatedNotAllowed => OpenAiError.AttestationRefused,
        _ => OpenAiError.AttestationFailed,
    };
}
