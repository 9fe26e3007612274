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
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Appraisal;

/// <summary>The expected values and requirements of an Appraisal. A null value is not compared; the appraisal policy ensures that enough is compared.</summary>
internal sealed record AppraisalOptions
{
    public byte[]? ReportData { get; init; }

    /// <summary>The exact <c>extraData</c> of a TPM quote.</summary>
    public byte[]? Nonce { get; init; }

    public byte[]? UserData { get; init; }

    public uint? MaxVmpl { get; init; }

    public bool RequireCrl { get; init; }

    public bool AllowMaskedChipId { get; init; }

    public bool RequireAkChain { get; init; }

    public MaaRequirements? Maa { get; init; }

    public MaaKeys? MaaKeys { get; init; }

    /// <summary>The binder that the Attester itself must have put into a token. The nonce of a platform token does not count: the requester chooses it.</summary>
    public byte[]? TokenBinder { get; init; }

    public Certificate? GoogleRoot { get; init; }

    /// <summary>Expected MEASUREMENT for a launch endorsement without a report.</summary>
    public byte[]? Measurement { get; init; }

    public byte[]? MrTd { get; init; }

    public uint? Vcpus { get; init; }
}

/// <summary>Turns Evidence into claims: parses it, and verifies signatures, certificate chains and bindings of each platform. It does not evaluate policies.</summary>
internal sealed class EvidenceAppraiser(TrustAnchors anchors, AppraisalOptions options, DateTimeOffset now)
{
    /// <exception cref="AppraisalException">Carries the code of the first check that fails.</exception>
    public Claims Appraise(EvidenceDocument evidence) => evidence.Type switch
    {
        EvidenceType.SevSnp => WithGoogleEvidence(evidence, new Claims { Type = evidence.Type, Snp = Snp(evidence, Required(evidence.Report, "report"), options.ReportData, options.MaxVmpl) }),
        EvidenceType.Tdx => WithGoogleEvidence(evidence, new Claims { Type = evidence.Type, Tdx = Tdx(evidence, options.ReportData) }),
        EvidenceType.AzureSnp or EvidenceType.AzureTdx => Azure(evidence),
        EvidenceType.Maa => new Claims { Type = evidence.Type, Maa = Maa(evidence) },
        EvidenceType.Vtpm => new Claims { Type = evidence.Type, Tpm = Vtpm(evidence) },
        EvidenceType.GcpLaunch => new Claims { Type = evidence.Type, Launch = Launch(evidence, options.Measurement, options.MrTd) },
        EvidenceType.Simulated => Simulated(evidence),
        _ => throw new AppraisalException(Codes.EvidenceType, "The evidence type is unknown."),
    };

    private static byte[] Required(byte[]? part, string name) =>
        part ?? throw new AppraisalException(Codes.EvidencePart, $"The evidence has no '{name}'.");

    private SnpClaims Snp(EvidenceDocument evidence, ReadOnlyMemory<byte> bytes, byte[]? reportData, uint? maxVmpl)
    {
        var report = SnpReport.Parse(bytes.Span);
        var certificates = evidence.Certificates.Count > 0
            ? evidence.Certificates
            : [.. SnpCertificateTable.Certificates(Required(evidence.CertificateTable, "certificates"), report.IsSignedByVlek)];
        AppraisalException.ThrowUnless(evidence.Crl is not null || !options.RequireCrl, Codes.CrlMissing, "AMD's revocation list is required but missing.");
        var claims = SnpVerifier.Verify(
            report, [.. certificates.Select(static der => Certificate.Parse(der))], evidence.Crl, anchors, options.AllowMaskedChipId, now);
        AppraisalException.ThrowUnless(maxVmpl is not { } most || claims.Vmpl <= most, Codes.Vmpl, "The report was requested from a less privileged VMPL than allowed.");
        Compare(claims.ReportData, reportData, Codes.ReportData, "REPORT_DATA differs from the expected value.");
        if (evidence.SecurityPolicy is { } policy)
        {
            AppraisalException.ThrowUnless(claims.HostData.Span.SequenceEqual(SHA256.HashData(policy)), Codes.HostData, "The security policy does not match HOST_DATA.");
        }

        if (evidence.UvmEndorsement is { } cose)
        {
            var uvm = UvmEndorsement.Verify(cose);
            AppraisalException.ThrowUnless(uvm.Measurement.Span.SequenceEqual(claims.Measurement.Span), Codes.UvmMeasurement, "The endorsement covers another measurement.");
            claims = claims with { Uvm = uvm };
        }

        return claims;
    }

