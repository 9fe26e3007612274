using System.Security.Cryptography;
using System.Text;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;

namespace Cube.Tests.Attestation.Appraisal;

/// <summary>
/// Evidence with one defect and its expected code. The valid Evidence is tested too, so that a Verifier that rejects
/// everything fails.
/// </summary>
public sealed partial class RejectionTests
{
    private static readonly Dictionary<string, Func<string?>> _cases = All().ToDictionary(static item => item.Name, static item => item.Appraise);
    private static readonly Dictionary<string, string?> _expected = All().ToDictionary(static item => item.Name, static item => item.Expected);

    public static TheoryData<string> Names => [.. _cases.Keys];

    [Theory]
    [MemberData(nameof(Names), DisableDiscoveryEnumeration = true)]
    public void Evidence_with_one_defect_is_rejected_with_its_code(string name) => Assert.Equal(_expected[name], _cases[name]());

    [Fact]
    public void There_are_at_least_250_rejection_cases() => Assert.True(_expected.Values.Count(static code => code is not null) >= 250, $"{_expected.Count}");

    private static IEnumerable<(string Name, string? Expected, Func<string?> Appraise)> All() => [.. Snp(), .. Tdx(), .. Tpm(), .. Maa(), .. Documents()];

    private static string? Appraise(EvidenceDocument evidence, TrustAnchors anchors, AppraisalOptions options, DateTimeOffset now)
    {
        try
        {
            new EvidenceAppraiser(anchors, options, now).Appraise(evidence);
            return null;
        }
        catch (AppraisalException exception)
        {
            return exception.Code;
        }
    }

