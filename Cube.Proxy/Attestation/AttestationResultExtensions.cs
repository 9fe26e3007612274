using System.Diagnostics;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Attestation;

/// <summary>Reports the attestation result of a request's backend connection: in a response header for the client, and in the tags of the current trace span.</summary>
internal static class AttestationResultExtensions
{
    public static void SetAttestationResult(this HttpContext context, Verdict verdict)
    {
        context.Response.Headers[ResponseHeaders.Attestation] = verdict.Outcome == Outcome.Simulated ? "simulated" : verdict.Type;
        Activity.Current?.SetTag("cube.attestation.outcome", verdict.Outcome.ToString())
            .SetTag("cube.attestation.type", verdict.Type)
            .SetTag("cube.attestation.policy", verdict.PolicyId)
            .SetTag("cube.attestation.policy_version", verdict.PolicyVersion)
            .SetTag("cube.attestation.evidence", verdict.EvidenceSha256);
    }

    public static void SetAttestationResult(this HttpContext context, AttestationException exception)
    {
        context.Response.Headers[ResponseHeaders.Attestation] = "refused";
        Activity.Current?.SetTag("cube.attestation.outcome", exception.Verdict?.Outcome.ToString() ?? nameof(Outcome.Invalid)).SetTag("cube.attestation.code", exception.Code);
    }
}
