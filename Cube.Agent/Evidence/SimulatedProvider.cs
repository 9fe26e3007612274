using Cube.Attestation.Evidence;
using Cube.Attestation.Simulated;

namespace Cube.Agent.Evidence;

/// <summary>For a laptop: the real exchange, with evidence that says of itself that it proves nothing.</summary>
internal sealed class SimulatedProvider(TimeProvider time) : EvidenceProvider
{
    public override string Type => EvidenceType.Simulated;

    public override ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct) =>
        ValueTask.FromResult(SimulatedEvidence.Make(request.ReportData, time.GetUtcNow()));
}