    private static IEnumerable<(string, string?, Func<string?>)> Snp()
    {
        var good = new SyntheticAmd.Case();
        var turin = good with { Product = "Turin", Tcb = [1, 2, 3, 4, 0, 0, 0, 71] };
        var vlek = good with { IsVlek = true };
        (string, string?, SyntheticAmd.Case)[] cases =
        [
            ("milan", null, good), ("genoa", null, good with { Product = "Genoa" }), ("turin", null, turin), ("vlek", null, vlek),
            ("version 2", null, good with { Report = static report => { report[0] = 2; report.AsSpan(0x188, 3).Clear(); } }),
            ("unpinned root", Codes.UntrustedRoot, good with { RootIsPinned = false }),
            ("signed by another ARK", Codes.ChainSignature, good with { SignWithAnotherArk = true }),
            ("signed by another ASK", Codes.ChainSignature, good with { SignLeafWithAnotherAsk = true }),
            ("signed by another key", Codes.ReportSignature, good with { SignWithAnotherVek = true }),
            ("ASK is no authority", Codes.ChainNotCa, good with { AskIsCa = false }),
            ("ASK may not sign certificates", Codes.ChainNotCa, good with { AskSignsCertificates = false }),
            ("leaf is an authority", Codes.ChainLeafIsCa, good with { LeafIsCa = true }),
            ("leaf of another kind", Codes.LeafName, good with { LeafName = "SEV-VLEK" }),
            ("leaf without a kind", Codes.LeafName, good with { LeafName = "SEV" }),
            ("VLEK leaf of another kind", Codes.LeafName, vlek with { LeafName = "SEV-VCEK" }),
            ("ASVK for a VCEK", Codes.LeafName, good with { AskName = "SEV-VLEK-Milan" }),
            ("ASK for a VLEK", Codes.LeafName, vlek with { AskName = "SEV-Milan" }),
            ("ASK of another product", Codes.LeafName, good with { AskName = "SEV-Genoa" }),
            ("leaf for another product", Codes.Product, good with { ProductName = "Genoa-B0" }),
            ("leaf for a product of a longer name", Codes.Product, good with { ProductName = "MilanX" }),
            ("report of another product", Codes.Product, good with { Report = static report => report[0x189] = 0x11 }),
            ("report of an unknown product", Codes.Product, good with { Report = static report => report[0x188] = 0x17 }),
            ("leaf signed over SHA-256", null, good with { LeafHash = HashAlgorithmName.SHA256 }),
            ("unknown critical extension", Codes.Certificate, good with { CriticalUnknownExtension = true }),
            ("certificate expired", Codes.CertExpired, good with { LeafTo = SyntheticAmd.Now.AddSeconds(-1) }),
            ("certificate in its last second", null, good with { LeafTo = SyntheticAmd.Now }),
            ("certificate not valid yet", Codes.CertExpired, good with { LeafFrom = SyntheticAmd.Now.AddSeconds(1) }),
            ("certificate in its first second", null, good with { LeafFrom = SyntheticAmd.Now }),
            ("ASK expired", Codes.CertExpired, good with { AskTo = SyntheticAmd.Now.AddSeconds(-1), LeafTo = SyntheticAmd.Now.AddSeconds(-1) }),
            ("another chip in the certificate", Codes.ChipId, good with { HardwareId = [.. Enumerable.Repeat((byte)9, 64)] }),
            ("a short chip id in the certificate", Codes.ChipId, good with { HardwareId = [1, 2, 3, 4, 5, 6, 7, 8] }),
            ("no chip id in the certificate", Codes.ChipId, good with { WithoutExtensions = ["4"] }),
            ("a long chip id for Turin", Codes.ChipId, turin with { HardwareId = [.. Enumerable.Repeat((byte)9, 64)] }),
            ("Turin with a tail behind its chip id", Codes.ChipId, turin with { Report = static report => report[0x1A0 + 8] = 1 }),
            ("masked chip id", Codes.ChipId, good with { Report = static report => report.AsSpan(0x1A0, 64).Clear() }),
            ("VLEK without a provider", Codes.CspId, vlek with { CspId = "" }),
            ("VLEK with a chip", Codes.CspId, vlek with { HardwareId = [.. Enumerable.Repeat((byte)9, 64)] }),
            ("no certificate", Codes.EvidencePart, good with { Certificates = static _ => [] }),
            ("leaf alone", Codes.ChainIssuer, good with { Certificates = static chain => [chain[0]] }),
            ("no ARK", null, good with { Certificates = static chain => [chain[0], chain[1]] }),
            ("ARK before ASK", null, good with { Certificates = static chain => [chain[0], chain[2], chain[1]] }),
            ("two ARKs", Codes.ChainLength, good with { Certificates = static chain => [chain[0], chain[2], chain[2]] }),
            ("two ASKs", Codes.ChainLength, good with { Certificates = static chain => [chain[0], chain[1], chain[1]] }),
            ("four certificates", Codes.ChainLength, good with { Certificates = static chain => [.. chain, chain[1]] }),
            ("leaf not first", Codes.ChainIssuer, good with { Certificates = static chain => [chain[1], chain[0], chain[2]] }),
            ("bytes after a certificate", Codes.Certificate, good with { Certificates = static chain => [[.. chain[0], 0], chain[1], chain[2]] }),
            ("half a certificate", Codes.Certificate, good with { Certificates = static chain => [chain[0][..100], chain[1], chain[2]] }),
            ("CRL", null, good with { Crl = SyntheticAmd.Shared.Crl() }),
            ("CRL that revokes the ASK", Codes.CertRevoked, good with { Crl = SyntheticAmd.Shared.Crl(revokeAsk: true) }),
            ("CRL that has expired", Codes.CrlExpired, good with { Crl = SyntheticAmd.Shared.Crl(nextUpdate: SyntheticAmd.Now.AddSeconds(-1), thisUpdate: SyntheticAmd.Now.AddDays(-2)) }),
            ("CRL of tomorrow", Codes.CrlExpired, good with { Crl = SyntheticAmd.Shared.Crl(thisUpdate: SyntheticAmd.Now.AddSeconds(1)) }),
            ("CRL of another issuer", Codes.CrlSignature, good with { Crl = SyntheticAmd.Shared.Crl(forged: true) }),
            ("CRL of another product", Codes.CrlIssuer, good with { Product = "Genoa", Crl = SyntheticAmd.Shared.Crl() }),
            ("CRL that is none", Codes.Crl, good with { Crl = [0x30, 0x00] }),
            ("another security policy", Codes.HostData, good with { Extra = new EvidenceDocument { Type = "x", SecurityPolicy = [1] } }),
            ("endorsement that is none", Codes.UvmEndorsement, good with { Extra = new EvidenceDocument { Type = "x", UvmEndorsement = [0xD2, 0x84] } }),
            ("debug", Codes.Debug, good with { Report = static report => report[0x00A] |= 1 << 3 }),
            ("guest policy without its fixed bit", Codes.GuestPolicy, good with { Report = static report => report[0x00A] &= 0xFD }),
            ("an unknown privilege level", Codes.Vmpl, good with { Report = static report => report[0x030] = 4 }),
            ("report too short", Codes.ReportSize, good with { Signed = static report => report[..^1] }),
            ("report too long", Codes.ReportSize, good with { Signed = static report => [.. report, 0] }),
            ("no report", Codes.ReportSize, good with { Signed = static _ => [] }),
            ("masked key with a VCEK", Codes.SigningKey, good with { Report = static report => report[0x048] |= 2 }),
            ("masked key with a VLEK", null, vlek with { Report = static report => report[0x048] |= 2 }),
            ("signature of zeros", Codes.ReportSignature, good with { Signed = static report => { report.AsSpan(0x2A0).Clear(); return report; } }),
            ("r is longer than its field", Codes.ReportSignature, good with { Signed = static report => { report[0x2A0 + 48] = 1; return report; } }),
            ("s is longer than its field", Codes.ReportSignature, good with { Signed = static report => { report[0x2E8 + 48] = 1; return report; } }),
            ("bytes after the signature", Codes.ReportSignature, good with { Signed = static report => { report[0x330] = 1; return report; } }),
            .. ((int[])[0, 1, 6, 7, 255]).Select(version => ($"report version {version}", (string?)Codes.ReportVersion, good with { Report = report => report[0] = (byte)version })),
            .. ((int[])[0, 2, 3]).Select(algorithm => ($"signature algorithm {algorithm}", (string?)Codes.SigAlgo, good with { Report = report => report[0x034] = (byte)algorithm })),
            .. Enumerable.Range(2, 6).Select(key => ($"signing key {key}", (string?)Codes.SigningKey, good with { Report = report => report[0x048] = (byte)(key << 2) })),
            .. Enumerable.Range(5, 27).Select(bit => ($"reserved key bit {bit}", (string?)Codes.ReservedBits, good with { Report = report => report[0x048 + bit / 8] |= (byte)(1 << bit % 8) })),
            .. Enumerable.Range(26, 38).Select(bit => ($"reserved guest policy bit {bit}", (string?)Codes.GuestPolicy, good with { Report = report => report[0x008 + bit / 8] |= (byte)(1 << bit % 8) })),
            .. ((int[])[0, 1, 6, 7]).SelectMany(part => ((int[])[-1, 1]).Select(by => ($"milan TCB byte {part} {by:+0;-0}", (string?)Codes.ReportTcb,
                good with { Tcb = [3, 1, 0, 0, 0, 0, 8, 115], CertificateTcb = Changed([3, 1, 0, 0, 0, 0, 8, 115], part, by) }))),
            .. ((int[])[0, 1, 2, 3, 7]).SelectMany(part => ((int[])[-1, 1]).Select(by => ($"turin TCB byte {part} {by:+0;-0}", (string?)Codes.ReportTcb,
                turin with { CertificateTcb = Changed(turin.Tcb, part, by) }))),
            .. ((string[])["2", "3.1", "3.2", "3.3", "3.8"]).Select(oid => ($"certificate without {oid}", (string?)Codes.Certificate, good with { WithoutExtensions = [oid] })),
            ("turin without fmc", Codes.ReportTcb, turin with { WithoutExtensions = ["3.9"] }),
            .. ((int[])[0x000, 0x004, 0x008, 0x010, 0x030, 0x050, 0x090, 0x0C0, 0x0E0, 0x110, 0x140, 0x160, 0x180, 0x1E0, 0x1F0, 0x290])
                .Select(offset => ($"report changed at {offset:x}", offset == 0 ? null : (string?)Codes.ReportSignature, good with { Signed = report => { report[offset] ^= (byte)(offset == 0 ? 0 : 1); return report; } })),
        ];
        foreach (var (name, expected, wanted) in cases)
        {
            yield return ($"snp: {name}", expected, () =>
            {
                var (evidence, anchors) = SyntheticAmd.Shared.Make(wanted);
                return Appraise(evidence, anchors, new AppraisalOptions(), SyntheticAmd.Now);
            });
        }

        (string, string?, AppraisalOptions)[] options =
        [
            ("report data", null, new AppraisalOptions { ReportData = [.. Enumerable.Repeat((byte)0x5A, 64)] }),
            ("other report data", Codes.ReportData, new AppraisalOptions { ReportData = [.. Enumerable.Repeat((byte)0x5B, 64)] }),
            ("shorter report data", Codes.ReportData, new AppraisalOptions { ReportData = [.. Enumerable.Repeat((byte)0x5A, 63)] }),
            ("a CRL is due", Codes.CrlMissing, new AppraisalOptions { RequireCrl = true }),
        ];
        foreach (var (name, expected, check) in options)
        {
            yield return ($"snp options: {name}", expected, () =>
            {
                var (evidence, anchors) = SyntheticAmd.Shared.Make(good);
                return Appraise(evidence, anchors, check, SyntheticAmd.Now);
            });
        }
    }

