using Cube.Attestation.Evidence;
using Cube.Attestation.Simulated;

namespace Cube.Agent.Evidence.Providers;

/// <summary>Generates simulated Evidence, for development without TEE hardware.</summary>
internal sealed class SimulatedProvider(TimeProvider time) : EvidenceProvider
{
    public override string Type => EvidenceType.Simulated;

    public override ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct) =>
        ValueTask.FromResult(SimulatedEvidence.Make(request.ReportData, time.GetUtcNow()));
}
