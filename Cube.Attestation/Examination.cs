using System.Security.Cryptography;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Google;
using Cube.Attestation.Parsing;
using Cube.Attestation.Simulated;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;

namespace Cube.Attestation;

/// <summary>What is compared while evidence is examined. What is absent is not compared; a policy sees to it that enough is there.</summary>
internal sealed record Checks
{
    public byte[]? ReportData { get; init; }

    /// <summary>The exact extra data of a TPM quote, or the nonce of a token.</summary>
    public byte[]? Nonce { get; init; }

    public byte[]? UserData { get; init; }

    public uint? MaxVmpl { get; init; }

    public bool RequireCrl { get; init; }

    public bool AllowMaskedChipId { get; init; }

    public bool RequireAkChain { get; init; }

    public MaaDemands? Maa { get; init; }

    public MaaKeys? MaaKeys { get; init; }

    /// <summary>What a token must be bound to by the machine itself; the nonce of a platform token is only an echo of whoever asked.</summary>
    public byte[]? TokenBinder { get; init; }

    public Certificate? GoogleRoot { get; init; }

    /// <summary>For an endorsement that comes alone.</summary>
    public byte[]? Measurement { get; init; }

    public byte[]? MrTd { get; init; }

    public uint? Vcpus { get; init; }
}

/// <summary>From evidence to claims: parsers, signatures, chains and bindings of each platform, and no judgement of who runs there.</summary>
internal sealed class Examination(TrustAnchors anchors, Checks checks, DateTimeOffset now)
{
    /// <exception cref="Refusal">With the code of whatever does not hold.</exception>
    public Claims Examine(EvidenceDocument evidence) => evidence.Type switch
    {
        EvidenceType.SevSnp => WithExtras(evidence, new Claims { Type = evidence.Type, Snp = Snp(evidence, Required(evidence.Report, "report"), checks.ReportData, checks.MaxVmpl) }),
        EvidenceType.Tdx => WithExtras(evidence, new Claims { Type = evidence.Type, Tdx = Tdx(evidence, checks.ReportData) }),
        EvidenceType.AzureSnp or EvidenceType.AzureTdx => Azure(evidence),
        EvidenceType.Maa => new Claims { Type = evidence.Type, Maa = Maa(evidence) },
        EvidenceType.Vtpm => new Claims { Type = evidence.Type, Tpm = Vtpm(evidence) },
        EvidenceType.GcpLaunch => new Claims { Type = evidence.Type, Launch = Launch(evidence, checks.Measurement, checks.MrTd) },
        EvidenceType.Simulated => Simulated(evidence),
        _ => throw new Refusal(Codes.EvidenceType, "The type of the evidence is unknown."),
    };

    private static byte[] Required(byte[]? part, string name) =>
        part ?? throw new Refusal(Codes.EvidencePart, $"The evidence has no '{name}'.");

    private SnpClaims Snp(EvidenceDocument evidence, ReadOnlyMemory<byte> bytes, byte[]? reportData, uint? maxVmpl)
    {
        var report = SnpReport.Parse(bytes.Span);
        var certificates = evidence.Certificates.Count > 0
            ? evidence.Certificates
            : [.. SnpCertificateTable.Certificates(Required(evidence.CertificateTable, "certificates"), report.IsSignedByVlek)];
        Refusal.Unless(evidence.Crl is not null || !checks.RequireCrl, Codes.CrlMissing, "AMD's revocation list is required, and is not there.");
        var claims = SnpVerifier.Verify(
            report, [.. certificates.Select(static der => Certificate.Parse(der))], evidence.Crl, anchors, checks.AllowMaskedChipId, now);
        Refusal.Unless(maxVmpl is not { } most || claims.Vmpl <= most, Codes.Vmpl, "The report was asked from a lower privilege level than allowed.");
        Compare(claims.ReportData, reportData, Codes.ReportData, "The report is bound to something else.");
        if (evidence.SecurityPolicy is { } policy)
        {
            Refusal.Unless(claims.HostData.Span.SequenceEqual(SHA256.HashData(policy)), Codes.HostData, "The security policy is not the one that the guest was started with.");
        }

        if (evidence.UvmEndorsement is { } cose)
        {
            var uvm = UvmEndorsement.Verify(cose);
            Refusal.Unless(uvm.Measurement.Span.SequenceEqual(claims.Measurement.Span), Codes.UvmMeasurement, "The endorsement is for another measurement.");
            claims = claims with { Uvm = uvm };
        }

        return claims;
    }

