using System.Text.Json;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Synchronization;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Tokens;

using TokenResult = Results<Created<TokenPair>, JsonHttpResult<ManagementError>>;

internal static class TokenApi
{
    public static IEndpointRouteBuilder MapTokens(this IEndpointRouteBuilder endpoints)
    {
        var tokens = endpoints.MapGroup("/users/tokens").AddEndpointFilter(NotStored).RequireSynchronized().WithTags("Tokens");
        tokens.MapPost("/issue", Issue).AllowAnonymous().LimitPasswordConcurrency();
        tokens.MapPost("/refresh", Refresh).AllowAnonymous();
        tokens.MapPost("/revoke", Revoke);
        tokens.MapGet("/refresh-tokens", List);
        tokens.MapGet("/introspect", Introspect).AllowPersonalAccessTokens();
        return endpoints;
    }

    private static ValueTask<object?> NotStored(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        context.HttpContext.Response.Headers.CacheControl = "no-store";
        return next(context);
    }

    internal sealed record IssueRequest(string? Username, string? Password, string? Description);

    /// <summary>An unknown user, a wrong password, and a disabled or unverified account receive the same answer after the same work.</summary>
    private static async Task<TokenResult> Issue(
        IssueRequest request, HttpContext context, UserStore users, UserPasswordHasher passwords, LoginThrottle throttle, SessionStore sessions, CancellationToken ct)
    {
        if (request.Username is not { Length: > 0 and <= UserRules.MaxText } name || request.Password is not { Length: > 0 and <= UserRules.MaxText } password)
        {
            return ApiResults.Invalid("username and password are required and must have at most 1024 characters each.");
        }

        if (request.Description is { Length: > UserRules.MaxText })
        {
            return ApiResults.Invalid("description must have at most 1024 characters.");
        }

        var user = await users.FindByNameAsync(name, ct);
        using var attempt = await throttle.BeginAsync(user, name, context.Connection.RemoteIpAddress, ct);
        if (await attempt.GetRetryAfterAsync(ct) is { } wait)
        {
            return PasswordCheck.TooMany(context, wait);
        }

        if (passwords.Verify(user, password) && user is { Status: "enabled", VerifiedAt: not null }
            && await sessions.StartAsync(user, request.Description, ct) is { } pair)
        {
            await attempt.RecordSuccessAsync();
            return TypedResults.Created((string?)null, pair);
        }

        return await attempt.RecordFailureAsync() is { } pause
            ? PasswordCheck.TooMany(context, pause)
            : ApiResults.Fail(StatusCodes.Status401Unauthorized, "invalid_credentials", "The user name or the password is wrong.");
    }

    /// <summary>Reads the refresh token from the <c>Authorization</c> header, or without that header from the member <c>token</c> of the body.</summary>
    private static async Task<TokenResult> Refresh(HttpContext context, TokenReader tokens, SessionStore sessions, CancellationToken ct)
    {
        var token = BearerToken.Read(context.Request.Headers);
        if (token is null)
        {
            var (body, error) = await ReadAsync(context, "token", ct);
            if (error is not null)
            {
                return error;
            }

            token = body;
        }

        var read = string.IsNullOrEmpty(token) ? null : await tokens.ReadAsync(token, TokenFormat.RefreshTyp, ct);
        if (read is not null && await sessions.RotateAsync(read, ct) is { } pair)
        {
            return TypedResults.Created((string?)null, pair);
        }

        context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        return ApiResults.Fail(StatusCodes.Status401Unauthorized, "invalid_token", "A valid refresh token is required.");
    }

    /// <summary>Revokes the session that <c>token_id</c> names, or without a body the caller's session.</summary>
    private static async Task<Results<NoContent, JsonHttpResult<ManagementError>>> Revoke(
        HttpContext context, Caller caller, SessionStore sessions, CancellationToken ct)
    {
        var session = caller.SessionId;
        if (context.Request.ContentLength is > 0 || context.Request.Headers.TransferEncoding.Count > 0)
        {
            var (id, error) = await ReadAsync(context, "token_id", ct);
            if (error is not null)
            {
                return error;
            }

            if (!Guid.TryParse(id, out session))
            {
                return ApiResults.Invalid("token_id must be an id from the list of refresh tokens.");
            }
        }

        return await sessions.RevokeAsync(session, caller.UserId, ct)
            ? TypedResults.NoContent()
            : ApiResults.Fail(StatusCodes.Status404NotFound, "not_found", "You do not have this session.");
    }

    /// <param name="UserId">The owner of the token.</param>
    /// <param name="TokenId">The id of the personal access token; absent for a session.</param>
    internal sealed record Introspection(
        Guid UserId, [property: System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] Guid? TokenId);

    /// <summary>Validates an access token or a personal access token and names its owner. Proxies use it for opaque tokens.</summary>
    private static Ok<Introspection> Introspect(Caller caller) => TypedResults.Ok(new Introspection(caller.UserId, caller.PatId));

    private static async Task<Ok<RefreshTokens>> List(Caller caller, SessionStore sessions, CancellationToken ct) =>
        TypedResults.Ok(new RefreshTokens(await sessions.ActiveAsync(caller.UserId, ct)));

    internal sealed record RefreshTokens(IEnumerable<ActiveSession> Tokens)
    {
        [System.Text.Json.Serialization.JsonPropertyName("refresh_tokens")]
        public IEnumerable<ActiveSession> Tokens { get; } = Tokens;
    }

    /// <summary>Reads one string member of a JSON body. Not bound by the framework, because the body is optional.</summary>
    private static async Task<(string? Value, JsonHttpResult<ManagementError>? Error)> ReadAsync(HttpContext context, string member, CancellationToken ct)
    {
        if (!context.Request.HasJsonContentType())
        {
            return (null, TypedResults.Json(
                ManagementError.Of(StatusCodes.Status415UnsupportedMediaType), statusCode: StatusCodes.Status415UnsupportedMediaType));
        }

        try
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: ct);
            return body.RootElement is { ValueKind: JsonValueKind.Object } root
                && root.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
                    ? (text, null)
                    : (null, ApiResults.Invalid($"{member} is required."));
        }
        catch (JsonException)
        {
            return (null, ApiResults.Invalid("The body is not valid JSON."));
        }
    }
}
