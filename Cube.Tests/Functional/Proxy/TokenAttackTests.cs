using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Http;
using Npgsql;

namespace Cube.Tests.Functional.Proxy;

/// <summary>Forged tokens: the proxy and Identity must reject them.</summary>
[Collection(GuideCollectionDefinition.Name)]
public sealed class TokenAttackTests(GuideSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Theory]
    [InlineData("alg none")]
    [InlineData("alg none without signature")]
    [InlineData("HS256 with the public key as secret")]
    [InlineData("another key")]
    [InlineData("another key under a known kid")]
    [InlineData("another key in the header")]
    [InlineData("claims changed")]
    [InlineData("no kid")]
    [InlineData("kid is a path")]
    [InlineData("issuer")]
    [InlineData("audience")]
    [InlineData("typ")]
    [InlineData("signature cut")]
    [InlineData("not a token")]
    [InlineData("three dots")]
    [Trait("Conformance", "AU-02")]
    public async Task A_forged_token_is_answered_with_401(string attack)
    {
        var tenant = await _cube.CreateTenantAsync();
        var forged = Forge(attack, tenant.Token, (await _cube.SendAsync(HttpMethod.Get, "/keys/.well-known/jwks.json", null)).Body);

        var (status, body) = await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", forged);
        Assert.Equal(401, status);
        Assert.Equal("invalid_api_key", body.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", forged)).Status);
    }

    [Fact]
    [Trait("Conformance", "AU-01"), Trait("Conformance", "AU-03")]
    public async Task A_missing_token_a_refresh_token_and_other_schemes_are_answered_with_401()
    {
        var tenant = await _cube.CreateTenantAsync();
        await RefusedAsync("missing_api_key", static _ => { });
        await RefusedAsync("invalid_api_key", request => request.Headers.Authorization = new("Bearer", tenant.Tokens.Refresh));
        await RefusedAsync("invalid_api_key", request => request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{tenant.Name}:{tenant.Password}"))));
        await RefusedAsync("invalid_api_key", request => request.Headers.TryAddWithoutValidation("Authorization", "Bearer "));
        await RefusedAsync("invalid_api_key", request => request.Headers.TryAddWithoutValidation("Authorization", (string[])[$"Bearer {tenant.Token}", $"Bearer {tenant.Token}"]));
        await RefusedAsync("invalid_api_key", request => request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {tenant.Token}, Bearer x"));
        await RefusedAsync("missing_api_key", request => request.RequestUri = new Uri($"{tenant.Api}/models?access_token={tenant.Token}", UriKind.Relative));
        await RefusedAsync("missing_api_key", request => request.Headers.Add("Cookie", $"access_token={tenant.Token}"));

        async Task RefusedAsync(string code, Action<HttpRequestMessage> change)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{tenant.Api}/models");
            change(request);
            using var response = await _cube.Http.SendAsync(request);
            Assert.Equal(401, (int)response.StatusCode);
            Assert.StartsWith("Bearer", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
            var body = JsonElement.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(code, body.GetProperty("error").GetProperty("code").GetString());
        }
    }

    private static string Forge(string attack, string token, JsonElement jwks)
    {
        var parts = token.Split('.');
        var (header, payload) = (Json(parts[0]), Json(parts[1]));
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        switch (attack)
        {
            case "alg none":
                header["alg"] = "none";
                return $"{Encode(header)}.{parts[1]}.{parts[2]}";
            case "alg none without signature":
                header["alg"] = "none";
                return $"{Encode(header)}.{parts[1]}.";
            case "HS256 with the public key as secret":
                header["alg"] = "HS256";
                var signed = $"{Encode(header)}.{parts[1]}";
                var secret = Encoding.UTF8.GetBytes(jwks.GetProperty("keys")[0].GetProperty("x").GetString()!);
                return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(signed)))}";
            case "another key":
                header["kid"] = "stranger";
                return Sign(header, payload, stranger);
            case "another key under a known kid":
                return Sign(header, payload, stranger);
            case "another key in the header":
                var point = stranger.ExportParameters(false).Q;
                header["kid"] = "stranger";
                header["jwk"] = new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y) };
                return Sign(header, payload, stranger);
            case "claims changed":
                payload["role"] = 2;
                return $"{parts[0]}.{Encode(payload)}.{parts[2]}";
            case "no kid":
                header.Remove("kid");
                return Sign(header, payload, stranger);
            case "kid is a path":
                header["kid"] = "../../../../dev/null";
                return Sign(header, payload, stranger);
            case "issuer":
                payload["iss"] = "other";
                return Sign(header, payload, stranger);
            case "audience":
                payload["aud"] = "other";
                return Sign(header, payload, stranger);
            case "typ":
                header["typ"] = "JWT";
                return $"{Encode(header)}.{parts[1]}.{parts[2]}";
            case "signature cut":
                return token[..^4];
            case "three dots":
                return "...";
            default:
                return "not-a-token";
        }
    }

    internal static string Sign(JsonObject header, JsonObject payload, ECDsa key)
    {
        var signed = $"{Encode(header)}.{Encode(payload)}";
        return $"{signed}.{Base64Url.EncodeToString(key.SignData(Encoding.UTF8.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    internal static JsonObject Json(string part) => JsonNode.Parse(Base64Url.DecodeFromChars(part))!.AsObject();

    private static string Encode(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}

/// <summary>Expiry of access tokens.</summary>
public sealed class TokenLifetimeTests(ShortTokenSystem system) : IClassFixture<ShortTokenSystem>
{
    [Fact]
    [Trait("Conformance", "AU-04"), Trait("Conformance", "AU-05")]
    public async Task An_expired_token_is_reported_and_can_be_refreshed()
    {
        var cube = system.Cube;
        var tenant = await cube.CreateTenantAsync();
        Assert.Equal(200, (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token)).Status);

        await Eventually.TrueAsync(
            async () => (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token)).Status == 401, "the token expires");

        var (_, body) = await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal("token_expired", body.GetProperty("error").GetProperty("code").GetString());
        var (_, fresh) = await cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", tenant.Tokens.Refresh);
        Assert.Equal(200, (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", fresh.GetProperty("access_token").GetString())).Status);
    }

    [Fact]
    [Trait("Conformance", "AU-07")]
    public async Task A_running_stream_continues_after_its_token_expires()
    {
        var (cube, backend) = (system.Cube, system.Backend);
        var tenant = await cube.CreateTenantAsync();
        var expired = new TaskCompletionSource();
        backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(FakeBackend.Event(0));
            await context.Response.Body.FlushAsync();
            await expired.Task.WaitAsync(TimeSpan.FromSeconds(40));
            await context.Response.WriteAsync(FakeBackend.End);
        };
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.StreamedChat);
        Assert.Equal(200, (int)response.StatusCode);
        await Eventually.TrueAsync(async () => (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token)).Status == 401, "the token expires");
        expired.SetResult();
        Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}

