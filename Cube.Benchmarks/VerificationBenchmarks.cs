using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Certificates;
using Cube.Attestation.Cli;
using Cube.Attestation.Evidence;
using Cube.Attestation.Verdicts;

namespace Cube.Benchmarks;

/// <summary>One judgement of real evidence, by platform: parsing, chains, signatures, bindings. The files come from CUBE_VECTORS, ../shared/vectors by default.</summary>
[MemoryDiagnoser]
public class VerificationBenchmarks
{
    private EvidenceDocument _evidence = null!;
    private AppraisalOptions _checks = null!;
    private DateTimeOffset _at;

    [Params("snp/milan-v3-vcek", "snp/turin-v5-vcek", "tdx/v5-uptodate", "az-snp/milan-challenge", "az-tdx/ak-cert-chain-2026", "maa/real-eus2-azurevm-snp-2025", "vtpm/swtpm-ecdsa")]
    public string Vector { get; set; } = "";

    [GlobalSetup]
    public void Load()
    {
        var directory = Environment.GetEnvironmentVariable("CUBE_VECTORS") ?? Path.GetFullPath("../shared/vectors");
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "manifest.json")));
        var entry = manifest.RootElement.EnumerateArray().Single(entry => entry.GetProperty("id").ValueEquals(Vector)).Clone();
        var vector = new VectorCase(Path.Combine(directory, Vector), entry);
        (_evidence, _at) = (vector.Evidence(), vector.At(TimeProvider.System));
        _checks = vector.OptionsWithOwnRoots(_evidence);
    }

    [Benchmark]
    public Claims Verify() => new EvidenceAppraiser(Vector.StartsWith("vtpm", StringComparison.Ordinal) ? TrustAnchors.Vendor with { GoogleTpm = [], GoogleTpmIntermediates = [] } : TrustAnchors.Vendor, _checks, _at).Appraise(_evidence);
}
