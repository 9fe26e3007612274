using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Azure;

/// <summary>The signing keys of one instance of Microsoft Azure Attestation: a JWKS (RFC 7517), read from the configured issuer only.</summary>
internal sealed class MaaKeys
{
    private readonly Dictionary<string, RsaKey> _keys = new(StringComparer.Ordinal);

    /// <exception cref="AppraisalException">Code <see cref="Codes.MaaKeys"/>.</exception>
    public static MaaKeys Parse(ReadOnlyMemory<byte> jwks)
    {
        using var document = Json.Parse(jwks, Codes.MaaKeys);
        var keys = new MaaKeys();
        foreach (var jwk in document.RootElement.Items("keys", Codes.MaaKeys))
        {
            AppraisalException.ThrowUnless(keys._keys.Count < 64, Codes.MaaKeys, "The issuer has more than 64 keys.");
            if (jwk.Optional("kty") is { ValueKind: JsonValueKind.String } type && type.ValueEquals("RSA"))
            {
                keys._keys.TryAdd(jwk.Text("kid", Codes.MaaKeys), Read(jwk));
            }
        }

        return keys;
    }

    public RsaKey? Find(string kid) => _keys.GetValueOrDefault(kid);

    /// <summary>Regional instances often publish the certificate only, without a modulus.</summary>
    private static RsaKey Read(JsonElement jwk)
    {
        if (jwk.Optional("n") is { ValueKind: JsonValueKind.String } modulus)
        {
            return new RsaKey(new RSAParameters
            {
                Modulus = Json.Base64Of(modulus.GetString()!, Codes.MaaKeys),
                Exponent = Json.Base64Of(jwk.Text("e", Codes.MaaKeys), Codes.MaaKeys),
            });
        }

        var first = jwk.Items("x5c", Codes.MaaKeys).FirstOrDefault();
        try
        {
            return first.ValueKind == JsonValueKind.String && Certificate.Parse(first.GetBytesFromBase64()).Key is RsaKey key
                ? key
                : throw new AppraisalException(Codes.MaaKeys, "A key of the issuer is not an RSA key.");
        }
        catch (FormatException)
        {
            throw new AppraisalException(Codes.MaaKeys, "A certificate of the issuer cannot be parsed.");
        }
    }
}

/// <summary>The requirements on a token in addition to its signature.</summary>
/// <param name="Issuer">The configured instance, without a trailing slash.</param>
/// <param name="Tee">sevsnpvm or tdxvm.</param>
/// <param name="MaxAge">Maximum age since <c>iat</c>; null accepts the token until <c>exp</c>.</param>
internal sealed record MaaRequirements(string Issuer, string Tee, TimeSpan? MaxAge, bool RequireCompliance, byte[]? Nonce);

/// <summary>
/// A token of Microsoft Azure Attestation: a JWT (RFC 7519), RS256 and nothing else.
/// <code>
/// guest token:    x-ms-attestation-type azurevm, the TEE's claims below x-ms-isolation-tee, x-ms-runtime.client-payload.nonce (base64)
/// platform token: the TEE's claims at the top, nonce (base64url)
/// </code>
/// A guest token without x-ms-isolation-tee belongs to a Trusted Launch machine, which is not confidential.
/// </summary>
internal static class MaaToken
{
    private const int MaxBytes = 64 * 1024;
    private static readonly TimeSpan _skew = TimeSpan.FromMinutes(5);

