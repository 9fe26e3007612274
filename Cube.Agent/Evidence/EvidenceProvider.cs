using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;

namespace Cube.Agent.Evidence;

/// <summary>What evidence is asked for.</summary>
/// <param name="ReportData">64 bytes for the hardware report.</param>
/// <param name="Nonce">32 bytes for a TPM's quote.</param>
internal sealed record EvidenceRequest(byte[] ReportData, byte[] Nonce);

/// <summary>One way of a platform to prove what runs on it.</summary>
internal abstract class EvidenceProvider
{
    /// <summary>One of <see cref="EvidenceType"/>; the verifier goes by the evidence, not by this.</summary>
    public abstract string Type { get; }

    /// <exception cref="EvidenceUnavailableException">There is none now.</exception>
    public abstract ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct);
}
