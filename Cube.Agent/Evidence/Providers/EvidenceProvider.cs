using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;

namespace Cube.Agent.Evidence.Providers;

/// <summary>The values that the Evidence must contain.</summary>
/// <param name="ReportData">64 bytes for REPORT_DATA of the hardware report.</param>
/// <param name="Nonce">32 bytes for extraData of a TPM quote.</param>
internal sealed record EvidenceRequest(byte[] ReportData, byte[] Nonce);

/// <summary>Generates the Evidence of one kind of platform.</summary>
internal abstract class EvidenceProvider
{
    /// <summary>One of <see cref="EvidenceType"/>; used for logs and metrics only.</summary>
    public abstract string Type { get; }

    /// <exception cref="EvidenceUnavailableException">The platform cannot generate Evidence now.</exception>
    public abstract ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct);
}