    /// <exception cref="AppraisalException">One of the codes of Microsoft Azure Attestation.</exception>
    public static MaaClaims Verify(string token, MaaKeys keys, MaaRequirements requirements, DateTimeOffset now)
    {
        AppraisalException.ThrowUnless(token.Length <= MaxBytes && token.Count('.') == 2, Codes.JwtFormat, "The token is not a signed JWT, or too long.");
        var dot = token.IndexOf('.', StringComparison.Ordinal);
        var lastDot = token.LastIndexOf('.');
        using var header = Json.Parse(Json.Base64Of(token[..dot], Codes.JwtFormat), Codes.JwtFormat);
        CheckHeader(header.RootElement, keys, Encoding.ASCII.GetBytes(token[..lastDot]), token[(lastDot + 1)..]);
        using var payload = Json.Parse(Json.Base64Of(token[(dot + 1)..lastDot], Codes.JwtFormat), Codes.JwtFormat);
        var claims = payload.RootElement;
        AppraisalException.ThrowUnless(claims.Text("iss", Codes.JwtIssuer) == requirements.Issuer, Codes.JwtIssuer, "The issuer of the token is not the configured one.");
        // The URL is never requested. A URL that is not the issuer's is rejected.
        AppraisalException.ThrowUnless(header.RootElement.Optional("jku") is not { } jku || (jku.ValueKind == JsonValueKind.String && jku.ValueEquals(requirements.Issuer + "/certs")),
            Codes.JwtJku, "jku of the token is not the URL of the issuer's keys.");
        var (issued, expires) = CheckDates(claims, requirements, now);
        return CheckTee(claims, requirements, issued, expires);
    }

    private static void CheckHeader(JsonElement header, MaaKeys keys, byte[] signed, string signature)
    {
        AppraisalException.ThrowUnless(header.Text("alg", Codes.JwtAlg) == "RS256", Codes.JwtAlg, "The token is not signed with RS256.");
        AppraisalException.ThrowUnless(header.Optional("crit") is null, Codes.JwtFormat, "The token has a critical header.");
        var key = keys.Find(header.Text("kid", Codes.JwtKid)) ?? throw new AppraisalException(Codes.JwtKid, "The issuer has no key with this kid.");
        AppraisalException.ThrowUnless(key.Verify(signed, Json.Base64Of(signature, Codes.JwtFormat), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            Codes.JwtSignature, "The token is not signed by its issuer.");
    }

    private static (DateTimeOffset Issued, DateTimeOffset Expires) CheckDates(JsonElement claims, MaaRequirements requirements, DateTimeOffset now)
    {
        var expires = Date(claims, "exp");
        var issued = Date(claims, "iat");
        AppraisalException.ThrowUnless(now <= expires + _skew, Codes.JwtExpired, "The token has expired.");
        AppraisalException.ThrowUnless(Date(claims, "nbf") <= now + _skew && issued <= now + _skew, Codes.JwtNotYetValid, "The token is not valid yet.");
        AppraisalException.ThrowUnless(requirements.MaxAge is not { } most || now - issued <= most, Codes.JwtTooOld, "The token was issued too long ago.");
        return (issued, expires);
    }

    private static DateTimeOffset Date(JsonElement claims, string name) =>
        claims.Member(name, Codes.JwtClaim) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var seconds) && seconds is >= 0 and < 253_402_300_800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw new AppraisalException(Codes.JwtClaim, $"The claim '{name}' is not a date.");

    private static MaaClaims CheckTee(JsonElement claims, MaaRequirements requirements, DateTimeOffset issued, DateTimeOffset expires)
    {
        var isGuest = claims.Text("x-ms-attestation-type", Codes.MaaType) == "azurevm";
        var tee = isGuest
            ? claims.Optional("x-ms-isolation-tee") ?? throw new AppraisalException(Codes.MaaNoIsolationTee, "The token belongs to a Trusted Launch machine, which is not confidential.")
            : claims;
        AppraisalException.ThrowUnless(tee.Text("x-ms-attestation-type", Codes.MaaType) == requirements.Tee, Codes.MaaType, "The TEE type of the token is not the required one.");
        var isCompliant = tee.Optional("x-ms-compliance-status") is { ValueKind: JsonValueKind.String } status && status.ValueEquals("azure-compliant-cvm");
        AppraisalException.ThrowUnless(isCompliant || !requirements.RequireCompliance, Codes.MaaCompliance, "x-ms-compliance-status is not azure-compliant-cvm.");
        CheckNotDebuggable(tee, requirements.Tee);
        var secureBoot = SecureBoot(claims, tee, isGuest);
        AppraisalException.ThrowUnless(!isGuest || secureBoot == true, Codes.MaaSecureBoot, "Secure boot is not enabled.");
        var nonce = Nonce(claims, isGuest);
        if (requirements.Nonce is { } expected)
        {
            AppraisalException.ThrowUnless(nonce is not null, Codes.MaaNonceMissing, "The token carries no nonce.");
            AppraisalException.ThrowUnless(CryptographicOperations.FixedTimeEquals(nonce, expected), Codes.MaaNonce, "The token was issued for another nonce.");
        }

        return new MaaClaims
        {
            Issuer = requirements.Issuer,
            Tee = requirements.Tee,
            IsGuestToken = isGuest,
            IsCompliant = isCompliant,
            SecureBoot = secureBoot,
            Nonce = nonce,
            UserData = UserData(tee),
            Measurement = Hex(tee, requirements.Tee == "tdxvm" ? "tdx_mrtd" : "x-ms-sevsnpvm-launchmeasurement", 48),
            IdKeyDigest = Hex(tee, "x-ms-sevsnpvm-idkeydigest", 48),
            GuestSvn = tee.Optional("x-ms-sevsnpvm-guestsvn") is { ValueKind: JsonValueKind.Number } svn && svn.TryGetUInt32(out var number) ? number : null,
            TcbStatus = tee.Optional("attester_tcb_status") is { ValueKind: JsonValueKind.String } tcb ? tcb.GetString() : null,
            IssuedAt = issued,
            ExpiresAt = expires,
        };
    }

