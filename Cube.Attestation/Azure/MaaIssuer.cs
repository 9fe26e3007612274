using Cube.Attestation.Parsing;

namespace Cube.Attestation.Azure;

/// <summary>Selects one of the configured issuers by the unverified <c>iss</c> claim of a token. The signature is verified later with that issuer's keys.</summary>
internal static class MaaIssuer
{
    public static bool IsNamedIn(string token, string issuer)
    {
        var parts = token.Split('.');
        if (parts.Length != 3)
        {
            return false;
        }

        using var payload = Json.Parse(Json.Base64Of(parts[1], Codes.JwtFormat), Codes.JwtFormat);
        return payload.RootElement.Optional("iss") is { ValueKind: System.Text.Json.JsonValueKind.String } text && text.ValueEquals(issuer);
    }
}