    private static byte[] Changed(byte[] tcb, int part, int by)
    {
        var changed = tcb.ToArray();
        changed[part] = (byte)(changed[part] + by);
        return changed;
    }

    private static IEnumerable<(string, string?, Func<string?>)> Documents()
    {
        (string, string?, string)[] cases =
        [
            ("no JSON", Codes.Malformed, "{"), ("a list", Codes.Malformed, "[]"), ("no type", Codes.EvidenceType, """{"format_version":1,"parts":{}}"""),
            ("another format", Codes.Malformed, """{"type":"tdx","format_version":2,"parts":{}}"""), ("no parts", Codes.Malformed, """{"type":"tdx","format_version":1}"""),
            ("an unknown member", Codes.Malformed, """{"type":"tdx","format_version":1,"parts":{},"trust":"me"}"""),
            ("an unknown part", Codes.Malformed, """{"type":"tdx","format_version":1,"parts":{"root":"AA=="}}"""),
            ("a member twice", Codes.Malformed, """{"type":"tdx","type":"sev-snp","format_version":1,"parts":{}}"""),
            ("a part that is no base64", Codes.Malformed, """{"type":"tdx","format_version":1,"parts":{"quote":"*"}}"""),
            ("a part that is a number", Codes.Malformed, """{"type":"tdx","format_version":1,"parts":{"quote":7}}"""),
            ("six certificates", Codes.Malformed, """{"type":"sev-snp","format_version":1,"parts":{"certificates":["","","","","",""]}}"""),
            ("an unknown type", Codes.EvidenceType, """{"type":"trust-me","format_version":1,"parts":{}}"""),
            ("no quote", Codes.EvidencePart, """{"type":"tdx","format_version":1,"parts":{}}"""), ("no report", Codes.EvidencePart, """{"type":"sev-snp","format_version":1,"parts":{}}"""),
            ("no HCL report", Codes.EvidencePart, """{"type":"azure-snp","format_version":1,"parts":{}}"""), ("no token", Codes.JwtIssuer, """{"type":"maa","format_version":1,"parts":{}}"""),
            ("no key", Codes.EvidencePart, """{"type":"vtpm","format_version":1,"parts":{}}"""), ("no endorsement", Codes.EvidencePart, """{"type":"gcp-launch","format_version":1,"parts":{}}"""),
            ("half a character", Codes.Malformed, """{"type":"\ud800","format_version":1,"parts":{}}"""),
        ];
        foreach (var (name, expected, json) in cases)
        {
            yield return ($"document: {name}", expected, () =>
            {
                try
                {
                    return Appraise(EvidenceJson.Read(Encoding.UTF8.GetBytes(json)), TrustAnchors.Vendor, new AppraisalOptions(), SyntheticAmd.Now);
                }
                catch (AppraisalException exception)
                {
                    return exception.Code;
                }
            });
        }

        yield return ("document: too large", Codes.TooLarge, () =>
        {
            try
            {
                EvidenceJson.Read(new byte[EvidenceDocument.MaxBytes + 1]);
                return null;
            }
            catch (AppraisalException exception)
            {
                return exception.Code;
            }
        });
    }
}
