using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cube.Attestation;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Tdx;
using Cube.Tests.Attestation.Synthetic;

namespace Cube.Tests.Attestation;

/// <summary>
/// Evidence that is good but for one thing, with that thing's own refusal. The good ones are tested with it: a verifier that refuses
/// everything passes nothing here.
/// </summary>
public sealed class RejectionTests
{
    private static readonly Dictionary<string, Func<string?>> _cases = All().ToDictionary(static item => item.Name, static item => item.Judge);
    private static readonly Dictionary<string, string?> _expected = All().ToDictionary(static item => item.Name, static item => item.Expected);

    public static TheoryData<string> Names => [.. _cases.Keys];

    [Theory]
    [MemberData(nameof(Names), DisableDiscoveryEnumeration = true)]
    public void One_thing_that_is_wrong_is_refused_by_its_name(string name) => Assert.Equal(_expected[name], _cases[name]());

    [Fact]
    public void There_are_at_least_two_hundred_and_fifty_of_them() => Assert.True(_expected.Values.Count(static code => code is not null) >= 250, $"{_expected.Count}");

    private static IEnumerable<(string Name, string? Expected, Func<string?> Judge)> All() => [.. Snp(), .. Tdx(), .. Tpm(), .. Maa(), .. Documents()];

    private static string? Judge(EvidenceDocument evidence, TrustAnchors anchors, Checks checks, DateTimeOffset now)
    {
        try
        {
            new Examination(anchors, checks, now).Examine(evidence);
            return null;
        }
        catch (Refusal refusal)
        {
            return refusal.Code;
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
            ("VLEK of nobody", Codes.CspId, vlek with { CspId = "" }),
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
            ("CRL of somebody else", Codes.CrlSignature, good with { Crl = SyntheticAmd.Shared.Crl(forged: true) }),
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
                return Judge(evidence, anchors, new Checks(), SyntheticAmd.Now);
            });
        }

        (string, string?, Checks)[] checks =
        [
            ("report data", null, new Checks { ReportData = [.. Enumerable.Repeat((byte)0x5A, 64)] }),
            ("other report data", Codes.ReportData, new Checks { ReportData = [.. Enumerable.Repeat((byte)0x5B, 64)] }),
            ("shorter report data", Codes.ReportData, new Checks { ReportData = [.. Enumerable.Repeat((byte)0x5A, 63)] }),
            ("a CRL is due", Codes.CrlMissing, new Checks { RequireCrl = true }),
        ];
        foreach (var (name, expected, check) in checks)
        {
            yield return ($"snp checks: {name}", expected, () =>
            {
                var (evidence, anchors) = SyntheticAmd.Shared.Make(good);
                return Judge(evidence, anchors, check, SyntheticAmd.Now);
            });
        }
    }

    private static byte[] Changed(byte[] tcb, int part, int by)
    {
        var changed = tcb.ToArray();
        changed[part] = (byte)(changed[part] + by);
        return changed;
    }

    private static IEnumerable<(string, string?, Func<string?>)> Tdx()
    {
        var good = new SyntheticIntel.Case();
        (string, string?, SyntheticIntel.Case)[] cases =
        [
            ("version 4", null, good), ("version 5", null, good with { Version = 5 }),
            ("unpinned root", Codes.UntrustedRoot, good with { RootIsPinned = false }),
            ("quote version 3", Codes.QuoteVersion, good with { Header = static header => header[0] = 3 }),
            ("quote version 6", Codes.QuoteVersion, good with { Header = static header => header[0] = 6 }),
            ("another kind of key", Codes.AkType, good with { Header = static header => header[2] = 3 }),
            ("an SGX quote", Codes.TeeType, good with { Header = static header => header[4] = 0 }),
            ("another enclave's maker", Codes.QeVendor, good with { Header = static header => header[12] ^= 1 }),
            ("debug", Codes.TdDebug, good with { Body = static body => body[120] |= 1 }),
            .. Enumerable.Range(1, 7).Select(bit => ($"untrusted bit {bit}", (string?)Codes.TdAttributes, good with { Body = body => body[120] |= (byte)(1 << bit) })),
            ("TDREPORT", Codes.NotAQuote, good with { Signed = static _ => new byte[1024] }),
            ("outer type 5", Codes.CertType, good with { OuterType = 5 }), ("inner type 6", Codes.CertType, good with { InnerType = 6 }),
            ("key is not bound", Codes.QeReportData, good with { BindAk = false }),
            ("QE report by another", Codes.QeReportSignature, good with { SignQeWithAnother = true }),
            ("quote by another", Codes.QuoteSignature, good with { SignQuoteWithAnother = true }),
            ("trailing bytes", null, good with { Signed = static quote => [.. quote, 1, 2, 3] }),
            ("cut off", Codes.SigDataSize, good with { Signed = static quote => quote[..^1] }),
            ("cut in its header", Codes.QuoteSize, good with { Signed = static quote => quote[..40] }),
            ("cut in its body", Codes.QuoteSize, good with { Signed = static quote => quote[..400] }),
            ("signature data too long", Codes.SigDataSize, good with { Signed = static quote => With(quote, 632, 0xFF) }),
            ("text before the certificates", Codes.Pem, good with { Pem = static pem => "x" + pem }),
            ("text after the certificates", Codes.Pem, good with { Pem = static pem => pem.TrimEnd('\0') + "x" }),
            ("two NULs", Codes.Pem, good with { Pem = static pem => pem + "\0" }),
            ("a broken label", Codes.Pem, good with { Pem = static pem => pem.Replace("BEGIN", "BEGUN", StringComparison.Ordinal) }),
            ("one certificate", Codes.ChainLength, good with { Pem = static pem => pem[..(pem.IndexOf("-----END", StringComparison.Ordinal) + 26)] }),
            ("not a PCK certificate", Codes.ChainIssuer, good with { PckName = "Intel SGX Attestation Service" }),
            ("PCK expired", Codes.CertExpired, good with { PckTo = SyntheticIntel.Now.AddSeconds(-1) }),
            ("PCK in its last second", null, good with { PckTo = SyntheticIntel.Now }),
            ("PCK without its extension", Codes.PckExtension, good with { WithPckExtension = false }),
            ("PCK revoked", Codes.CertRevoked, good with { RevokePck = true }),
            ("authority revoked", Codes.CertRevoked, good with { RevokeCa = true }),
            ("TCB signer revoked", Codes.CertRevoked, good with { RevokeTcbSigner = true }),
            ("PCK CRL expired", Codes.PckCrlExpired, good with { CrlTo = SyntheticIntel.Now.AddSeconds(-1) }),
            ("root CRL expired", Codes.RootCrlExpired, good with { RootCrlTo = SyntheticIntel.Now.AddSeconds(-1) }),
            ("PCK CRL forged", Codes.PckCrlSignature, good with { ForgePckCrl = true }),
            ("root CRL forged", Codes.RootCrlSignature, good with { ForgeRootCrl = true }),
            ("PCK CRL of the root", Codes.CrlIssuer, good with { PckCrlFromRoot = true }),
            ("TCB signer of another name", Codes.ChainIssuer, good with { TcbSigner = "Intel SGX Something" }),
            ("TCB signature broken", Codes.TcbJsonSignature, good with { TcbSignature = static signature => With(signature, 0, (byte)(signature[0] ^ 1)) }),
            ("QE signature broken", Codes.QeJsonSignature, good with { QeSignature = static signature => With(signature, 0, (byte)(signature[0] ^ 1)) }),
            ("TCB info of SGX", Codes.TcbInfoMismatch, good with { TcbInfo = static info => info["id"] = "SGX" }),
            ("TCB info of version 2", Codes.TcbInfoMismatch, good with { TcbInfo = static info => info["version"] = 2 }),
            ("another FMSPC", Codes.TcbInfoMismatch, good with { TcbInfo = static info => info["fmspc"] = "00806F050001" }),
            ("another PCEID", Codes.TcbInfoMismatch, good with { TcbInfo = static info => info["pceId"] = "0001" }),
            ("TCB info expired", Codes.TcbJsonExpired, good with { TcbInfo = static info => info["nextUpdate"] = "2026-06-14T23:59:59Z" }),
            ("TCB info of tomorrow", Codes.TcbJsonExpired, good with { TcbInfo = static info => info["issueDate"] = "2026-06-15T00:00:01Z" }),
            ("TCB info without a date", Codes.TcbJson, good with { TcbInfo = static info => info.Remove("issueDate") }),
            ("TCB info with another date", Codes.TcbJson, good with { TcbInfo = static info => info["issueDate"] = "yesterday" }),
            ("TCB info without levels", Codes.TcbJson, good with { TcbInfo = static info => info.Remove("tcbLevels") }),
            ("TCB info with no level", Codes.TcbNotSupported, good with { TcbInfo = static info => info["tcbLevels"] = new JsonArray() }),
            ("an unknown status", Codes.TcbJson, good with { TcbInfo = static info => info["tcbLevels"]![0]!["tcbStatus"] = "Fine" }),
            ("a status by number", Codes.TcbJson, good with { TcbInfo = static info => info["tcbLevels"]![0]!["tcbStatus"] = "0" }),
            ("fifteen components", Codes.TcbJson, good with { TcbInfo = static info => info["tcbLevels"]![0]!["tcb"]!["sgxtcbcomponents"]!.AsArray().RemoveAt(0) }),
            ("a component above 255", Codes.TcbJson, good with { TcbInfo = static info => info["tcbLevels"]![0]!["tcb"]!["sgxtcbcomponents"]![0]!["svn"] = 256 }),
            ("a module twice", Codes.TcbJson, good with { TcbInfo = static info => info["tdxModuleIdentities"]!.AsArray().Add(info["tdxModuleIdentities"]![0]!.DeepClone()) }),
            ("an unknown module", Codes.TdxModuleMismatch, good with { Body = static body => body[1] = 9 }),
            ("a module too old", Codes.TdxModuleNotSupported, good with { Body = static body => body[0] = 1 }),
            ("a module of another signer", Codes.TdxModuleMismatch, good with { Body = static body => body[64] = 1 }),
            ("module attributes", Codes.TdxModuleMismatch, good with { Body = static body => body[112] = 1 }),
            ("platform revoked", Codes.TcbRevoked, good with { TcbInfo = static info => info["tcbLevels"]![0]!["tcbStatus"] = "Revoked" }),
            ("module revoked", Codes.TcbRevoked, good with { TcbInfo = static info => info["tdxModuleIdentities"]![0]!["tcbLevels"]![0]!["tcbStatus"] = "Revoked" }),
            ("QE revoked", Codes.TcbRevoked, good with { QeReport = static qe => qe[258] = 2 }),
            ("QE out of date", null, good with { QeReport = static qe => qe[258] = 5 }),
            ("QE too old", Codes.QeNotSupported, good with { QeReport = static qe => qe[258] = 1 }),
            ("QE of another signer", Codes.QeIdentityMismatch, good with { QeReport = static qe => qe[128] ^= 1 }),
            ("QE of another product", Codes.QeIdentityMismatch, good with { QeReport = static qe => qe[256] = 3 }),
            ("QE in debug", Codes.QeIdentityMismatch, good with { QeReport = static qe => qe[48] |= 2 }),
            ("QE miscselect", Codes.QeIdentityMismatch, good with { QeReport = static qe => qe[16] = 1 }),
            ("QE identity of another enclave", Codes.QeIdentityMismatch, good with { QeIdentity = static identity => identity["id"] = "QE" }),
            ("QE identity of version 1", Codes.QeIdentityMismatch, good with { QeIdentity = static identity => identity["version"] = 1 }),
            ("QE identity expired", Codes.QeJsonExpired, good with { QeIdentity = static identity => identity["nextUpdate"] = "2026-06-14T23:59:59Z" }),
            ("QE identity without a mask", Codes.QeJson, good with { QeIdentity = static identity => identity.Remove("attributesMask") }),
            .. Enumerable.Range(0, 16).Where(static i => i is 0 or 1 or 2 or 3 or 4 or 5 or 7).Select(i => ($"component {i} below all", (string?)Codes.TcbNotSupported, good with { Components = With(good.Components, i, 0) })),
            ("PCESVN below all", Codes.TcbNotSupported, good with { PceSvn = 10 }),
            ("TDX component 2 below all", Codes.TcbNotSupported, good with { Body = static body => body[2] = 5 }),
            ("another issuer of the PCK CRL", Codes.CrlIssuer, good with { Collateral = static collateral => collateral with { PckCrlIssuerChain = collateral.TcbInfoIssuerChain } }),
            ("PCK CRL that is none", Codes.Crl, good with { Collateral = static collateral => collateral with { PckCrl = new byte[] { 0x30, 0 } } }),
            ("an event log of another TD", Codes.EventLogReplay, good with { Body = static body => body[328] = 1, CcEventLog = EmptyLog() }),
            ("an event log", null, good with { CcEventLog = EmptyLog() }),
            ("an event log that is none", Codes.EventLog, good with { CcEventLog = [1, 2, 3] }),
            .. ((int[])[50, 140, 200, 520]).Select(offset => ($"quote changed at {offset}", (string?)Codes.QuoteSignature, good with { Signed = quote => With(quote, offset, (byte)(quote[offset] ^ 1)) })),
        ];
        foreach (var (name, expected, wanted) in cases)
        {
            yield return ($"tdx: {name}", expected, () =>
            {
                var (evidence, anchors) = SyntheticIntel.Shared.Make(wanted);
                return Judge(evidence, anchors, new Checks(), SyntheticIntel.Now);
            });
        }
    }

    private static byte[] With(byte[] bytes, int offset, byte value)
    {
        var changed = bytes.ToArray();
        changed[offset] = value;
        return changed;
    }

    private static byte[] EmptyLog() =>
        [1, 0, 0, 0, 3, 0, 0, 0, .. new byte[20], 33, 0, 0, 0, .. "Spec ID Event03\0"u8, 0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0C, 0, 48, 0, 0];

    private static IEnumerable<(string, string?, Func<string?>)> Tpm()
    {
        var good = new SyntheticTpm.Case();
        (string, string?, SyntheticTpm.Case)[] cases =
        [
            .. ((string[])["rsassa", "rsapss", "p256", "p384"]).Select(key => ($"a quote by {key}", (string?)null, good with { Key = key })),
            .. ((string[])["rsassa", "rsapss", "p256", "p384"]).Select(key => ($"a quote changed after {key}", (string?)Codes.TpmQuoteSignature, good with { Key = key, Signed = static message => With(message, 50, (byte)(message[50] ^ 1)) })),
            .. ((string[])["rsassa", "rsapss", "p256"]).Select(key => ($"a quote by another {key}", (string?)Codes.TpmQuoteSignature, good with { Key = key, SignWithAnother = true })),
            ("SHA-384", null, good with { Hash = 0x000C }), ("SHA-512", null, good with { Hash = 0x000D }),
            ("signed over SHA-1", Codes.TpmSignatureFormat, good with { Key = "rsassa", Hash = 0x0004 }),
            ("two banks", null, good with { Selection = [(0x0004, [0, 1]), (0x000B, [0])] }),
            ("a bank twice", Codes.TpmQuote, good with { Selection = [(0x000B, [0]), (0x000B, [0])] }),
            ("no bank", Codes.TpmQuote, good with { Selection = [] }),
            ("another magic", Codes.TpmMagic, good with { Message = static message => message[0] = 0 }),
            ("another attestation", Codes.TpmMagic, good with { Message = static message => message[5] = 0x17 }),
            ("another nonce", Codes.TpmNonce, good with { Nonce = [1] }),
            ("no nonce", Codes.TpmNonce, good with { Nonce = [] }),
            ("bytes after the quote", Codes.TpmQuoteSignature, good with { Signed = static message => [.. message, 0] }),
            ("a register changed", Codes.TpmPcrDigest, good with { Pcrs = static pcrs => pcrs.Replace("0101", "0102", StringComparison.Ordinal) }),
            ("a register missing", Codes.TpmPcrMissing, good with { Pcrs = static pcrs => pcrs.Replace("\"4\"", "\"5\"", StringComparison.Ordinal) }),
            ("a register without a number", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("\"4\"", "\"four\"", StringComparison.Ordinal) }),
            ("a register that is too short", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("0101", "01", StringComparison.Ordinal) }),
            ("a register twice", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("\"4\"", "\"0\"", StringComparison.Ordinal) }),
            ("registers that are none", Codes.TpmPcrFormat, good with { Pcrs = static _ => "7" }),
            ("an unknown bank", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("sha256", "md5", StringComparison.Ordinal) }),
            ("another kind of signature", Codes.TpmSignatureFormat, good with { Signature = static signature => With(signature, 1, 0x14) }),
            ("bytes after the signature", Codes.TpmSignatureFormat, good with { Signature = static signature => [.. signature, 0] }),
            ("half a signature", Codes.TpmSignatureFormat, good with { Signature = static signature => signature[..10] }),
            ("a number that is too long", Codes.TpmSignatureFormat, good with { Signature = static signature => [.. signature[..4], 0, 33, .. new byte[33], 0, 1, 1] }),
            ("an unrestricted key", Codes.TpmAkAttributes, good with { Attributes = 0x40072 }),
            ("a key that decrypts", Codes.TpmAkAttributes, good with { Attributes = 0x70072 }),
            ("a key that does not sign", Codes.TpmAkAttributes, good with { Attributes = 0x10072 }),
            ("a key that may leave its TPM", Codes.TpmAkAttributes, good with { Attributes = 0x50070 }),
            ("a key that may leave its parent", Codes.TpmAkAttributes, good with { Attributes = 0x50062 }),
            ("a key from outside", Codes.TpmAkAttributes, good with { Attributes = 0x50052 }),
            ("a key beside its curve", Codes.TpmAkFormat, good with { Public = static key => With(key, key.Length - 1, (byte)(key[^1] ^ 1)) }),
            ("half a key", Codes.TpmAkFormat, good with { Public = static key => key[..20] }),
            ("bytes after the key", Codes.TpmAkFormat, good with { Public = static key => [.. key, 0] }),
            ("a symmetric key", Codes.TpmAkFormat, good with { Public = static key => With(key, 1, 0x25) }),
            ("another curve", Codes.TpmAkFormat, good with { Public = static key => With(key, 17, 0x20) }),
            ("an event log that leads nowhere", Codes.EventLogReplay, good with { EventLog = EmptyLog() }),
        ];
        foreach (var (name, expected, wanted) in cases)
        {
            yield return ($"tpm: {name}", expected, () =>
                Judge(SyntheticTpm.Make(wanted), TrustAnchors.Vendor with { GoogleTpm = [], GoogleTpmIntermediates = [] }, new Checks { Nonce = new SyntheticTpm.Case().Nonce }, SyntheticAmd.Now));
        }
    }

    private static IEnumerable<(string, string?, Func<string?>)> Maa()
    {
        var guest = new SyntheticMaa.Case();
        var platform = guest with { IsGuest = false };
        var tdx = platform with { IsTdx = true };
        (string, string?, SyntheticMaa.Case)[] cases =
        [
            ("guest token", null, guest), ("platform token", null, platform), ("TDX token", null, tdx),
            .. ((string[])["none", "HS256", "PS256", "RS384", "rs256", ""]).Select(algorithm => ($"algorithm '{algorithm}'", (string?)Codes.JwtAlg, guest with { Header = header => header["alg"] = algorithm })),
            ("no algorithm", Codes.JwtAlg, guest with { Header = static header => header.Remove("alg") }),
            ("an unknown key", Codes.JwtKid, guest with { Header = static header => header["kid"] = "k2" }),
            ("no key", Codes.JwtKid, guest with { Header = static header => header.Remove("kid") }),
            ("keys elsewhere", Codes.JwtJku, guest with { Header = static header => header["jku"] = "https://evil.invalid/certs" }),
            ("a critical header", Codes.JwtFormat, guest with { Header = static header => header["crit"] = new JsonArray("b64") }),
            ("signed by another", Codes.JwtSignature, guest with { SignWithAnother = true }),
            ("two parts", Codes.JwtFormat, guest with { Token = static token => token[..token.LastIndexOf('.')] }),
            ("four parts", Codes.JwtFormat, guest with { Token = static token => token + ".x" }),
            ("not base64url", Codes.JwtFormat, guest with { Token = static token => "+" + token[1..] }),
            ("a payload that is none", Codes.JwtFormat, guest with { RawPayload = "[" }),
            ("a claim twice", Codes.JwtFormat, guest with { RawPayload = """{"iss":"a","iss":"b"}""" }),
            ("another issuer", Codes.JwtIssuer, guest with { Claims = static claims => claims["iss"] = "https://other.invalid" }),
            ("an issuer with a slash", Codes.JwtIssuer, guest with { Claims = static claims => claims["iss"] = SyntheticMaa.Issuer + "/" }),
            ("no issuer", Codes.JwtIssuer, guest with { Claims = static claims => claims.Remove("iss") }),
            ("expired", Codes.JwtExpired, guest with { Claims = static claims => claims["exp"] = SyntheticMaa.Now.ToUnixTimeSeconds() - 301 }),
            ("expired within the skew", null, guest with { Claims = static claims => claims["exp"] = SyntheticMaa.Now.ToUnixTimeSeconds() - 300 }),
            ("not valid yet", Codes.JwtNotYetValid, guest with { Claims = static claims => claims["nbf"] = SyntheticMaa.Now.ToUnixTimeSeconds() + 301 }),
            ("issued tomorrow", Codes.JwtNotYetValid, guest with { Claims = static claims => claims["iat"] = SyntheticMaa.Now.ToUnixTimeSeconds() + 301 }),
            ("issued too long ago", Codes.JwtTooOld, guest with { Claims = static claims => claims["iat"] = SyntheticMaa.Now.ToUnixTimeSeconds() - 601 }),
            .. ((string[])["exp", "nbf", "iat"]).Select(name => ($"no {name}", (string?)Codes.JwtClaim, guest with { Claims = claims => claims.Remove(name) })),
            ("a date that is text", Codes.JwtClaim, guest with { Claims = static claims => claims["exp"] = "tomorrow" }),
            ("a date beyond all", Codes.JwtClaim, guest with { Claims = static claims => claims["exp"] = long.MaxValue }),
            ("Trusted Launch", Codes.MaaNoIsolationTee, guest with { Claims = static claims => claims.Remove("x-ms-isolation-tee") }),
            ("no type", Codes.MaaType, guest with { Claims = static claims => claims.Remove("x-ms-attestation-type") }),
            ("an enclave", Codes.MaaType, platform with { Claims = static claims => claims["x-ms-attestation-type"] = "sgx" }),
            ("TDX where SNP is due", Codes.MaaType, guest with { Claims = static claims => claims["x-ms-isolation-tee"]!["x-ms-attestation-type"] = "tdxvm" }),
            ("not compliant", Codes.MaaCompliance, guest with { Claims = static claims => claims["x-ms-isolation-tee"]!["x-ms-compliance-status"] = "other" }),
            ("of no compliance", Codes.MaaCompliance, platform with { Claims = static claims => claims.Remove("x-ms-compliance-status") }),
            ("debuggable", Codes.MaaDebug, guest with { Claims = static claims => claims["x-ms-isolation-tee"]!["x-ms-sevsnpvm-is-debuggable"] = true }),
            ("not said whether debuggable", Codes.MaaDebug, platform with { Claims = static claims => claims.Remove("x-ms-sevsnpvm-is-debuggable") }),
            ("TDX debuggable", Codes.MaaDebug, tdx with { Claims = static claims => claims["tdx_td_attributes_debug"] = true }),
            ("TDX debug state", Codes.MaaDebug, tdx with { Claims = static claims => claims["dbgstat"] = "enabled" }),
            ("TDX revoked", Codes.MaaTcb, tdx with { Claims = static claims => claims["attester_tcb_status"] = "Revoked" }),
            ("a lower privilege level", Codes.Vmpl, platform with { Claims = static claims => claims["x-ms-sevsnpvm-vmpl"] = 1 }),
            ("no secure boot", Codes.MaaSecureBoot, guest with { Claims = static claims => claims["secureboot"] = false }),
            ("secure boot as text", Codes.MaaSecureBoot, guest with { Claims = static claims => claims["secureboot"] = "true" }),
            ("another nonce", Codes.MaaNonce, guest with { Claims = static claims => claims["x-ms-runtime"]!["client-payload"]!["nonce"] = Convert.ToBase64String("other"u8) }),
            ("no nonce", Codes.MaaNonceMissing, guest with { Claims = static claims => claims.Remove("x-ms-runtime") }),
            ("another platform nonce", Codes.MaaNonce, platform with { Claims = static claims => claims["nonce"] = SyntheticMaa.Encode("other") }),
            ("no platform nonce", Codes.MaaNonceMissing, platform with { Claims = static claims => claims.Remove("nonce") }),
            ("a nonce that is none", Codes.MaaNonce, guest with { Claims = static claims => claims["x-ms-runtime"]!["client-payload"]!["nonce"] = "!" }),
            ("a measurement that is none", Codes.JwtClaim, platform with { Claims = static claims => claims["x-ms-sevsnpvm-launchmeasurement"] = "xyz" }),
        ];
        foreach (var (name, expected, wanted) in cases)
        {
            yield return ($"maa: {name}", expected, () => Judge(
                new EvidenceDocument { Type = EvidenceType.Maa, Token = SyntheticMaa.Make(wanted) }, TrustAnchors.Vendor,
                new Checks
                {
                    MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks()),
                    Maa = new MaaDemands(SyntheticMaa.Issuer, wanted.IsTdx ? "tdxvm" : "sevsnpvm", TimeSpan.FromMinutes(10), true, "a nonce"u8.ToArray()),
                }, SyntheticMaa.Now));
        }

        yield return ("maa: keys of another", Codes.JwtSignature, () => Judge(
            new EvidenceDocument { Type = EvidenceType.Maa, Token = SyntheticMaa.Make(guest) }, TrustAnchors.Vendor,
            new Checks { MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks(withOtherKey: true)), Maa = new MaaDemands(SyntheticMaa.Issuer, "sevsnpvm", null, true, null) }, SyntheticMaa.Now));
        // The nonce of a platform token is an echo of whoever asked: it binds nothing.
        yield return ("maa: a platform token bound by its nonce only", Codes.MaaNonce, () => Judge(
            new EvidenceDocument { Type = EvidenceType.Maa, Token = SyntheticMaa.Make(platform with { Claims = static claims => claims["nonce"] = System.Buffers.Text.Base64Url.EncodeToString(SHA256.HashData(new byte[64])) }) }, TrustAnchors.Vendor,
            new Checks { TokenBinder = new byte[64], MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks()), Maa = new MaaDemands(SyntheticMaa.Issuer, "sevsnpvm", null, true, null) }, SyntheticMaa.Now));
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
                    return Judge(EvidenceJson.Read(Encoding.UTF8.GetBytes(json)), TrustAnchors.Vendor, new Checks(), SyntheticAmd.Now);
                }
                catch (Refusal refusal)
                {
                    return refusal.Code;
                }
            });
        }

        yield return ("document: too large", Codes.TooLarge, () =>
        {
            try
            {
                EvidenceJson.Read(new byte[EvidenceDocument.MostBytes + 1]);
                return null;
            }
            catch (Refusal refusal)
            {
                return refusal.Code;
            }
        });
    }
}