/// <summary>Tokens with a valid signature that must be rejected.</summary>
[Collection(GuideCollectionDefinition.Name)]
public sealed class SignedTokenTests(GuideSystem system, PostgresServer postgres)
{
    [Fact]
    [Trait("Conformance", "AU-02")]
    public async Task A_token_of_another_deployment_is_rejected()
    {
        var here = system.Cube;
        await using var there = await CubeSystem.StartAsync(postgres);
        var stranger = await there.LoginAsync();
        var tenant = await here.CreateTenantAsync();
        Assert.Equal(401, (await here.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", stranger.Access)).Status);
    }

    /// <summary>Signed with the key of the deployment: only a defect in Identity could create these tokens.</summary>
    [Fact]
    [Trait("Conformance", "AU-02"), Trait("Conformance", "AU-04")]
    public async Task A_correctly_signed_token_with_wrong_claims_is_rejected()
    {
        var cube = system.Cube;
        var tenant = await cube.CreateTenantAsync();
        using var key = await SigningKeyAsync(cube);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        Assert.Equal((200, null), await AskAsync(static (_, _) => { }));
        // The allowed clock skew is five seconds.
        Assert.Equal((200, null), await AskAsync((_, payload) => payload["exp"] = now - 2));
        Assert.Equal((401, "token_expired"), await AskAsync((_, payload) => payload["exp"] = now - 60));
        Assert.Equal((200, null), await AskAsync((_, payload) => payload["nbf"] = now + 2));
        foreach (var change in (Action<JsonObject, JsonObject>[])
        [
            (_, payload) => payload["nbf"] = now + 60, (_, payload) => payload["iss"] = "other", (_, payload) => payload["aud"] = "other",
            (_, payload) => payload.Remove("exp"), (_, payload) => payload.Remove("iss"), (_, payload) => payload.Remove("aud"), (_, payload) => payload.Remove("sid"),
            (_, payload) => payload["type"] = 1, (_, payload) => payload["type"] = 4, (_, payload) => payload.Remove("type"), (_, payload) => payload["sub"] = "admin",
            (header, _) => header["typ"] = "JWT", (header, _) => header["typ"] = "rt+jwt", (header, _) => header.Remove("typ"), (header, _) => header["kid"] = "other",
            (header, _) => header["alg"] = "ES384",
        ])
        {
            Assert.Equal((401, "invalid_api_key"), await AskAsync(change));
        }

        // Permissions come from the tables, not from the claims of the token.
        Assert.Equal(403, (await cube.SendAsync(HttpMethod.Get, "/users", Token((_, payload) => payload["role"] = 2))).Status);
        // The session of another user.
        Assert.Equal((401, "invalid_api_key"), await AskAsync((_, payload) => payload["sid"] = Guid.NewGuid().ToString()));

        string Token(Action<JsonObject, JsonObject> change)
        {
            var parts = tenant.Token.Split('.');
            var (header, payload) = (TokenAttackTests.Json(parts[0]), TokenAttackTests.Json(parts[1]));
            change(header, payload);
            return TokenAttackTests.Sign(header, payload, key);
        }

        async Task<(int, string?)> AskAsync(Action<JsonObject, JsonObject> change)
        {
            var (status, body) = await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", Token(change));
            return (status, DomainExtensions.CodeOf(body));
        }
    }

    private static async Task<ECDsa> SigningKeyAsync(CubeSystem cube)
    {
        await using var source = NpgsqlDataSource.Create($"{cube.Database};Pooling=false");
        await using var query = source.CreateCommand("select private_key from signing_keys");
        var key = ECDsa.Create();
        var encrypted = (byte[])(await query.ExecuteScalarAsync())!;
        key.ImportEncryptedPkcs8PrivateKey("a secret of the tests", encrypted, out _);
        return key;
    }
}