    private TdxClaims Tdx(EvidenceDocument evidence, byte[]? reportData)
    {
        var quote = TdxQuote.Parse(Required(evidence.Quote, "quote"));
        var claims = TdxVerifier.Verify(quote, evidence.Collateral, anchors, now);
        Compare(claims.ReportData, reportData, Codes.ReportData, "The quote is bound to something else.");
        if (evidence.CcEventLog is { } log)
        {
            EventLog.Replay(log).CheckAgainst(quote.Report.Rtmr);
            claims = claims with { EventLogReplayed = true };
        }

        return claims;
    }

    private Claims Azure(EvidenceDocument evidence)
    {
        var hcl = HclReport.Parse(Required(evidence.HclReport, "hcl_report"));
        Refusal.Unless(hcl.IsSnp == (evidence.Type == EvidenceType.AzureSnp), Codes.EvidenceType, "The paravisor's report is another platform's than the evidence says.");
        var expected = hcl.ExpectedReportData();
        var claims = hcl.IsSnp ? AzureSnp(evidence, hcl, expected) : AzureTdx(evidence, hcl, expected);

        var runtime = RuntimeData.Parse(hcl.RuntimeBytes);
        claims = claims with
        {
            Tpm = Tpm(evidence, runtime.Ak, anchors.AzureTpm, []),
            Azure = new AzureClaims { SecureBoot = runtime.SecureBoot, ConsoleEnabled = runtime.ConsoleEnabled, UserData = runtime.UserData },
        };
        Refusal.Unless(checks.UserData is not { } userData || (runtime.UserData is { } found && CryptographicOperations.FixedTimeEquals(found, userData)),
            Codes.AzUserData, "The hardware report was made for other user data.");
        return claims;
    }

    /// <summary>The binding is checked first: it needs no signature, and a changed runtime part is named as such.</summary>
    private Claims AzureSnp(EvidenceDocument evidence, HclReport hcl, byte[] expected)
    {
        Refusal.Unless(SnpReport.Parse(hcl.HardwareReport.Span).ReportData.Span.SequenceEqual(expected), Codes.HclRuntimeBinding, "The hardware report does not stand for the runtime data.");
        return new Claims { Type = evidence.Type, Snp = Snp(evidence, hcl.HardwareReport, expected, checks.MaxVmpl ?? 0) };
    }

    private Claims AzureTdx(EvidenceDocument evidence, HclReport hcl, byte[] expected)
    {
        var local = LocalTdReport.Parse(hcl.HardwareReport);
        Refusal.Unless(local.ReportData.Span.SequenceEqual(expected), Codes.HclRuntimeBinding, "The hardware report does not stand for the runtime data.");
        var tdx = Tdx(evidence, reportData: null);
        Refusal.Unless(tdx.ReportData.Span.SequenceEqual(expected) && tdx.MrTd.Span.SequenceEqual(local.MrTd.Span),
            Codes.AzTdQuoteBinding, "The quote is another machine's than the paravisor's report.");
        return new Claims { Type = evidence.Type, Tdx = tdx };
    }

    private MaaClaims Maa(EvidenceDocument evidence)
    {
        var demands = checks.Maa ?? throw new Refusal(Codes.JwtIssuer, "No issuer of tokens is configured.");
        var keys = checks.MaaKeys ?? throw new Refusal(Codes.MaaKeys, "The keys of the issuer are not there.", indeterminate: true);
        var claims = MaaToken.Verify(evidence.Token ?? throw new Refusal(Codes.EvidencePart, "The evidence has no 'token'."), keys, demands, now);
        if (checks.TokenBinder is { } binder)
        {
            // The TPM of the machine quotes the nonce of a guest token; the hardware report of a platform token covers its user data.
            var (found, expected) = claims.IsGuestToken ? (claims.Nonce, SHA256.HashData(binder)) : (claims.UserData, binder.ToArray());
            Refusal.Unless(found is not null && CryptographicOperations.FixedTimeEquals(found, expected), Codes.MaaNonce, "The token is bound to something else.");
        }

        return claims;
    }

    private TpmClaims Vtpm(EvidenceDocument evidence)
    {
        var key = evidence.AkSpki is { } spki ? PublicKey.FromSpki(spki) : TpmPublic.Parse(Required(evidence.AkPublic, "ak_public"));
        return Tpm(evidence, key, anchors.GoogleTpm, anchors.GoogleTpmIntermediates);
    }

