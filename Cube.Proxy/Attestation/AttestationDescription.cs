using System.Diagnostics;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Attestation;

/// <summary>Says on a request, in its trace and to its client, what its connection proved.</summary>
internal static class AttestationDescription
{
    public static void Describe(this HttpContext context, Verdict verdict)
    {
        context.Response.Headers[ResponseHeaders.Attestation] = verdict.Outcome == Outcome.Simulated ? "simulated" : verdict.Type;
        Activity.Current?.SetTag("cube.attestation.outcome", verdict.Outcome.ToString())
            .SetTag("cube.attestation.type", verdict.Type)
            .SetTag("cube.attestation.policy", verdict.PolicyId)
            .SetTag("cube.attestation.policy_version", verdict.PolicyVersion)
            .SetTag("cube.attestation.evidence", verdict.EvidenceSha256);
    }

    public static void Describe(this HttpContext context, AttestationException refusal)
    {
        context.Response.Headers[ResponseHeaders.Attestation] = "refused";
        Activity.Current?.SetTag("cube.attestation.outcome", refusal.Verdict?.Outcome.ToString() ?? nameof(Outcome.Invalid)).SetTag("cube.attestation.code", refusal.Code);
    }
}