    private static void CheckNotDebuggable(JsonElement tee, string kind)
    {
        const string Detail = "The machine allows debugging by the host.";
        if (kind == "sevsnpvm")
        {
            AppraisalException.ThrowUnless(IsFalse(tee, "x-ms-sevsnpvm-is-debuggable"), Codes.MaaDebug, Detail);
            AppraisalException.ThrowUnless(tee.Optional("x-ms-sevsnpvm-vmpl") is not { } vmpl || (vmpl.ValueKind == JsonValueKind.Number && vmpl.TryGetInt32(out var level) && level == 0),
                Codes.Vmpl, "The report behind the token was requested from a less privileged VMPL.");
        }
        else
        {
            AppraisalException.ThrowUnless(IsFalse(tee, "tdx_td_attributes_debug"), Codes.MaaDebug, Detail);
            AppraisalException.ThrowUnless(tee.Optional("dbgstat") is not { } state || (state.ValueKind == JsonValueKind.String && state.GetString()!.StartsWith("disabled", StringComparison.Ordinal)),
                Codes.MaaDebug, Detail);
            AppraisalException.ThrowUnless(tee.Optional("attester_tcb_status") is not { ValueKind: JsonValueKind.String } status || !status.ValueEquals("Revoked"), Codes.MaaTcb, "The platform's TCB level is revoked.");
        }
    }

    private static bool IsFalse(JsonElement owner, string name) => owner.Optional(name) is { ValueKind: JsonValueKind.False };

    private static bool? SecureBoot(JsonElement claims, JsonElement tee, bool isGuest)
    {
        var flag = isGuest ? claims.Optional("secureboot") : tee.Optional("x-ms-runtime")?.Optional("vm-configuration")?.Optional("secure-boot");
        return flag is { ValueKind: JsonValueKind.True or JsonValueKind.False } value ? value.GetBoolean() : null;
    }

    private static byte[]? Nonce(JsonElement claims, bool isGuest)
    {
        if (!isGuest)
        {
            return claims.Optional("nonce") is { ValueKind: JsonValueKind.String } text ? Json.Base64Of(text.GetString()!, Codes.MaaNonce) : null;
        }

        if (claims.Optional("x-ms-runtime")?.Optional("client-payload")?.Optional("nonce") is not { ValueKind: JsonValueKind.String } encoded)
        {
            return null;
        }

        return encoded.TryGetBytesFromBase64(out var bytes) ? bytes : throw new AppraisalException(Codes.MaaNonce, "The nonce of the token cannot be parsed.");
    }

    private static byte[]? UserData(JsonElement tee) =>
        tee.Optional("x-ms-runtime")?.Optional("user-data") is { ValueKind: JsonValueKind.String } text ? Json.Hex(text.GetString()!, Codes.JwtClaim, 64) : null;

    private static byte[]? Hex(JsonElement owner, string name, int length) =>
        owner.Optional(name) is { ValueKind: JsonValueKind.String } text ? Json.Hex(text.GetString()!, Codes.JwtClaim, length) : null;
}
