using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cube.Tests.Systems;

namespace Cube.Tests.Attestation.Synthetic;

/// <summary>Tokens in the format of Microsoft Azure Attestation, with a temporary key. Each possible defect is one property.</summary>
internal sealed class SyntheticMaa
{
    public const string Issuer = "https://simulated.test.attest.invalid";
    public static readonly DateTimeOffset Now = SyntheticAmd.Now;
    private static readonly RSA _key = RSA.Create(2048);

    internal sealed record Case
    {
        public bool IsGuest { get; init; } = true;
        public bool IsTdx { get; init; }
        public Action<JsonObject>? Header { get; init; }
        public Action<JsonObject>? Claims { get; init; }
        public Func<string, string>? Token { get; init; }
        public bool SignWithAnother { get; init; }
        public string? RawPayload { get; init; }
    }

    public static byte[] Jwks(bool withOtherKey = false)
    {
        using var other = RSA.Create(2048);
        var parameters = (withOtherKey ? other : _key).ExportParameters(false);
        return JsonSerializer.SerializeToUtf8Bytes(new { keys = new[] { new { kty = "RSA", kid = "k1", n = Base64Url.EncodeToString(parameters.Modulus), e = Base64Url.EncodeToString(parameters.Exponent) } } });
    }

    public static string Make(Case wanted)
    {
        var header = new JsonObject { ["alg"] = "RS256", ["kid"] = "k1", ["typ"] = "JWT", ["jku"] = Issuer + "/certs" };
        wanted.Header?.Invoke(header);
        var seconds = Now.ToUnixTimeSeconds();
        var tee = wanted.IsTdx
            ? new JsonObject { ["x-ms-attestation-type"] = "tdxvm", ["tdx_td_attributes_debug"] = false, ["attester_tcb_status"] = "UpToDate", ["dbgstat"] = "disabled", ["tdx_mrtd"] = new string('a', 96) }
            : new JsonObject { ["x-ms-attestation-type"] = "sevsnpvm", ["x-ms-sevsnpvm-is-debuggable"] = false, ["x-ms-sevsnpvm-vmpl"] = 0, ["x-ms-sevsnpvm-launchmeasurement"] = new string('a', 96), ["x-ms-sevsnpvm-idkeydigest"] = new string('b', 96), ["x-ms-sevsnpvm-guestsvn"] = 10 };
        tee["x-ms-compliance-status"] = "azure-compliant-cvm";
        tee["x-ms-runtime"] = new JsonObject { ["user-data"] = new string('5', 128), ["vm-configuration"] = new JsonObject { ["secure-boot"] = true } };
        var claims = new JsonObject { ["iss"] = Issuer, ["iat"] = seconds - 60, ["nbf"] = seconds - 60, ["exp"] = seconds + 28_740 };
        if (wanted.IsGuest)
        {
            claims["x-ms-attestation-type"] = "azurevm";
            claims["secureboot"] = true;
            claims["x-ms-isolation-tee"] = tee;
            claims["x-ms-runtime"] = new JsonObject { ["client-payload"] = new JsonObject { ["nonce"] = Convert.ToBase64String("a nonce"u8) } };
        }
        else
        {
            claims["nonce"] = Base64Url.EncodeToString("a nonce"u8);
            foreach (var (name, value) in tee.ToList())
            {
                tee.Remove(name);
                claims[name] = value;
            }
        }

        wanted.Claims?.Invoke(claims);
        var signed = $"{Encode(header.ToJsonString())}.{Encode(wanted.RawPayload ?? claims.ToJsonString())}";
        using var other = wanted.SignWithAnother ? RSA.Create(2048) : null;
        var token = $"{signed}.{Base64Url.EncodeToString((other ?? _key).SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
        return wanted.Token?.Invoke(token) ?? token;
    }

    public static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
}