    private TdxClaims Tdx(EvidenceDocument evidence, byte[]? reportData)
    {
        var quote = TdxQuote.Parse(Required(evidence.Quote, "quote"));
        var claims = TdxVerifier.Verify(quote, evidence.Collateral, anchors, now);
        Compare(claims.ReportData, reportData, Codes.ReportData, "REPORTDATA of the quote differs from the expected value.");
        if (evidence.CcEventLog is { } log)
        {
            EventLog.Replay(log).CheckAgainst(quote.Body.Rtmr);
            claims = claims with { EventLogReplayed = true };
        }

        return claims;
    }

    private Claims Azure(EvidenceDocument evidence)
    {
        var hcl = HclReport.Parse(Required(evidence.HclReport, "hcl_report"));
        AppraisalException.ThrowUnless(hcl.IsSnp == (evidence.Type == EvidenceType.AzureSnp), Codes.EvidenceType, "The paravisor report is for another platform than the evidence type states.");
        var expected = hcl.ExpectedReportData();
        var claims = hcl.IsSnp ? AzureSnp(evidence, hcl, expected) : AzureTdx(evidence, hcl, expected);

        var runtime = RuntimeData.Parse(hcl.RuntimeBytes);
        claims = claims with
        {
            Tpm = Tpm(evidence, runtime.Ak, anchors.AzureTpm, []),
            Azure = new AzureClaims { SecureBoot = runtime.SecureBoot, ConsoleEnabled = runtime.ConsoleEnabled, UserData = runtime.UserData },
        };
        AppraisalException.ThrowUnless(options.UserData is not { } userData || (runtime.UserData is { } found && CryptographicOperations.FixedTimeEquals(found, userData)),
            Codes.AzUserData, "The user data in the runtime data differ from the expected value.");
        return claims;
    }

    /// <summary>Checks the binding before the signature, so that changed runtime data get their own code.</summary>
    private Claims AzureSnp(EvidenceDocument evidence, HclReport hcl, byte[] expected)
    {
        AppraisalException.ThrowUnless(SnpReport.Parse(hcl.HardwareReport.Span).ReportData.Span.SequenceEqual(expected), Codes.HclRuntimeBinding, "REPORT_DATA of the hardware report is not the hash of the runtime data.");
        return new Claims { Type = evidence.Type, Snp = Snp(evidence, hcl.HardwareReport, expected, options.MaxVmpl ?? 0) };
    }

    private Claims AzureTdx(EvidenceDocument evidence, HclReport hcl, byte[] expected)
    {
        var local = TdReport.Parse(hcl.HardwareReport);
        AppraisalException.ThrowUnless(local.ReportData.Span.SequenceEqual(expected), Codes.HclRuntimeBinding, "REPORT_DATA of the hardware report is not the hash of the runtime data.");
        var tdx = Tdx(evidence, reportData: null);
        AppraisalException.ThrowUnless(tdx.ReportData.Span.SequenceEqual(expected) && tdx.MrTd.Span.SequenceEqual(local.MrTd.Span),
            Codes.AzTdQuoteBinding, "The quote and the paravisor report come from different TDs.");
        return new Claims { Type = evidence.Type, Tdx = tdx };
    }