    private TpmClaims Tpm(EvidenceDocument evidence, PublicKey key, IReadOnlyList<Certificate> roots, IReadOnlyList<Certificate> known)
    {
        Refusal.Unless(evidence.TpmQuotes.Count > 0, Codes.EvidencePart, "The evidence has no 'tpm_quotes'.");
        var values = PcrValues.Parse(Required(evidence.Pcrs, "pcrs"));
        var covered = new Dictionary<string, SortedDictionary<int, byte[]>>(StringComparer.Ordinal);
        foreach (var quote in evidence.TpmQuotes)
        {
            foreach (var (bank, registers) in TpmQuote.Verify(quote.Message, quote.Signature, key, checks.Nonce, values))
            {
                covered[bank] = registers;
            }
        }

        if (evidence.EventLog is { } log)
        {
            EventLog.Replay(log).CheckAgainst(covered);
        }

        var expires = AkCertificate(evidence, key, roots, known);
        return new TpmClaims { Pcrs = covered, EventLogReplayed = evidence.EventLog is not null, CertificateChecked = expires is not null, ExpiresAt = expires };
    }

    /// <returns>When the chain ends; null where none was checked.</returns>
    private DateTimeOffset? AkCertificate(EvidenceDocument evidence, PublicKey key, IReadOnlyList<Certificate> roots, IReadOnlyList<Certificate> known)
    {
        if (evidence.AkCertificates.Count == 0)
        {
            Refusal.Unless(!checks.RequireAkChain, Codes.TpmAkCertificate, "The attestation key has no certificate.");
            return null;
        }

        var leaf = Certificate.ParsePadded(evidence.AkCertificates[0]);
        Refusal.Unless(IsSameKey(leaf.Key, key), Codes.TpmAkCertificate, "The certificate is another key's than the attestation key's.");
        if (evidence.AkCertificates.Count == 1 && known.Count == 0 && !checks.RequireAkChain)
        {
            return null;
        }

        var candidates = evidence.AkCertificates.Skip(1).Select(static der => Certificate.Parse(der)).Concat(known).Concat(roots).ToList();
        return Chain.Verify(Chain.Build(leaf, candidates), roots, now);
    }

    private static bool IsSameKey(PublicKey one, PublicKey other) => (one, other) switch
    {
        (RsaKey a, RsaKey b) => a.Modulus.SequenceEqual(b.Modulus) && a.Exponent.SequenceEqual(b.Exponent),
        (EcKey a, EcKey b) => a.SameAs(b),
        _ => false,
    };

    /// <summary>What Google adds: an endorsement of the firmware, and a vTPM that its host emulates.</summary>
    private Claims WithExtras(EvidenceDocument evidence, Claims claims)
    {
        if (evidence.LaunchEndorsement is not null)
        {
            claims = claims with { Launch = Launch(evidence, claims.Snp?.Measurement.ToArray(), claims.Tdx?.MrTd.ToArray()) };
        }

        if (evidence.TpmQuotes.Count > 0)
        {
            claims = claims with { Tpm = Vtpm(evidence) };
        }

        return claims;
    }

    private LaunchClaims Launch(EvidenceDocument evidence, byte[]? measurement, byte[]? mrTd)
    {
        var endorsement = LaunchEndorsement.Verify(Required(evidence.LaunchEndorsement, "launch_endorsement"), checks.GoogleRoot, now);
        Refusal.Unless(measurement is not { } snp || endorsement.Endorses(snp, checks.Vcpus), Codes.GceMeasurement, "Google does not endorse the measurement for that many vCPUs.");
        Refusal.Unless(mrTd is not { } td || endorsement.EndorsesTd(td), Codes.GceMeasurement, "Google does not endorse the MRTD.");
        return new LaunchClaims(endorsement.SnpSvn, checks.Vcpus, endorsement.ExpiresAt);
    }

    private Claims Simulated(EvidenceDocument evidence)
    {
        var claims = SimulatedEvidence.Verify(evidence.Simulated ?? throw new Refusal(Codes.EvidencePart, "The evidence has no 'simulated'."));
        Compare(claims.ReportData, checks.ReportData, Codes.ReportData, "The simulated evidence is bound to something else.");
        return new Claims { Type = evidence.Type, Simulated = claims };
    }

    private static void Compare(ReadOnlyMemory<byte> found, byte[]? expected, string code, string detail) =>
        Refusal.Unless(expected is not { } bytes || CryptographicOperations.FixedTimeEquals(found.Span, bytes), code, detail);
}
