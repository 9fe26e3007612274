using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;

namespace Cube.Tests.Attestation.Appraisal;

public sealed partial class RejectionTests
{
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
            yield return ($"maa: {name}", expected, () => Appraise(
                new EvidenceDocument { Type = EvidenceType.Maa, Token = SyntheticMaa.Make(wanted) }, TrustAnchors.Vendor,
                new AppraisalOptions
                {
                    MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks()),
                    Maa = new MaaRequirements(SyntheticMaa.Issuer, wanted.IsTdx ? "tdxvm" : "sevsnpvm", TimeSpan.FromMinutes(10), true, "a nonce"u8.ToArray()),
                }, SyntheticMaa.Now));
        }

        yield return ("maa: keys of another", Codes.JwtSignature, () => Appraise(
            new EvidenceDocument { Type = EvidenceType.Maa, Token = SyntheticMaa.Make(guest) }, TrustAnchors.Vendor,
            new AppraisalOptions { MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks(withOtherKey: true)), Maa = new MaaRequirements(SyntheticMaa.Issuer, "sevsnpvm", null, true, null) }, SyntheticMaa.Now));
        // The requester chooses the nonce of a platform token, so that it binds nothing.
        yield return ("maa: a platform token bound by its nonce only", Codes.MaaNonce, () => Appraise(
            new EvidenceDocument { Type = EvidenceType.Maa, Token = SyntheticMaa.Make(platform with { Claims = static claims => claims["nonce"] = System.Buffers.Text.Base64Url.EncodeToString(SHA256.HashData(new byte[64])) }) }, TrustAnchors.Vendor,
            new AppraisalOptions { TokenBinder = new byte[64], MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks()), Maa = new MaaRequirements(SyntheticMaa.Issuer, "sevsnpvm", null, true, null) }, SyntheticMaa.Now));
    }
}
