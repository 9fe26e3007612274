using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Cli;
using Cube.Attestation.Evidence;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;
using Cube.Tests.Systems;

namespace Cube.Tests.Attestation.Appraisal;

public sealed class VectorTests
{
    public static TheoryData<string> Ids => [.. Vectors.All.Select(static entry => entry.GetProperty("id").GetString()!).DefaultIfEmpty("none")];

    [Theory]
    [MemberData(nameof(Ids), DisableDiscoveryEnumeration = true)]
    public void Each_vector_has_its_expected_verdict(string id)
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        var entry = Vectors.Entry(id);
        var expected = entry.GetProperty("expected");
        var result = VectorRun.Appraise(Vectors.Of(id), entry, TimeProvider.System);
        Assert.Equal(expected.GetProperty("verdict").GetString(), result.Verdict);
        if (expected.TryGetProperty("code", out var code))
        {
            Assert.Equal(code.GetString(), result.Code);
        }

        if (result.Verdict == "valid" && expected.TryGetProperty("tcb_status", out var status))
        {
            Assert.Equal(status.GetString(), result.TcbStatus);
        }
    }

    private static IEnumerable<string> Synthetic => Vectors.All
        .Where(static entry => entry.GetProperty("kind").GetString() == "synthetic" && entry.GetProperty("tech").GetString() is "snp" or "tdx" or "az-snp" or "atls" or "simulated")
        .Select(static entry => entry.GetProperty("id").GetString()!)
        .Where(static id => !new VectorCase(Vectors.Of(id), Vectors.Entry(id)).IsData);

    public static TheoryData<string> SyntheticIds => [.. Synthetic.DefaultIfEmpty("none")];

    [Fact]
    public void There_are_more_than_40_synthetic_vectors()
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        Assert.True(Synthetic.Count() > 40);
    }

    /// <summary>The product trusts the vendors' roots only and rejects Evidence under other roots.</summary>
    [Theory]
    [MemberData(nameof(SyntheticIds), DisableDiscoveryEnumeration = true)]
    public void A_synthetic_vector_is_rejected_with_the_vendor_roots(string id)
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        var vector = new VectorCase(Vectors.Of(id), Vectors.Entry(id));
        Assert.Equal(Outcome.Invalid, new EvidenceVerifier(new VerifierSettings()).VerifyDetached(vector.Evidence(), Accepting, vector.At(TimeProvider.System)).Outcome);
    }

    [Theory]
    [InlineData("snp/milan-v2-aci")]
    [InlineData("tdx/v5-uptodate")]
    [InlineData("az-tdx/ak-cert-chain-2026")]
    [InlineData("az-snp/milan-userdata")]
    [InlineData("maa/real-eus2-azurevm-snp-2025")]
    public void Evidence_is_identical_after_a_JSON_round_trip(string id)
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        var evidence = new VectorCase(Vectors.Of(id), Vectors.Entry(id)).Evidence();
        var json = EvidenceJson.Write(evidence);
        Assert.True(EvidenceJson.TryRead(json, out var read, out var code, out _), code);
        Assert.Equal(json, EvidenceJson.Write(read!));
        Assert.Equal(evidence.Sha256(), read!.Sha256());
    }

    /// <summary>The least strict policy; it contains the measurements of none of the vectors.</summary>
    private static IReadOnlyList<NamedPolicy> Accepting =>
    [
        new("test", 1, PolicyJson.Parse(System.Text.Encoding.UTF8.GetBytes(
            $$$"""
            {"types":["sev-snp","tdx","azure-snp","azure-tdx"],
            "snp":{"measurements":["{{{new string('0', 96)}}}"],"require_crl":false,"allow_masked_chip_id":true,"allow_migration_agent":true},"tdx":{"mr_tds":["{{{new string('0', 96)}}}"]}}
            """), allowSimulated: false)),
    ];
}
