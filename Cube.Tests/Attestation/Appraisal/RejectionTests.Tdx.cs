using System.Text.Json.Nodes;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Certificates;
using Cube.Attestation.Tdx;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;

namespace Cube.Tests.Attestation.Appraisal;

public sealed partial class RejectionTests
{
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
                return Appraise(evidence, anchors, new AppraisalOptions(), SyntheticIntel.Now);
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
}
