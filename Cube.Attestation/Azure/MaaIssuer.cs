using Cube.Attestation.Parsing;

namespace Cube.Attestation.Azure;

/// <summary>Which of several allowed issuers a token says it is from. Only a choice among the configured ones; the token is not believed.</summary>
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