    private MaaClaims Maa(EvidenceDocument evidence)
    {
        var requirements = options.Maa ?? throw new AppraisalException(Codes.JwtIssuer, "The policy configures no token issuer.");
        var keys = options.MaaKeys ?? throw new AppraisalException(Codes.MaaKeys, "The signing keys of the issuer are not available.", indeterminate: true);
        var claims = MaaToken.Verify(evidence.Token ?? throw new AppraisalException(Codes.EvidencePart, "The evidence has no 'token'."), keys, requirements, now);
        if (options.TokenBinder is { } binder)
        {
            // The TPM quotes the nonce of a guest token. The hardware report covers the user data of a platform token.
            var (found, expected) = claims.IsGuestToken ? (claims.Nonce, SHA256.HashData(binder)) : (claims.UserData, binder.ToArray());
            AppraisalException.ThrowUnless(found is not null && CryptographicOperations.FixedTimeEquals(found, expected), Codes.MaaNonce, "The token is not bound to the expected value.");
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
        AppraisalException.ThrowUnless(evidence.TpmQuotes.Count > 0, Codes.EvidencePart, "The evidence has no 'tpm_quotes'.");
        var values = PcrValues.Parse(Required(evidence.Pcrs, "pcrs"));
        var covered = new Dictionary<string, SortedDictionary<int, byte[]>>(StringComparer.Ordinal);
        foreach (var quote in evidence.TpmQuotes)
        {
            foreach (var (bank, registers) in TpmQuote.Verify(quote.Message, quote.Signature, key, options.Nonce, values))
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

    /// <returns>End of validity of the chain; null if no chain was verified.</returns>
    private DateTimeOffset? AkCertificate(EvidenceDocument evidence, PublicKey key, IReadOnlyList<Certificate> roots, IReadOnlyList<Certificate> known)
    {
        if (evidence.AkCertificates.Count == 0)
        {
            AppraisalException.ThrowUnless(!options.RequireAkChain, Codes.TpmAkCertificate, "The attestation key has no certificate.");
            return null;
        }

        var leaf = Certificate.ParsePadded(evidence.AkCertificates[0]);
        AppraisalException.ThrowUnless(IsSameKey(leaf.Key, key), Codes.TpmAkCertificate, "The certificate does not certify the attestation key.");
        if (evidence.AkCertificates.Count == 1 && known.Count == 0 && !options.RequireAkChain)
        {
            return null;
        }

        var candidates = evidence.AkCertificates.Skip(1).Select(static der => Certificate.Parse(der)).Concat(known).Concat(roots).ToList();
        return CertificateChain.Verify(CertificateChain.Build(leaf, candidates), roots, now);
    }

    private static bool IsSameKey(PublicKey one, PublicKey other) => (one, other) switch
    {
        (RsaKey a, RsaKey b) => a.Modulus.SequenceEqual(b.Modulus) && a.Exponent.SequenceEqual(b.Exponent),
        (EcKey a, EcKey b) => a.SameAs(b),
        _ => false,
    };

    /// <summary>Adds Google's parts: the endorsement of the firmware, and the quote of the vTPM that the host emulates.</summary>
    private Claims WithGoogleEvidence(EvidenceDocument evidence, Claims claims)
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
        var endorsement = LaunchEndorsement.Verify(Required(evidence.LaunchEndorsement, "launch_endorsement"), options.GoogleRoot, now);
        AppraisalException.ThrowUnless(measurement is not { } snp || endorsement.Endorses(snp, options.Vcpus), Codes.GceMeasurement, "Google's endorsement does not contain the measurement for this number of vCPUs.");
        AppraisalException.ThrowUnless(mrTd is not { } td || endorsement.EndorsesTd(td), Codes.GceMeasurement, "Google's endorsement does not contain the MRTD.");
        return new LaunchClaims(endorsement.SnpSvn, options.Vcpus, endorsement.ExpiresAt);
    }

    private Claims Simulated(EvidenceDocument evidence)
    {
        var claims = SimulatedEvidence.Verify(evidence.Simulated ?? throw new AppraisalException(Codes.EvidencePart, "The evidence has no 'simulated'."));
        Compare(claims.ReportData, options.ReportData, Codes.ReportData, "report_data of the simulated evidence differs from the expected value.");
        return new Claims { Type = evidence.Type, Simulated = claims };
    }

    private static void Compare(ReadOnlyMemory<byte> found, byte[]? expected, string code, string detail) =>
        AppraisalException.ThrowUnless(expected is not { } bytes || CryptographicOperations.FixedTimeEquals(found.Span, bytes), code, detail);
}
